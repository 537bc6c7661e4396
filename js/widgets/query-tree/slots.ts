/** Heights in one column: who stands where, and where there is room. Heights of neighbours are at least 1 apart. */

/** Heights between two roots of the first column, where there are few. */
export const ROOT_ROOM = 4;

/** Heights from `low` to `high` with no room for another between. Runs of a column rise and have room between each other. */
export interface Run {
  low: number;
  high: number;
}

const NEAR = 1e-9;

/** Runs of heights that rise. */
export function runsOf(heights: ArrayLike<number>): Run[] {
  const runs: Run[] = [];
  for (let i = 0; i < heights.length; i++) {
    const height = heights[i] ?? 0;
    const last = runs[runs.length - 1];
    if (last && height - last.high < 2 - NEAR) last.high = height;
    else runs.push({ low: height, high: height });
  }
  return runs;
}

/** Index of the first run that ends at or after a height less one: the only one that can be in its way. */
function runAt(runs: readonly Run[], height: number): number {
  let [from, to] = [0, runs.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((runs[middle] as Run).high + 1 <= height + NEAR) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The free height nearest to the wanted one. */
export function nearestFree(runs: readonly Run[], wanted: number): number {
  const run = runs[runAt(runs, wanted)];
  if (!run || run.low - 1 >= wanted - NEAR) return wanted;
  return wanted - (run.low - 1) < run.high + 1 - wanted ? run.low - 1 : run.high + 1;
}

/** Takes a free height. */
export function occupy(runs: Run[], height: number): void {
  const at = runAt(runs, height);
  const [above, below] = [runs[at - 1], runs[at]];
  const joinsAbove = above !== undefined && height - above.high < 2 - NEAR;
  const joinsBelow = below !== undefined && below.low - height < 2 - NEAR;
  if (joinsAbove && joinsBelow) {
    above.high = below.high;
    runs.splice(at, 1);
  } else if (joinsAbove) above.high = height;
  else if (joinsBelow) below.low = height;
  else runs.splice(at, 0, { low: height, high: height });
}

/** The heights nearest to those wanted (which rise) that are at least 1 apart, in least squares: pool adjacent violators. */
export function spread(wanted: readonly number[]): Float64Array {
  const totals: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < wanted.length; i++) {
    let total = (wanted[i] ?? 0) - i;
    let count = 1;
    while (totals.length && (totals[totals.length - 1] ?? 0) / (counts[counts.length - 1] ?? 1) >= total / count) {
      total += totals.pop() ?? 0;
      count += counts.pop() ?? 0;
    }
    totals.push(total);
    counts.push(count);
  }
  const heights = new Float64Array(wanted.length);
  let i = 0;
  totals.forEach((total, block) => {
    const count = counts[block] ?? 0;
    for (const end = i + count; i < end; i++) heights[i] = total / count + i;
  });
  return heights;
}
