import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TreeLayout, type Tree } from "./layout";

/** A tree as searches make it: rounds rise, parents were looked at in an earlier round, some nodes wait. */
const trees = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 9 }), picks: fc.array(fc.nat(), { minLength: 9, maxLength: 9 }), skip: fc.boolean() }), { minLength: 1, maxLength: 14 })
  .map((rounds): Tree => {
    const [parent, round, made]: number[][] = [[], [], []];
    rounds.forEach(({ size, picks, skip }, r) => {
      const before = parent?.length ?? 0;
      for (let i = 0; i < size; i++) {
        const looked = (at: number) => (round?.[at] ?? -1) >= 0;
        const pick = (picks[i] ?? 0) % (before + 2);
        parent?.push(pick < before && looked(pick) ? pick : -1);
        round?.push(skip && i === size - 1 ? -1 : r);
        made?.push(r);
      }
    });
    return { length: parent?.length ?? 0, parent: Int32Array.from(parent ?? []), round: Int32Array.from(round ?? []), made: Int32Array.from(made ?? []) };
  });

function upTo(tree: Tree, length: number): Tree {
  return { ...tree, length };
}

function places(layout: TreeLayout): [number, number][] {
  return Array.from({ length: layout.length }, (_, node) => [layout.x[node] ?? 0, layout.y[node] ?? 0]);
}

function expectApart(layout: TreeLayout): void {
  let least = Number.POSITIVE_INFINITY;
  for (let column = 0; column < layout.columns; column++) {
    const heights = layout.column(column).map((node) => layout.y[node] ?? 0);
    heights.forEach((height, i) => i > 0 && (least = Math.min(least, height - (heights[i - 1] ?? 0))));
  }
  expect(least).toBeGreaterThan(1 - 1e-6);
}

const cuts = fc.array(fc.nat({ max: 130 }), { maxLength: 8 });

function grown(tree: Tree, steps: readonly number[], each: (layout: TreeLayout, before: [number, number][]) => void = () => {}): TreeLayout {
  const layout = new TreeLayout();
  for (const length of [...steps.filter((cut) => cut < tree.length).sort((a, b) => a - b), tree.length]) {
    const before = places(layout);
    layout.grow(upTo(tree, Math.max(length, layout.length)));
    each(layout, before);
  }
  return layout;
}

describe("TreeLayout", () => {
  it("never moves what has a place, and puts no two nodes in one", () => {
    fc.assert(
      fc.property(trees, cuts, (tree, steps) => {
        const layout = grown(tree, steps, (now, before) => expect(places(now).slice(0, before.length)).toEqual(before));
        expectApart(layout);
        expect(layout.length).toBe(tree.length);
      }),
    );
  });

  it("puts parents left of their children, and a node in the column of its round", () => {
    fc.assert(
      fc.property(trees, cuts, (tree, steps) => {
        const layout = grown(tree, steps);
        for (let node = 0; node < tree.length; node++) {
          const parent = tree.parent[node] ?? -1;
          if (parent >= 0) expect(layout.x[parent]).toBeLessThan(layout.x[node] ?? 0);
          if ((tree.round[node] ?? -1) >= 0) expect(layout.x[node]).toBe(tree.round[node]);
        }
      }),
    );
  });

  it("finds the same places for the same history", () => {
    fc.assert(fc.property(trees, cuts, (tree, steps) => void expect(places(grown(tree, steps))).toEqual(places(grown(tree, steps)))));
  });

  it("keeps every node in the list of its column, by height", () => {
    fc.assert(
      fc.property(trees, cuts, (tree, steps) => {
        const layout = grown(tree, steps);
        const listed = Array.from({ length: layout.columns }, (_, column) => [...layout.column(column)]);
        expect(listed.flat().sort((a, b) => a - b)).toEqual([...Array(tree.length).keys()]);
        listed.forEach((ids, column) => ids.forEach((node) => expect(layout.x[node]).toBe(column)));
      }),
    );
  });

  it("moves a node that waited to its round's column, and nothing else", () => {
    const tree: Tree = { length: 4, parent: Int32Array.of(-1, 0, 0, 0), round: Int32Array.of(0, 1, 1, -1), made: Int32Array.of(0, 1, 1, 1) };
    const layout = new TreeLayout();
    layout.grow(tree);
    expect(layout.x[3]).toBe(1);
    const before = places(layout).slice(0, 3);
    expect(layout.grow({ ...tree, round: Int32Array.of(0, 1, 1, 2) })).toEqual([3]);
    expect(layout.x[3]).toBe(2);
    expect(places(layout).slice(0, 3)).toEqual(before);
    expect([layout.column(1), layout.column(2)]).toEqual([[1, 2], [3]]);
  });

  it("starts anew when the tree got shorter, and on tidy", () => {
    fc.assert(
      fc.property(trees, cuts, (tree, steps) => {
        const fresh = grown(tree, []);
        const layout = grown(tree, steps);
        layout.tidy(tree);
        expect(places(layout)).toEqual(places(fresh));
        expectApart(layout);
        const half = upTo(tree, Math.ceil(tree.length / 2));
        layout.grow(half);
        expect(places(layout)).toEqual(places(grown(half, [])));
      }),
    );
  });

  it("goes straight on where a node has one child", () => {
    const chain: Tree = { length: 5, parent: Int32Array.of(-1, 0, 1, 2, 3), round: Int32Array.of(0, 1, 2, 3, 4), made: Int32Array.of(0, 1, 2, 3, 4) };
    const layout = new TreeLayout();
    layout.grow(chain);
    expect(new Set(places(layout).map(([, y]) => y)).size).toBe(1);
  });

  it("lays out 100,000 nodes in well under a second, in columns of any size", () => {
    const n = 100_000;
    for (const width of [10, 300, n]) {
      const round = Int32Array.from({ length: n }, (_, node) => Math.floor(node / width));
      const parent = Int32Array.from({ length: n }, (_, node) => (node < width ? -1 : node - width + ((node * 7919) % 3) - 1 - (node % width === width - 1 ? 1 : 0))).map((at, node) => (at >= 0 && (round[at] ?? 0) < (round[node] ?? 0) ? at : -1));
      const layout = new TreeLayout();
      const before = performance.now();
      layout.grow({ length: n, parent, round, made: round });
      expect(performance.now() - before).toBeLessThan(1500);
      expectApart(layout);
    }
  }, 30_000);
});
