/**
 * The tree that a screen reader reads: the node in focus, what is above it, beside it and right below it, as hidden elements.
 * Never more than a few dozen, however large the tree.
 */
import { h, uniqueId } from "../../shared/dom";
import type { Facts } from "../../shared/types";
import { pathOf } from "../../shared/plane/lineage";
import { spoken, type Nodes } from "./state";

const ABOVE = 12;
const BESIDE = 8;
const BELOW = 12;

export interface Near {
  readonly node: number;
  /** Depth from 1, place among its siblings from 1, and how many they are. */
  readonly level: number;
  readonly place: number;
  readonly of: number;
  readonly children: number;
}

/** The nodes about one, in the order of a tree read aloud. */
export function nearOf(nodes: Nodes, hidden: Uint8Array, node: number): Near[] {
  if (node < 0 || node >= nodes.length) return [];
  const whole = pathOf(nodes.parent, node);
  const path = whole.slice(0, ABOVE + 1).reverse();
  const top = nodes.parent[path[0] as number] as number;
  const parents = new Set([top, ...path]);
  const families = new Map<number, number[]>();
  const wanted = new Set(path);
  for (let child = 0; child < nodes.length; child++) {
    const parent = nodes.parent[child] as number;
    if (!parents.has(parent)) continue;
    const family = families.get(parent);
    if (family) family.push(child);
    else families.set(parent, [child]);
  }
  const siblings = families.get(nodes.parent[node] ?? -1) ?? [];
  const at = siblings.indexOf(node);
  for (const sibling of siblings.slice(Math.max(0, at - BESIDE), at + BESIDE + 1)) wanted.add(sibling);
  const children = (families.get(node) ?? []).filter((child) => !hidden[child]);
  for (const child of children.slice(0, BELOW)) wanted.add(child);
  const count = childCounts(nodes, wanted);
  const near: Near[] = [];
  const read = (parent: number, level: number) => {
    const family = families.get(parent) ?? [];
    family.forEach((child, i) => {
      if (wanted.has(child)) near.push({ node: child, level, place: i + 1, of: family.length, children: count.get(child) ?? 0 });
      if (parents.has(child)) read(child, level + 1);
    });
  };
  read(top, whole.length - path.length + 1);
  return near;
}

function childCounts(nodes: Nodes, wanted: ReadonlySet<number>): Map<number, number> {
  const count = new Map<number, number>();
  for (let child = 0; child < nodes.length; child++) {
    const parent = nodes.parent[child] as number;
    if (wanted.has(parent)) count.set(parent, (count.get(parent) ?? 0) + 1);
  }
  return count;
}

export class Outline {
  /** Takes the focus; covers the drawing. */
  readonly element = h("div", { class: "eow-stage", role: "tree", tabindex: "0", "aria-label": "Query tree", "aria-multiselectable": "true", "aria-busy": "true" });
  private readonly list = h("div", { class: "eow-unseen", role: "none" });
  /** What it says, so that nothing is said twice. */
  private text = "-";
  private readonly prefix = uniqueId("eow-node");

  constructor() {
    this.element.append(this.list);
  }

  /** Shows what is about a node; the node itself is the active one. */
  show(nodes: Nodes, facts: Facts | null, focus: number, view: { hidden: Uint8Array; collapsed: ReadonlySet<number>; selected: ReadonlySet<number> }): void {
    const near = nearOf(nodes, view.hidden, focus);
    const items = near.map((one) => this.item(nodes, facts, one, view));
    const text = `${focus} ${items.map((item) => item.outerHTML).join("")}`;
    if (text === this.text) return;
    this.text = text;
    this.element.setAttribute("aria-busy", String(!near.length));
    this.list.replaceChildren(...items);
    if (near.length) this.element.setAttribute("aria-activedescendant", `${this.prefix}-${focus}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  private item(nodes: Nodes, facts: Facts | null, near: Near, view: { collapsed: ReadonlySet<number>; selected: ReadonlySet<number> }): HTMLElement {
    const item = h("div", {
      id: `${this.prefix}-${near.node}`,
      role: "treeitem",
      "aria-level": String(near.level),
      "aria-posinset": String(near.place),
      "aria-setsize": String(near.of),
      "aria-selected": String(view.selected.has(near.node)),
      "data-node": String(near.node),
    });
    item.textContent = spoken(nodes, near.node, facts);
    if (near.children) item.setAttribute("aria-expanded", String(!view.collapsed.has(near.node)));
    return item;
  }
}
