import { describe, expect, it } from "vitest";
import { actionOf, walk } from "./keys";
import { TreeLayout } from "./layout";
import { nearOf } from "./outline";
import type { Nodes } from "./state";

const press = (key: string, more: Partial<KeyboardEvent> = {}) => actionOf({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });

describe("actionOf", () => {
  it("knows the keys of the tree, in either case", () => {
    expect(["b", "P", "r", "u", "C", " ", "f", "+", "-"].map((key) => press(key))).toEqual(["branch", "prune", "restore", "undo", "collapse", "turn", "fit", "closer", "farther"]);
    expect([press("Enter"), press("Enter", { shiftKey: true }), press("F10", { shiftKey: true }), press("ContextMenu"), press("Escape")]).toEqual(["select", "add", "menu", "menu", "clear"]);
  });

  it("leaves the page's keys to the page", () => {
    for (const key of ["b", "p", "u", "c", "f", "ArrowUp", " "]) {
      expect(press(key, { ctrlKey: true })).toBeNull();
      expect(press(key, { metaKey: true })).toBeNull();
      expect(press(key, { altKey: true })).toBeNull();
    }
    expect([press("F10"), press("Tab"), press("z"), press("constructor"), press("toString")]).toEqual([null, null, null, null, null]);
  });
});

const parent = Int32Array.of(-1, -1, 0, 0, 2, 3);
const tree = { length: 6, parent, round: Int32Array.of(0, 0, 1, 1, 2, 2), made: Int32Array.of(0, 0, 1, 1, 2, 2) };
const layout = new TreeLayout();
layout.grow(tree);
const none = new Uint8Array(6);

describe("walk", () => {
  const go = (node: number, step: Parameters<typeof walk>[4], hidden = none) => walk(layout, parent, hidden, node, step);

  it("goes to parents, children and neighbours, and stays where there are none", () => {
    expect([go(4, "left"), go(0, "left"), go(2, "right"), go(4, "right")]).toEqual([2, 0, 4, 4]);
    expect([go(2, "down"), go(3, "up"), go(2, "up"), go(3, "down")]).toEqual([3, 2, 2, 3]);
    expect([go(4, "home"), go(0, "end")]).toEqual([0, 5]);
  });

  it("steps over what is hidden", () => {
    const hidden = Uint8Array.of(1, 0, 0, 0, 1, 1);
    expect([go(2, "right", hidden), go(4, "home", hidden), go(0, "end", hidden)]).toEqual([2, 1, 3]);
  });
});

describe("nearOf", () => {
  const near = (node: number) => nearOf(tree as unknown as Nodes, none, node);

  it("reads a node with those above, beside and right below it, in order", () => {
    expect(near(2).map((one) => [one.node, one.level, one.place, one.of, one.children])).toEqual([
      [0, 1, 1, 2, 2],
      [2, 2, 1, 2, 1],
      [4, 3, 1, 1, 0],
      [3, 2, 2, 2, 1],
    ]);
    expect(near(-1)).toEqual([]);
    expect(near(6)).toEqual([]);
  });

  it("stays small in a large tree", () => {
    const n = 50_000;
    const wide = { length: n, parent: new Int32Array(n).fill(0) } as unknown as { length: number; parent: Int32Array };
    wide.parent[0] = -1;
    expect(nearOf(wide as unknown as Nodes, new Uint8Array(n), 25_000).length).toBeLessThan(40);
    const deep = { length: n, parent: Int32Array.from({ length: n }, (_, i) => i - 1) };
    expect(nearOf(deep as unknown as Nodes, new Uint8Array(n), n - 2).length).toBeLessThan(40);
  });
});
