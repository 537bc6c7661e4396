/** What the map shows of its items and queries. Pure: knows columns, not the screen. */
import { placeOf } from "../../shared/colors";
import { count, plural } from "../../shared/format";
import { below, pathOf } from "../../shared/plane/lineage";
import type { Box } from "../../shared/plane/camera";
import { SHADES } from "../../shared/plane/tones";
import type { Facts, Table } from "../../shared/types";

export interface Points {
  readonly length: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly score: Float64Array;
  readonly node: Int32Array;
  readonly call: Int32Array;
}

export function pointsOf(items: Table): Points {
  return { length: items.length, x: items.f4("x"), y: items.f4("y"), score: items.f8("score"), node: items.i4("node"), call: items.i4("call") };
}

/** Whether a table only got longer since its `stamp` and `length`: each new row has one stamp, and no other row any. */
export function onlyAppended(before: { stamp: number; length: number }, now: { stamp: number; length: number }): boolean {
  return now.length >= before.length && now.stamp - before.stamp === now.length - before.length;
}

/** `(n,)` index of each item's colour, the one after the last for what has no score; from `from` on, into `into`. */
export function tonesOf(points: Points, facts: Facts | null, into: Uint8Array, from = 0): Uint8Array {
  const tone = into.length >= points.length ? into : grownBytes(into, points.length);
  const range = facts?.score_range ?? null;
  const direction = facts?.direction ?? "maximize";
  for (let row = from; row < points.length; row++) {
    const score = points.score[row] as number;
    tone[row] = Number.isFinite(score) ? Math.min(SHADES - 1, Math.floor(placeOf(score, range, direction) * SHADES)) : SHADES;
  }
  return tone;
}

function grownBytes(bytes: Uint8Array, length: number): Uint8Array {
  const grown = new Uint8Array(Math.max(length, bytes.length * 2, 1024));
  grown.set(bytes);
  return grown;
}

/** Rows by tone, what has no score first, the best last: so that the best lie on top. Linear time. */
export function byTone(tone: Uint8Array, from: number, length: number): Int32Array {
  const place = (row: number) => ((tone[row] as number) === SHADES ? 0 : (tone[row] as number) + 1);
  const starts = new Int32Array(SHADES + 3);
  for (let row = from; row < length; row++) starts[place(row) + 1]!++;
  for (let at = 0; at < SHADES + 2; at++) starts[at + 1] = (starts[at + 1] as number) + (starts[at] as number);
  const order = new Int32Array(Math.max(0, length - from));
  for (let row = from; row < length; row++) order[starts[place(row)]!++] = row;
  return order;
}

/** Where the places of rows `from…length` lie, with what `known` holds; null: nowhere. */
export function boundsOf(points: Pick<Points, "x" | "y" | "length">, known: Box | null = null, from = 0): Box | null {
  let { left, right, top, bottom } = known ?? { left: Number.POSITIVE_INFINITY, right: Number.NEGATIVE_INFINITY, top: Number.POSITIVE_INFINITY, bottom: Number.NEGATIVE_INFINITY };
  for (let row = from; row < points.length; row++) {
    const [x, y] = [points.x[row] as number, points.y[row] as number];
    if (!Number.isFinite(x + y)) continue;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  return left <= right ? { left, right, top, bottom } : null;
}

export interface Chosen {
  /** `(n,)` 1 for items that the selected queries found, 2 for marked ones. */
  readonly rim: Uint8Array;
  readonly found: number;
  readonly any: boolean;
}

/** Which items are to stand out. */
export function chosenOf(points: Points, selection: readonly number[], marked: readonly number[]): Chosen {
  const rim = new Uint8Array(points.length);
  const wanted = new Set(selection);
  let found = 0;
  if (wanted.size)
    for (let row = 0; row < points.length; row++)
      if (wanted.has(points.node[row] as number)) {
        rim[row] = 1;
        found++;
      }
  for (const row of marked) if (row >= 0 && row < points.length) rim[row] = 2;
  return { rim, found, any: found > 0 || marked.length > 0 };
}

/** Nodes whose way from their parent is drawn. */
export interface Trail {
  /** From the selection to its roots. */
  readonly path: readonly number[];
  /** What came of the selection. */
  readonly below: readonly number[];
  /** All others. */
  readonly faint: readonly number[];
}

/** Ways of a kind are drawn only where they are not more: beyond, they hide the items. */
export const MOST_WAYS = 400;

export function trailOf(parent: Int32Array, length: number, selection: readonly number[]): Trail {
  const mine = selection.filter((node) => node >= 0 && node < length);
  const inside = below(parent, length, mine, true);
  const path = new Set(mine.slice(0, MOST_WAYS).flatMap((node) => pathOf(parent, node)));
  const kinds = { path: [] as number[], below: [] as number[], faint: [] as number[] };
  for (let node = 0; node < length; node++) {
    if ((parent[node] ?? -1) < 0) continue;
    kinds[path.has(node) ? "path" : inside[node] ? "below" : "faint"].push(node);
  }
  const few = (ways: number[]) => (ways.length <= MOST_WAYS ? ways : []);
  return { path: kinds.path, below: few(kinds.below), faint: few(kinds.faint) };
}

export function captionOf(points: Points, chosen: Chosen): { main: string; more: string } {
  const parts = [points.length === 1 ? "item" : "items"];
  if (chosen.found) parts.push(`${count(chosen.found)} of the selection`);
  return { main: count(points.length), more: parts.join(" · ") };
}

export function markedText(rows: readonly number[]): string {
  return plural(rows.length, "item");
}

/** At most `most` of some rows, evenly taken. */
export function sampled(rows: readonly number[], most: number): number[] {
  if (rows.length <= most) return [...rows];
  return Array.from({ length: most }, (_, i) => rows[Math.floor((i * rows.length) / most)] as number);
}
