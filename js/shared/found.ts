/**
 * What each query's own scored items come to: for queries of which the kernel says no mean or best, such as starts that
 * have not been searched from. Pure; counts each row of `items` once, whoever asks.
 */

import type { Facts, Table } from "./types";

type Direction = Facts["direction"];

class Found {
  count: Float64Array = new Float64Array(0);
  sum: Float64Array = new Float64Array(0);
  low: Float64Array = new Float64Array(0);
  high: Float64Array = new Float64Array(0);
  private length = 0;
  private stamp = 0;

  /** Takes in what is new; everything anew where a known row changed. */
  follow(items: Table): this {
    if (items.stamp === this.stamp && items.length === this.length) return this;
    const appended = items.length >= this.length && items.stamp - this.stamp === items.length - this.length;
    if (!appended) this.clear();
    const node = items.i4("node");
    const score = items.f8("score");
    for (let row = this.length; row < items.length; row++) this.add(node[row] ?? -1, score[row] ?? Number.NaN);
    [this.length, this.stamp] = [items.length, items.stamp];
    return this;
  }

  private add(node: number, score: number): void {
    if (node < 0 || !Number.isFinite(score)) return;
    if (node >= this.count.length) this.reserve(node + 1);
    this.count[node] = (this.count[node] as number) + 1;
    this.sum[node] = (this.sum[node] as number) + score;
    this.low[node] = Math.min(this.low[node] as number, score);
    this.high[node] = Math.max(this.high[node] as number, score);
  }

  private clear(): void {
    this.length = 0;
    this.count.fill(0);
    this.sum.fill(0);
    this.low.fill(Number.POSITIVE_INFINITY);
    this.high.fill(Number.NEGATIVE_INFINITY);
  }

  private reserve(nodes: number): void {
    const length = Math.max(nodes, this.count.length * 2, 64);
    this.count = grown(this.count, length, 0);
    this.sum = grown(this.sum, length, 0);
    this.low = grown(this.low, length, Number.POSITIVE_INFINITY);
    this.high = grown(this.high, length, Number.NEGATIVE_INFINITY);
  }
}

function grown(values: Float64Array, length: number, fill: number): Float64Array {
  const longer = new Float64Array(length).fill(fill);
  longer.set(values);
  return longer;
}

const known = new WeakMap<Table, Found>();

export interface Worth {
  /** `(n,)` mean score of each query's items. */
  readonly mean: Float64Array;
  /** `(n,)` its best one's. */
  readonly max: Float64Array;
  /** `(n,)` how many items the mean is of. */
  readonly weight: ArrayLike<number>;
  /** Whether any of it is of items, not the kernel's word. */
  readonly lent: boolean;
}

/** Mean and best of each query: the kernel's where it gives them, else those of the query's items. */
export function worthOf(nodes: Table, items: Table, direction: Direction): Worth {
  const [mean, max, weight] = [nodes.f8("mean"), nodes.f8("max"), nodes.i4("n_hits")];
  const found = (known.get(items) ?? new Found()).follow(items);
  known.set(items, found);
  const best = direction === "minimize" ? found.low : found.high;
  const gaps: number[] = [];
  for (let node = 0; node < nodes.length; node++) if (Number.isNaN(max[node] as number) && (found.count[node] ?? 0) > 0) gaps.push(node);
  if (!gaps.length) return { mean, max, weight, lent: false };
  const own = { mean: mean.slice(0, nodes.length), max: max.slice(0, nodes.length), weight: weight.slice(0, nodes.length), lent: true };
  for (const node of gaps) {
    own.mean[node] = (found.sum[node] as number) / (found.count[node] as number);
    own.max[node] = best[node] as number;
    own.weight[node] = found.count[node] as number;
  }
  return own;
}
