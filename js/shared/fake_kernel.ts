/**
 * The kernel's side of `docs/wire.md`, small and slow, and a model that speaks with it: lets tests and the dev page
 * exercise the real feed. Knows nothing of views.
 */

import type { Columns, ColumnType } from "./columns";
import type { Delta, Part } from "./mirror";
import type { Facts } from "./types";

type Numbers = Float64Array | Float32Array | Int32Array | Uint8Array;

/** A table whose changes are numbered. */
export class Stamped {
  private readonly log: number[] = [];
  private readonly last: number[] = [];

  constructor(readonly columns: Columns) {}

  get clock(): number {
    return this.log.length;
  }

  touch(row: number): void {
    this.log.push(row);
    this.last[row] = this.log.length;
  }

  /** The rows changed after `base`, oldest first, at most `most`, and the stamp they lead to. */
  after(base: number, most = Number.POSITIVE_INFINITY): { rows: number[]; to: number } {
    const rows: number[] = [];
    let to = base;
    for (; to < this.clock && rows.length < most; to++) {
      const row = this.log[to] as number;
      if (this.last[row] === to + 1) rows.push(row);
    }
    return { rows, to };
  }

  part(name: string, base: number, buffers: DataView[], most?: number): Part | null {
    const { rows, to } = this.after(base, most);
    if (to === base) return null;
    const consecutive = rows.every((row, i) => row === (rows[0] ?? 0) + i);
    const columns: Part["columns"] = {};
    const where = consecutive ? { first: rows[0] ?? 0, count: rows.length } : { buffer: push(buffers, "i4", rows) };
    for (const [column, type] of this.columns.names()) {
      const values = rows.map((row) => this.columns[type](column)[row]);
      columns[column] = [type, type === "json" ? values : push(buffers, type, values as number[])];
    }
    return { table: name, base, to, clock: this.clock, length: this.columns.length, rows: where, columns };
  }
}

const ARRAY = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u1: Uint8Array } as const;

/** Adds a buffer as they come over a websocket: inside a larger one, at an offset that fits no type. */
function push(buffers: DataView[], type: Exclude<ColumnType, "json">, values: readonly number[]): number {
  const array: Numbers = ARRAY[type].from(values);
  const odd = new Uint8Array(array.byteLength + 3);
  odd.set(new Uint8Array(array.buffer), 3);
  return buffers.push(new DataView(odd.buffer, 3)) - 1;
}

/** One page's deltas from where it is, credits left out. */
export function delta(
  tables: Record<string, Stamped>,
  have: Record<string, number>,
  stamp: { n: number; epoch: string; facts?: Facts; most?: number },
): { content: Delta; buffers: DataView[] } {
  const buffers: DataView[] = [];
  const parts: Part[] = [];
  for (const name in tables) {
    const part = tables[name]?.part(name, have[name] ?? 0, buffers, stamp.most);
    if (part) parts.push(part);
  }
  const content: Delta = { type: "delta", n: stamp.n, epoch: stamp.epoch, to: null, parts };
  if (stamp.facts) content.facts = structuredClone(stamp.facts);
  return { content, buffers };
}
