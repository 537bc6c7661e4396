/** What keys mean in the tree, and where arrows lead. Pure. */
import type { TreeLayout } from "./layout";

export type Action =
  | "up" | "down" | "left" | "right" | "home" | "end"
  | "select" | "add" | "clear" | "collapse" | "menu"
  | "branch" | "prune" | "restore" | "undo" | "turn"
  | "fit" | "tidy" | "closer" | "farther";

const KEYS = new Map<string, Action>(Object.entries({
  ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", Home: "home", End: "end",
  Enter: "select", Escape: "clear", ContextMenu: "menu", " ": "turn",
  b: "branch", p: "prune", r: "restore", u: "undo", c: "collapse", f: "fit", t: "tidy",
  "+": "closer", "=": "closer", "-": "farther", _: "farther",
} as const));

/** The action of a key, or null: the page's. */
export function actionOf(event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">): Action | null {
  if (event.altKey) return null;
  if (event.key === "F10" && event.shiftKey) return "menu";
  if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) return "add";
  if (event.ctrlKey || event.metaKey) return null;
  return KEYS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key) ?? null;
}

export type Step = "up" | "down" | "left" | "right" | "home" | "end";

/** The visible node that a step from `node` leads to; `node` itself where there is none. */
export function walk(layout: TreeLayout, parent: Int32Array, hidden: Uint8Array, node: number, step: Step): number {
  if (step === "home") return firstIn(layout, hidden);
  if (step === "end") return lastIn(layout, hidden);
  if (step === "left") return (parent[node] ?? -1) >= 0 ? (parent[node] as number) : node;
  if (step === "right") return nearestChild(layout, parent, hidden, node);
  const ids = layout.column(layout.x[node] ?? 0);
  const way = step === "up" ? -1 : 1;
  let at = ids.indexOf(node) + way;
  while (at >= 0 && at < ids.length && hidden[ids[at] as number]) at += way;
  return ids[at] ?? node;
}

function nearestChild(layout: TreeLayout, parent: Int32Array, hidden: Uint8Array, node: number): number {
  let best = node;
  let nearest = Number.POSITIVE_INFINITY;
  for (let child = node + 1; child < layout.length; child++) {
    if (parent[child] !== node || hidden[child]) continue;
    const across = Math.abs((layout.y[child] ?? 0) - (layout.y[node] ?? 0));
    const distance = ((layout.x[child] ?? 0) - (layout.x[node] ?? 0)) * 1e6 + across;
    if (distance < nearest) [best, nearest] = [child, distance];
  }
  return best;
}

function firstIn(layout: TreeLayout, hidden: Uint8Array): number {
  for (let column = 0; column < layout.columns; column++) for (const node of layout.column(column)) if (!hidden[node]) return node;
  return -1;
}

function lastIn(layout: TreeLayout, hidden: Uint8Array): number {
  for (let column = layout.columns - 1; column >= 0; column--) {
    const ids = layout.column(column);
    for (let i = ids.length - 1; i >= 0; i--) if (!hidden[ids[i] as number]) return ids[i] as number;
  }
  return -1;
}
