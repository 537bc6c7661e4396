/**
 * The page's copy of a live object's tables and facts: applies `delta` messages (`docs/wire.md`) so that whatever is
 * lost, doubled or reordered, the copy converges. Pure: knows nothing of comms, models or time.
 */

import { Columns, isColumnType, type ColumnType, type Rows } from "./columns";
import type { Facts } from "./types";

type Written = [ColumnType, number | unknown[]];

export interface Part {
  table: string;
  base: number;
  to: number;
  clock: number;
  length: number;
  rows: { first: number; count: number } | { buffer: number };
  columns: Record<string, Written>;
}

export interface Delta {
  type: "delta";
  n: number;
  epoch: string;
  to?: string | null;
  facts?: Facts;
  parts: Part[];
}

export interface Applied {
  /** Tables whose rows changed. */
  tables: Set<string>;
  facts: boolean;
  /** A part begins after what this copy has, or another life of the tables took this one's place: the page must say `hello`. */
  gap: boolean;
}

const WIDTH = { f8: 8, f4: 4, i4: 4, u1: 1 } as const;
const VIEW = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u1: Uint8Array } as const;
const MOST_ROWS = 2 ** 27;

export class Mirror {
  epoch: string | null = null;
  facts: Facts | null = null;
  readonly tables = new Map<string, Columns>();
  private factsFrom = -1;
  private readonly filled = new Map<Columns, Filled>();

  /** The newest stamp of every table, as `hello` and `ack` say it. */
  have(): Record<string, number> {
    const have: Record<string, number> = {};
    for (const [name, table] of this.tables) if (table.stamp) have[name] = table.stamp;
    return have;
  }

  apply(message: Delta, buffers: readonly DataView[]): Applied {
    const done: Applied = { tables: new Set(), facts: false, gap: false };
    if (message.epoch !== this.epoch) this.begin(message.epoch, done);
    for (const part of message.parts) {
      const table = this.table(part.table);
      if (part.to <= table.stamp) continue;
      if (part.base > table.stamp) {
        done.gap = true;
        continue;
      }
      this.write(table, part, buffers);
      table.stamp = part.to;
      done.tables.add(part.table);
    }
    if (message.facts && message.n > this.factsFrom) {
      this.facts = message.facts;
      this.factsFrom = message.n;
      done.facts = true;
    }
    return done;
  }

  private begin(epoch: string, done: Applied): void {
    done.gap = this.epoch !== null;
    for (const name of this.tables.keys()) done.tables.add(name);
    this.tables.clear();
    this.filled.clear();
    this.epoch = epoch;
    this.factsFrom = -1;
  }

  private table(name: string): Columns {
    const known = this.tables.get(name);
    if (known) return known;
    const made = new Columns();
    this.tables.set(name, made);
    this.filled.set(made, new Filled());
    return made;
  }

  private write(table: Columns, part: Part, buffers: readonly DataView[]): void {
    const rows = rowsOf(part, buffers);
    const many = rows instanceof Int32Array ? rows.length : rows.count;
    table.reserve(reachOf(rows));
    for (const name in part.columns) {
      const [type, source] = part.columns[name] as Written;
      if (!isColumnType(type)) throw new TypeError(`Column ${name} is of no known type.`);
      const values = Array.isArray(source) ? source : numbers(type, buffers[source]);
      if (values.length !== many) throw new RangeError(`Column ${name} has ${values.length} values for ${many} rows.`);
      table.write(name, type, rows, values);
    }
    table.grow(this.filled.get(table)?.add(rows) ?? 0);
  }
}

/**
 * How many rows have come without a hole before them. A part carries rows in the order of their last change, so while a
 * page catches up row 60 may come before row 3; views see only rows with all rows before them.
 */
class Filled {
  private upTo = 0;
  private later = new Uint8Array(0);

  add(rows: Rows): number {
    if (rows instanceof Int32Array) for (const row of rows) this.mark(row, 1);
    else this.mark(rows.first, rows.count);
    while (this.later[this.upTo]) this.upTo++;
    return this.upTo;
  }

  private mark(first: number, count: number): void {
    if (first <= this.upTo) {
      this.upTo = Math.max(this.upTo, first + count);
      return;
    }
    if (first + count > this.later.length) {
      const longer = new Uint8Array(Math.ceil((first + count) * 1.5));
      longer.set(this.later);
      this.later = longer;
    }
    this.later.fill(1, first, first + count);
  }
}

function reachOf(rows: Rows): number {
  let reach = 0;
  if (rows instanceof Int32Array) for (const row of rows) reach = Math.max(reach, row + 1);
  else reach = rows.first + rows.count;
  if (reach > MOST_ROWS) throw new RangeError(`A table of ${reach} rows is too long for a page.`);
  return reach;
}

function rowsOf(part: Part, buffers: readonly DataView[]): Rows {
  return "buffer" in part.rows ? (numbers("i4", buffers[part.rows.buffer]) as Int32Array) : part.rows;
}

/** A buffer as numbers: without a copy where its offset allows it, which a message's often does not. Little-endian, as pages are. */
export function numbers(type: ColumnType, buffer: DataView | undefined): Exclude<ReturnType<Columns["f8" | "f4" | "i4" | "u1"]>, never> {
  if (!buffer || type === "json") throw new TypeError("A column's buffer is missing.");
  const width = WIDTH[type];
  if (buffer.byteLength % width) throw new RangeError(`A buffer of ${buffer.byteLength} bytes holds no whole ${type} values.`);
  const { buffer: bytes, byteOffset, byteLength } = buffer;
  const length = byteLength / width;
  if (byteOffset % width === 0) return new VIEW[type](bytes as ArrayBuffer, byteOffset, length);
  return new VIEW[type]((bytes as ArrayBuffer).slice(byteOffset, byteOffset + byteLength), 0, length);
}
