import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { below, pathOf } from "../../shared/plane/lineage";
import { SHADES, paletteOf, rangeOf } from "../../shared/plane/tones";
import { LOOK, STATUS, captionOf, chosenOf, chosenText, folded, looksOf, sizesOf, spoken, tonesOf, type Nodes } from "./state";

function nodesFrom(parent: number[], given: Partial<Record<keyof Nodes, number[]>> = {}): Nodes {
  const length = parent.length;
  const ints = (name: keyof Nodes, fill: number) => Int32Array.from(given[name] ?? Array(length).fill(fill));
  const bytes = (name: keyof Nodes) => Uint8Array.from(given[name] ?? Array(length).fill(0));
  const floats = (name: keyof Nodes) => Float64Array.from(given[name] ?? Array(length).fill(1));
  return {
    length, parent: Int32Array.from(parent), round: ints("round", 0), made: ints("made", 0), status: bytes("status"), operator: bytes("operator"), by: bytes("by"),
    hits: ints("hits", 10), fresh: ints("fresh", 5), calls: ints("calls", 5), mean: floats("mean"), max: floats("max"), lent: false,
  };
}

const parents = fc.array(fc.nat(), { maxLength: 60 }).map((picks) => picks.map((pick, node) => (pick % (node + 1)) - 1));

describe("below", () => {
  it("is who has one of the roots above", () => {
    fc.assert(
      fc.property(parents, fc.array(fc.nat({ max: 59 })), fc.boolean(), (parent, picks, own) => {
        const roots = new Set(picks.filter((node) => node < parent.length));
        const inside = below(Int32Array.from(parent), parent.length, roots, own);
        parent.forEach((_, node) => {
          const above = pathOf(Int32Array.from(parent), node).slice(1).some((at) => roots.has(at));
          expect(inside[node]).toBe(above || (own && roots.has(node)) ? 1 : 0);
        });
      }),
    );
  });
});

describe("folded", () => {
  it("hides what is below a collapsed node and counts it once, at the topmost", () => {
    fc.assert(
      fc.property(parents, fc.array(fc.nat({ max: 59 })), (parent, picks) => {
        const collapsed = new Set(picks.filter((node) => node < parent.length));
        const { hidden, counts } = folded(Int32Array.from(parent), parent.length, collapsed);
        const inside = below(Int32Array.from(parent), parent.length, collapsed, false);
        expect([...hidden]).toEqual([...inside]);
        const total = [...counts.values()].reduce((a, b) => a + b, 0);
        expect(total).toBe(hidden.reduce((a, b) => a + b, 0));
        for (const node of counts.keys()) expect(hidden[node]).toBe(0);
      }),
    );
  });
});

describe("looks and tones", () => {
  it("tells waiting, blank and lost nodes from filled ones, and shows what was asked at once", () => {
    const nodes = nodesFrom([-1, 0, 0, 0, 0, 0], { status: [0, 1, 2, 3, 0, 0], round: [0, 1, 1, 1, -1, 1], max: [1, 1, 1, 1, Number.NaN, Number.NaN] });
    expect([...looksOf(nodes)]).toEqual([LOOK.filled, LOOK.pruned, LOOK.removed, LOOK.undone, LOOK.waiting, LOOK.blank]);
    expect([...looksOf(nodes, new Map([[0, STATUS.pruned], [1, STATUS.active], [99, 1]]))].slice(0, 2)).toEqual([LOOK.pruned, LOOK.filled]);
  });

  it("gives the best node the last shade, whichever way is up", () => {
    const nodes = nodesFrom([-1, 0, 0, 0], { max: [7, 9, 8, Number.NaN] });
    expect(tonesOf(nodes, "max", "maximize")).toEqual({ tone: Uint8Array.of(0, SHADES - 1, SHADES / 2, SHADES), ends: [7, 9] });
    const low = tonesOf(nodes, "max", "minimize");
    expect([low.tone[0], low.tone[1], low.ends]).toEqual([SHADES - 1, 0, [9, 7]]);
  });

  it("colours rounds from the first, and operators by name", () => {
    const nodes = nodesFrom([-1, 0, 0], { round: [0, 4, -1], operator: [0, 3, 1] });
    expect(tonesOf(nodes, "round", "minimize")).toEqual({ tone: Uint8Array.of(0, SHADES - 1, SHADES), ends: [0, 4] });
    expect([...tonesOf(nodes, "operator", "maximize").tone]).toEqual([0, 3, 1]);
    expect(paletteOf("max", true, [1, 2, 3])).toHaveLength(SHADES + 1);
  });

  it("makes nodes with more new items larger", () => {
    const sizes = sizesOf(nodesFrom([-1, 0, 0], { fresh: [0, 4, 16] }));
    expect([...sizes]).toEqual([0, 0.5, 1]);
  });

  it("knows the range of what is finite", () => {
    expect(rangeOf([Number.NaN, 3, -1, Number.POSITIVE_INFINITY], 4)).toEqual([-1, 3]);
    expect(rangeOf([Number.NaN], 1)).toBeNull();
  });
});

describe("the selection", () => {
  it("counts descendants once, also where selected nodes lie below each other", () => {
    const nodes = nodesFrom([-1, 0, 1, 1, -1, 4], { calls: [1, 2, 4, 8, 16, 32], status: [0, 1, 0, 0, 0, 0] });
    const one = chosenOf(nodes, [1]);
    expect([one.descendants, one.calls, one.pruned]).toEqual([2, 14, 1]);
    expect(chosenText(one)).toEqual({ main: "1 query selected", more: "2 descendants · 14 calls spent", short: { main: "1 query", more: "2 below · 14 calls" } });
    const two = chosenOf(nodes, [0, 1, 77]);
    expect([two.nodes, two.descendants, two.calls]).toEqual([[0, 1], 2, 15]);
  });

  it("is said in words", () => {
    const nodes = nodesFrom([-1, 0], { status: [0, 1], round: [0, 3], max: [1, 2.5], by: [0, 1] });
    expect(spoken(nodes, 1, null)).toBe("Query 1, round 3, max 2.50, 5 new items, pruned, made by a person");
    expect(captionOf(nodes, null)).toEqual({ main: "2", more: "queries" });
    expect(captionOf(nodesFrom([-1, 0, 0], { status: [0, 3, 3] }), null).more).toBe("queries · 2 undone");
  });
});
