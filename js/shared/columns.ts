/** A table of growing typed columns. Knows nothing of messages: `mirror.ts` writes what the kernel sent, `fake.ts` what it makes up. */

import type { Column, Table } from "./types";

export type ColumnType = "f8" | "f4" | "i4" | "u1" | "json";

const MAKE = {
  f8: (n: number) => new Float64Array(n),
  f4: (n: number) => new Float32Array(n),
  i4: (n: number) => new Int32Array(n),
  u1: (n: number) => new Uint8Array(n),
  json: (n: number): unknown[] => new Array(n).fill(null),
} as const;

const NONE = { f8: MAKE.f8(0), f4: MAKE.f4(0), i4: MAKE.i4(0), u1: MAKE.u1(0), json: [] as unknown[] } as const;

/** Which rows are written: a run, or numbers one by one. */
export type Rows = { first: number; count: number } | Int32Array;

export function isColumnType(type: unknown): type is ColumnType {
  return typeof type === "string" && type in MAKE;
}

export class Columns implements Table {
  length = 0;
  stamp = 0;
  private capacity = 0;
  private readonly held = new Map<string, { type: ColumnType; data: Column }>();

  f8 = (name: string) => this.read(name, "f8") as Float64Array;
  f4 = (name: string) => this.read(name, "f4") as Float32Array;
  i4 = (name: string) => this.read(name, "i4") as Int32Array;
  u1 = (name: string) => this.read(name, "u1") as Uint8Array;
  json = (name: string) => this.read(name, "json") as unknown[];

  names(): [string, ColumnType][] {
    return [...this.held].map(([name, { type }]) => [name, type]);
  }

  /** Makes room for `rows` rows, without showing them. */
  reserve(rows: number): void {
    if (rows <= this.capacity) return;
    this.capacity = Math.max(rows, Math.ceil(this.capacity * 1.5), 64);
    for (const column of this.held.values()) column.data = copied(column.data, column.type, this.capacity);
  }

  /** Shows at least `length` rows; the table is never shortened. */
  grow(length: number): void {
    this.reserve(length);
    this.length = Math.max(this.length, length);
  }

  /** Writes `values` (as many as rows) to the rows of a column; there must be room for them. */
  write(name: string, type: ColumnType, rows: Rows, values: ArrayLike<unknown>): void {
    const { data } = this.column(name, type);
    if (rows instanceof Int32Array) {
      const target = data as unknown[];
      for (let i = 0; i < rows.length; i++) target[rows[i] as number] = values[i];
    } else if (Array.isArray(data)) {
      for (let i = 0; i < rows.count; i++) data[rows.first + i] = values[i];
    } else {
      data.set(values as ArrayLike<number>, rows.first);
    }
  }

  /** One cell. */
  put(name: string, type: ColumnType, row: number, value: unknown): void {
    (this.column(name, type).data as unknown[])[row] = value;
  }

  private column(name: string, type: ColumnType): { type: ColumnType; data: Column } {
    const known = this.held.get(name);
    if (known?.type === type) return known;
    const made = { type, data: MAKE[type](this.capacity) as Column };
    this.held.set(name, made);
    return made;
  }

  private read(name: string, type: ColumnType): Column {
    const known = this.held.get(name);
    return known?.type === type ? known.data : NONE[type];
  }
}

function copied(data: Column, type: ColumnType, capacity: number): Column {
  if (Array.isArray(data)) {
    for (let i = data.length; i < capacity; i++) data.push(null);
    return data;
  }
  const bigger = MAKE[type](capacity) as Exclude<Column, unknown[]>;
  bigger.set(data as ArrayLike<number>);
  return bigger;
}

export const EMPTY: Table = new Columns();
