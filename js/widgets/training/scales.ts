/** From values to places on a chart, and the round numbers beside them. Pure. */

export interface Scale {
  /** Values to pixels; not a number where a value has no place (below zero on a log scale). */
  at(value: number): number;
  ticks: number[];
}

const ROUND = [1, 2, 5, 10];

/** Round numbers within a range, at most `most`. */
export function ticks(low: number, high: number, most: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / most));
  const step = power * (ROUND.find((by) => span / (power * by) <= most) ?? 10);
  const out: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) out.push(Number((i * step).toPrecision(12)));
  return out;
}

export function linear(range: readonly [number, number], from: number, to: number, most: number): Scale {
  const [low, high] = range[0] === range[1] ? [range[0] - (Math.abs(range[0]) || 1) * 0.1, range[1] + (Math.abs(range[1]) || 1) * 0.1] : range;
  return { at: (value) => from + ((to - from) * (value - low)) / (high - low), ticks: ticks(low, high, most) };
}

/** Powers of ten, with twos and fives between them where the range is small. */
export function logarithmic(range: readonly [number, number], from: number, to: number, most: number): Scale {
  const [low, high] = [Math.log10(range[0]), Math.log10(range[1] > range[0] ? range[1] : range[0] * 1.1)];
  const at = (value: number) => (value > 0 ? from + ((to - from) * (Math.log10(value) - low)) / (high - low) : Number.NaN);
  const marks: number[] = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const by of high - low < 1.5 ? [1, 2, 5] : [1]) {
      const mark = Number((by * 10 ** power).toPrecision(3));
      if (mark >= range[0] * 0.999 && mark <= range[1] * 1.001) marks.push(mark);
    }
  }
  const every = Math.max(1, Math.ceil(marks.length / most));
  if (marks.length < 2) return { at, ticks: ticks(range[0], range[1], most).filter((mark) => mark > 0) };
  return { at, ticks: marks.filter((_, i) => i % every === 0) };
}

/** A line through points, broken where one has no place. */
export function path(xs: readonly number[], ys: readonly number[]): string {
  let out = "";
  let drawn = false;
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = [xs[i] ?? Number.NaN, ys[i] ?? Number.NaN];
    if (Number.isFinite(x) && Number.isFinite(y)) {
      const alone = !drawn && !Number.isFinite(ys[i + 1] ?? Number.NaN);
      out += `${drawn ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}${alone ? "h.01" : ""}`;
      drawn = true;
    } else {
      drawn = false;
    }
  }
  return out;
}

/** The area between two lines, where both have a place. */
export function band(xs: readonly number[], lows: readonly number[], highs: readonly number[]): string {
  const fine = xs.map((_, i) => i).filter((i) => Number.isFinite(lows[i]) && Number.isFinite(highs[i]));
  if (fine.length < 2) return "";
  const point = (i: number, ys: readonly number[]) => `${(xs[i] ?? 0).toFixed(1)} ${(ys[i] ?? 0).toFixed(1)}`;
  return `M${fine.map((i) => point(i, highs)).join("L")}L${fine.reverse().map((i) => point(i, lows)).join("L")}Z`;
}

/** The place of the value nearest to `wanted` in an ascending list; −1 in an empty one. */
export function nearest(values: readonly number[], wanted: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  const [before, here] = [values[low - 1], values[low]];
  return before !== undefined && here !== undefined && wanted - before < here - wanted ? low - 1 : Math.min(low, values.length - 1);
}
