import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SHADES } from "../../shared/plane/tones";
import type { Facts } from "../../shared/types";
import { actionOf } from "./keys";
import { radiusOf } from "./paint";
import { boundsOf, byTone, captionOf, chosenOf, markedText, onlyAppended, sampled, tonesOf, trailOf, type Points } from "./state";

function pointsFrom(scores: number[], node: number[] = scores.map(() => 0)): Points {
  const n = scores.length;
  return { length: n, x: Float32Array.from({ length: n }, (_, i) => i), y: Float32Array.from({ length: n }, (_, i) => -i), score: Float64Array.from(scores), node: Int32Array.from(node), call: Int32Array.from({ length: n }, (_, i) => i + 1) };
}

const facts = (direction: Facts["direction"]) => ({ direction, score_range: [0, 10] }) as unknown as Facts;

describe("tones", () => {
  it("puts the best last, whichever way is up, and failed ones apart", () => {
    const points = pointsFrom([0, 10, 5, Number.NaN]);
    expect([...tonesOf(points, facts("maximize"), new Uint8Array(4))]).toEqual([0, SHADES - 1, SHADES / 2, SHADES]);
    expect([...tonesOf(points, facts("minimize"), new Uint8Array(4))]).toEqual([SHADES - 1, 0, SHADES / 2, SHADES]);
  });

  it("keeps what it has and grows when rows are added", () => {
    const early = tonesOf(pointsFrom([10]), facts("maximize"), new Uint8Array(0));
    const late = tonesOf(pointsFrom([0, 10]), facts("maximize"), early, 1);
    expect([late[0], late[1]]).toEqual([SHADES - 1, SHADES - 1]);
  });

  it("orders rows by tone, none twice, failed ones lowest", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: SHADES })), fc.nat({ max: 5 }), (tones, from) => {
        const order = [...byTone(Uint8Array.from(tones), from, tones.length)];
        const slow = [...tones.keys()].slice(from).sort((a, b) => key(tones[a]) - key(tones[b]) || a - b);
        expect(order).toEqual(slow);
      }),
    );
  });
});

function key(tone: number | undefined): number {
  return tone === SHADES ? -1 : (tone ?? 0);
}

describe("bounds", () => {
  it("are the same found at once or piece by piece, and skip what has no place", () => {
    const place = fc.oneof(fc.float({ noNaN: true, min: -5, max: 5 }), fc.constant(Number.NaN));
    fc.assert(
      fc.property(fc.array(fc.tuple(place, place)), fc.nat(), (rows, pick) => {
        const cut = rows.length ? pick % rows.length : 0;
        const [x, y] = [Float32Array.from(rows, (row) => row[0]), Float32Array.from(rows, (row) => row[1])];
        const whole = boundsOf({ x, y, length: rows.length });
        expect(boundsOf({ x, y, length: rows.length }, boundsOf({ x, y, length: cut }), cut)).toEqual(whole);
        const fine = rows.filter(([a, b]) => Number.isFinite(a + b));
        expect(whole === null).toBe(fine.length === 0);
        if (whole) expect([whole.left, whole.bottom]).toEqual([Math.min(...fine.map(([a]) => Math.fround(a))), Math.max(...fine.map(([, b]) => Math.fround(b)))]);
      }),
    );
  });
});

describe("what stands out", () => {
  it("is what the selected queries found, and above all what is marked", () => {
    const chosen = chosenOf(pointsFrom([1, 2, 3, 4], [0, 1, 1, 2]), [1], [2, 3, 99]);
    expect([[...chosen.rim], chosen.found, chosen.any]).toEqual([[0, 1, 2, 2], 2, true]);
    expect(chosenOf(pointsFrom([1]), [], []).any).toBe(false);
    expect(captionOf(pointsFrom([1, 2, 3, 4]), chosen)).toEqual({ main: "4", more: "items · 2 of the selection" });
  });

  it("draws the selection's way from its root, what came of it, and the rest", () => {
    const parent = Int32Array.of(-1, 0, 1, 2, 0, -1);
    expect(trailOf(parent, 6, [2])).toEqual({ path: [1, 2], below: [3], faint: [4] });
    const many = Int32Array.from({ length: 1000 }, (_, i) => i - 1);
    expect(trailOf(many, 1000, [999]).faint).toEqual([]);
    expect(trailOf(many, 1000, [0]).below).toEqual([]);
  });
});

describe("small things", () => {
  it("knows when rows were only added", () => {
    expect(onlyAppended({ stamp: 5, length: 5 }, { stamp: 8, length: 8 })).toBe(true);
    expect(onlyAppended({ stamp: 5, length: 5 }, { stamp: 9, length: 8 })).toBe(false);
    expect(onlyAppended({ stamp: 5, length: 5 }, { stamp: 2, length: 2 })).toBe(false);
  });

  it("takes an even sample, all where they are few", () => {
    expect(sampled([1, 2, 3], 5)).toEqual([1, 2, 3]);
    expect(sampled([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4]);
    expect([markedText([3]), markedText([1, 2])]).toEqual(["1 item", "2 items"]);
  });

  it("draws fewer items larger, and nearer ones larger", () => {
    expect(radiusOf(100, 1)).toBeGreaterThan(radiusOf(100_000, 1));
    expect(radiusOf(100_000, 20)).toBeGreaterThan(radiusOf(100_000, 1));
    expect(radiusOf(10, 1e9)).toBeLessThanOrEqual(5.5);
  });

  it("knows its keys, and leaves the page's alone", () => {
    const press = (key: string, more: object = {}) => actionOf({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });
    expect([press("l"), press("B"), press("Enter"), press("Enter", { shiftKey: true }), press("ArrowUp"), press("ArrowUp", { shiftKey: true })]).toEqual(["lasso", "branch", "mark", "add", { step: "up" }, { pan: "up" }]);
    expect([press("b", { ctrlKey: true }), press("q"), press("constructor"), press("Tab")]).toEqual([null, null, null, null]);
  });
});
