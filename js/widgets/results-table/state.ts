/** Which items the table shows, in which order, and what is known of their texts. Pure. */

import type { Table } from "../../shared/types";
import { extended, sorted } from "./order";
import { NO_PLACES, type Places } from "./places";

export type SortKey = "score" | "item" | "id" | "operator" | "node" | "call";

export interface Sort {
  key: SortKey;
  /** Largest first. */
  falling: boolean;
}

/** How a column is sorted when its head is pressed: best, latest or first in the alphabet of operators. */
export function sortBy(key: SortKey, now: Sort, direction: "maximize" | "minimize"): Sort {
  const first = key === "score" ? direction === "maximize" : key === "call";
  return { key, falling: now.key === key ? !now.falling : first };
}

/** The order of all items, kept up to date as rows come: appended rows are merged in, changed ones sort anew. */
export class Order {
  rows: Uint32Array = new Uint32Array(0);
  private key = "";
  private stamp = 0;

  /** True where the order is another one now. */
  follow(items: Table, nodes: Table, sort: Sort, operators: readonly string[], places: Places = NO_PLACES): boolean {
    const key = JSON.stringify([sort, sort.key === "operator" ? operators : [], places.by === sort.key ? places.version : 0]);
    const more = items.length - this.rows.length;
    if (key === this.key && items.stamp === this.stamp && more === 0) return false;
    const keys = keysOf(items, nodes, sort.key, operators, places);
    const onlyAppended = key === this.key && more >= 0 && items.stamp - this.stamp === more;
    this.rows = onlyAppended ? extended(this.rows, keys, items.length, sort.falling) : sorted(keys, items.length, sort.falling);
    this.key = key;
    this.stamp = items.stamp;
    return true;
  }
}

function keysOf(items: Table, nodes: Table, key: SortKey, operators: readonly string[], places: Places): ArrayLike<number> {
  if (key === "score") return items.f8("score");
  if (key === "call") return items.i4("call");
  if (key === "id" || key === "item") return placed(places.by === key ? places.at : NO_PLACES.at, items.length);
  const node = items.i4("node");
  if (key === "node") return node;
  const operator = nodes.u1("operator");
  const out = new Float64Array(items.length);
  const alphabet = alphabetical(operators);
  for (let row = 0; row < out.length; row++) out[row] = alphabet[operator[node[row] ?? -1] ?? -1] ?? Number.NaN;
  return out;
}

/** Places as keys; items without one come last. */
function placed(at: Int32Array, length: number): Float64Array {
  const keys = new Float64Array(length).fill(Number.NaN);
  for (let row = 0; row < Math.min(at.length, length); row++) if ((at[row] as number) >= 0) keys[row] = at[row] as number;
  return keys;
}

/** The place of each name in the alphabet. */
export function alphabetical(names: readonly string[]): number[] {
  const order = [...names.keys()].sort((a, b) => (names[a] ?? "").localeCompare(names[b] ?? "", "en"));
  const places: number[] = [];
  order.forEach((name, place) => (places[name] = place));
  return places;
}

/** What is known of an item beyond its numbers. */
export interface Look {
  id: string;
  text: string;
  image: string | null;
  /** Asked for; else only what `top` says. */
  whole: boolean;
}

/** Texts by row, the least used forgotten first. */
export class Looks {
  private readonly known = new Map<number, Look>();

  constructor(private readonly most = 3000) {}

  get(row: number): Look | null {
    const look = this.known.get(row);
    if (!look) return null;
    this.known.delete(row);
    this.known.set(row, look);
    return look;
  }

  put(row: number, look: Look): void {
    this.known.delete(row);
    this.known.set(row, look);
    for (const old of this.known.keys()) {
      if (this.known.size <= this.most) break;
      this.known.delete(old);
    }
  }

  /** Takes what `top` says at once; a full look, asked for, is not replaced by it. */
  putTop(row: number, id: unknown, text: unknown): void {
    if (!this.known.has(row) && typeof id === "string" && typeof text === "string") this.put(row, { id, text, image: null, whole: false });
  }

  /** Rows of these that are still to be asked for. */
  missing(rows: Iterable<number>, limit = 200): number[] {
    const out: number[] = [];
    for (const row of rows) {
      if (out.length >= limit) break;
      if (!this.known.get(row)?.whole) out.push(row);
    }
    return out;
  }

  clear(): void {
    this.known.clear();
  }
}

/** A row's cells as a spreadsheet takes them, calls from 1, its texts kept from being taken for formulas. */
export function copied(rows: readonly { id: string; score: number; text: string; call: number }[]): string {
  const cell = (text: string) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replace(/[\t\r\n\u0000]+/g, " ");
  return ["score\tid\titem\tcall", ...rows.map(({ id, score, text, call }) => [score, cell(id), cell(text), call + 1].join("\t"))].join("\n");
}

/** Rows marked after a press: one, one more or less, or all between the last and this. */
export function marksAfter(marked: readonly number[], order: ArrayLike<number>, at: number, from: number, how: "one" | "toggle" | "range"): number[] {
  const row = order[at];
  if (row === undefined) return [...marked];
  if (how === "one") return [row];
  if (how === "toggle") return marked.includes(row) ? marked.filter((one) => one !== row) : [...marked, row];
  const out: number[] = [];
  for (let i = Math.min(at, from); i <= Math.max(at, from); i++) {
    const one = order[i];
    if (one !== undefined) out.push(one);
  }
  return out;
}

/** Where the active cell goes at a key; null: not ours. */
export function moved(key: string, at: { row: number; column: number }, size: { rows: number; columns: number; page: number }, ctrl: boolean): { row: number; column: number } | null {
  const go = (row: number, column = at.column) => ({ row: Math.max(0, Math.min(size.rows - 1, row)), column: Math.max(0, Math.min(size.columns - 1, column)) });
  switch (key) {
    case "ArrowDown": return go(at.row + 1);
    case "ArrowUp": return go(at.row - 1);
    case "ArrowLeft": return go(at.row, at.column - 1);
    case "ArrowRight": return go(at.row, at.column + 1);
    case "PageDown": return go(at.row + size.page);
    case "PageUp": return go(at.row - size.page);
    case "Home": return ctrl ? go(0, 0) : go(at.row, 0);
    case "End": return ctrl ? go(size.rows - 1, size.columns - 1) : go(at.row, size.columns - 1);
    default: return null;
  }
}

/** Found rows in the order asked for; by score they stay as they came, best first. */
export function arranged(found: readonly number[], items: Table, nodes: Table, sort: Sort, direction: "maximize" | "minimize", operators: readonly string[], places: Places = NO_PLACES): Uint32Array {
  const best = sort.key === "score" && sort.falling === (direction === "maximize");
  if (best) return Uint32Array.from(found);
  const keys = keysOf(items, nodes, sort.key, operators, places);
  const order = sorted(found.map((row) => Number(keys[row] ?? Number.NaN)), found.length, sort.falling);
  return order.map((at) => found[at] ?? 0);
}
