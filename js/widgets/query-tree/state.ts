/** What the tree shows of its nodes, and what a selection means. Pure: knows columns, not the screen. */
import { placeOf } from "../../shared/colors";
import { compact, count, decimals, plural, score } from "../../shared/format";
import { worthOf } from "../../shared/found";
import { below } from "../../shared/plane/lineage";
import { SHADES, rangeOf } from "../../shared/plane/tones";
import type { ColorBy, Facts, Feed } from "../../shared/types";

export interface Nodes {
  readonly length: number;
  readonly parent: Int32Array;
  readonly round: Int32Array;
  readonly made: Int32Array;
  readonly status: Uint8Array;
  readonly operator: Uint8Array;
  readonly by: Uint8Array;
  readonly hits: Int32Array;
  readonly fresh: Int32Array;
  readonly calls: Int32Array;
  readonly mean: Float64Array;
  readonly max: Float64Array;
  /** Whether mean and best of some nodes are those of their items, which change as items come. */
  readonly lent: boolean;
}

export const STATUS = { active: 0, pruned: 1, removed: 2, undone: 3 } as const;

/** How a node is drawn: filled, or as what is left of one. */
export const LOOK = { filled: 0, pruned: 1, removed: 2, undone: 3, waiting: 4, blank: 5 } as const;

/** Mean and best of nodes that the kernel gives none are those of their items. */
export function nodesOf(feed: Pick<Feed, "table" | "facts">): Nodes {
  const table = feed.table("nodes");
  const { mean, max, lent } = worthOf(table, feed.table("items"), feed.facts?.direction ?? "maximize");
  return {
    length: table.length,
    parent: table.i4("parent"),
    round: table.i4("round"),
    made: table.i4("made"),
    status: table.u1("status"),
    operator: table.u1("operator"),
    by: table.u1("by"),
    hits: table.i4("n_hits"),
    fresh: table.i4("n_new"),
    calls: table.i4("calls"),
    mean,
    max,
    lent,
  };
}

/** `(n,)` how each node is drawn; `asked`: statuses that a person asked for and the kernel has not confirmed. */
export function looksOf(nodes: Nodes, asked: ReadonlyMap<number, number> = new Map()): Uint8Array {
  const looks = new Uint8Array(nodes.length);
  for (let node = 0; node < nodes.length; node++) looks[node] = lookOf(nodes, node, nodes.status[node] ?? 0);
  for (const [node, status] of asked) if (node < nodes.length) looks[node] = lookOf(nodes, node, status);
  return looks;
}

function lookOf(nodes: Nodes, node: number, status: number): number {
  if (status !== STATUS.active) return status;
  if ((nodes.round[node] ?? -1) < 0) return LOOK.waiting;
  return Number.isFinite(nodes.max[node] ?? Number.NaN) ? LOOK.filled : LOOK.blank;
}

export interface Tones {
  /** `(n,)` index of each node's colour. */
  readonly tone: Uint8Array;
  /** The ends that the scale stands for, worst first; null: nothing has a value, or the colours are names. */
  readonly ends: readonly [number, number] | null;
}

export function tonesOf(nodes: Nodes, by: ColorBy, direction: Facts["direction"]): Tones {
  if (by === "operator") return { tone: nodes.operator.slice(0, nodes.length), ends: null };
  const values = by === "round" ? nodes.round : nodes[by];
  const found = rangeOf(values, nodes.length);
  const range: [number, number] | null = found && by === "round" ? [0, Math.max(0, found[1])] : found;
  const way = by === "round" ? "maximize" : direction;
  const tone = new Uint8Array(nodes.length);
  for (let node = 0; node < nodes.length; node++) {
    const value = values[node] as number;
    tone[node] = Number.isFinite(value) && (by !== "round" || value >= 0) ? Math.min(SHADES - 1, Math.floor(placeOf(value, range, way) * SHADES)) : SHADES;
  }
  if (!range) return { tone, ends: null };
  return { tone, ends: way === "minimize" ? [range[1], range[0]] : range };
}

/** `(n,)` from 0 to 1: the area that a node's new items ask for, against the most that any has. */
export function sizesOf(nodes: Nodes): Float32Array {
  const most = Math.max(1, rangeOf(nodes.fresh, nodes.length)?.[1] ?? 1);
  const sizes = new Float32Array(nodes.length);
  for (let node = 0; node < nodes.length; node++) sizes[node] = Math.sqrt(Math.max(0, nodes.fresh[node] ?? 0) / most);
  return sizes;
}

export interface Chosen {
  readonly nodes: readonly number[];
  /** `(n,)` 1 for the selection's nodes and all below them. */
  readonly inside: Uint8Array;
  readonly descendants: number;
  readonly calls: number;
  readonly pruned: number;
}

export function chosenOf(nodes: Nodes, selection: readonly number[]): Chosen {
  const mine = selection.filter((node) => node >= 0 && node < nodes.length);
  const inside = below(nodes.parent, nodes.length, mine, true);
  let [descendants, calls, pruned] = [-mine.length, 0, 0];
  for (let node = 0; node < nodes.length; node++) {
    if (!inside[node]) continue;
    descendants++;
    calls += nodes.calls[node] ?? 0;
  }
  for (const node of mine) if (nodes.status[node] === STATUS.pruned) pruned++;
  return { nodes: mine, inside, descendants, calls, pruned };
}

/** What the selection bar says, and what where there is little room. */
export function chosenText({ nodes, descendants, calls }: Chosen): { main: string; more: string; short: { main: string; more: string } } {
  const main = plural(nodes.length, "query", "queries");
  return {
    main: `${main} selected`, more: `${plural(descendants, "descendant")} · ${plural(calls, "call")} spent`,
    short: { main, more: `${compact(descendants)} below · ${compact(calls)} ${calls === 1 ? "call" : "calls"}` },
  };
}

/** Collapsed nodes with how many each hides, and who is hidden. */
export function folded(parent: Int32Array, length: number, collapsed: ReadonlySet<number>): { hidden: Uint8Array; counts: Map<number, number> } {
  const hidden = new Uint8Array(length);
  const counts = new Map<number, number>();
  if (!collapsed.size) return { hidden, counts };
  const under = new Int32Array(length).fill(-1);
  for (let node = 0; node < length; node++) {
    const from = parent[node] ?? -1;
    if (from < 0) continue;
    const top = (under[from] ?? -1) >= 0 ? (under[from] as number) : collapsed.has(from) ? from : -1;
    if (top < 0) continue;
    under[node] = top;
    hidden[node] = 1;
    counts.set(top, (counts.get(top) ?? 0) + 1);
  }
  return { hidden, counts };
}

export const STATUS_WORDS = ["active", "pruned", "removed", "undone"] as const;

/** One node in a line, for the screen reader. */
export function spoken(nodes: Nodes, node: number, facts: Facts | null): string {
  const places = decimals(facts?.score_range ?? null);
  const round = nodes.round[node] ?? -1;
  const parts = [`Query ${node}`, round < 0 ? "not looked at yet" : `round ${round}`];
  if (Number.isFinite(nodes.max[node] ?? Number.NaN)) parts.push(`${facts?.direction === "minimize" ? "lowest" : "max"} ${score(nodes.max[node], places)}`);
  if (round >= 0) parts.push(plural(nodes.fresh[node] ?? 0, "new item"));
  if (nodes.status[node] !== STATUS.active) parts.push(STATUS_WORDS[nodes.status[node] ?? 0] ?? "");
  if (nodes.by[node]) parts.push("made by a person");
  return parts.join(", ");
}

/** The caption: how many queries there are, and how they stand. */
export function captionOf(nodes: Nodes, facts: Facts | null): { main: string; more: string } {
  const parts = [nodes.length === 1 ? "query" : "queries"];
  if (facts) parts.push(`${count(facts.n_active)} active`, `${count(facts.n_pruned)} pruned`);
  let undone = 0;
  for (let node = 0; node < nodes.length; node++) if (nodes.status[node] === STATUS.undone) undone++;
  if (undone) parts.push(`${count(undone)} undone`);
  return { main: count(nodes.length), more: parts.join(" · ") };
}
