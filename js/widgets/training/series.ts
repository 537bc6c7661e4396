/** A training's tables as series to draw: rows in order, thinned ones with the steps they stand for. Pure. */

import type { Table } from "../../shared/types";

export interface Steps {
  /** Last step of each row, and the first. */
  to: number[];
  from: number[];
  column(name: string): number[];
}

/**
 * The rows of a thinned table, in order. While a page catches up with a table that was thinned anew, rows of before may
 * still stand behind new ones; what stands for steps that came already is left out.
 */
export function rowsOf(table: Table, inSteps: boolean): Steps {
  const [step, many] = [table.i4("step"), table.i4("many")];
  const rows: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < table.length; row++) {
    const at = step[row] ?? 0;
    const first = inSteps ? at - (many[row] ?? 0) + 1 : at;
    if (!(many[row] ?? 0) || first <= last) continue;
    rows.push(row);
    last = at;
  }
  const pick = (from: ArrayLike<number>) => rows.map((row) => from[row] ?? Number.NaN);
  const to = pick(step);
  return { to, from: inSteps ? rows.map((row, i) => (to[i] ?? 0) - (many[row] ?? 0) + 1) : to, column: (name) => pick(name === "skipped" ? table.i4(name) : table.f8(name)) };
}

/** The exponential moving mean, without the lag of its beginning; values that are no numbers are passed over. */
export function smoothed(values: readonly number[], span: number): number[] {
  const keep = 1 - 2 / (span + 1);
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    if (!Number.isFinite(value)) return Number.NaN;
    sum = sum * keep + value;
    weight = weight * keep + 1;
    return sum / weight;
  });
}

/** How many values a smoothed one looks back on. */
export function spanOf(length: number): number {
  return Math.max(3, Math.min(50, Math.round(length / 20)));
}

export function extent(...lists: readonly (readonly number[])[]): [number, number] | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const list of lists) {
    for (const value of list) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low <= high ? [low, high] : null;
}

/** The last value that is a number. */
export function latest(values: readonly number[]): number {
  for (let i = values.length - 1; i >= 0; i--) {
    const value = values[i];
    if (value !== undefined && Number.isFinite(value)) return value;
  }
  return Number.NaN;
}
