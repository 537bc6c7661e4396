import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearestFree, occupy, runsOf, spread } from "./slots";

const rising = fc.array(fc.double({ min: -40, max: 40, noNaN: true }), { minLength: 1, maxLength: 40 }).map((values) => values.sort((a, b) => a - b));

describe("spread", () => {
  it("keeps heights apart, in order, and their mean", () => {
    fc.assert(
      fc.property(rising, (wanted) => {
        const heights = [...spread(wanted)];
        for (let i = 1; i < heights.length; i++) expect((heights[i] ?? 0) - (heights[i - 1] ?? 0)).toBeGreaterThan(1 - 1e-6);
        const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
        expect(sum(heights)).toBeCloseTo(sum(wanted), 6);
      }),
    );
  });

  it("is the least-squares answer: no pair of neighbours that touch could both be nearer", () => {
    fc.assert(
      fc.property(rising, (wanted) => {
        const heights = [...spread(wanted)];
        const cost = (values: number[]) => values.reduce((total, value, i) => total + (value - (wanted[i] ?? 0)) ** 2, 0);
        const best = cost(heights);
        for (let from = 0; from < heights.length; from++) {
          for (const shift of [-1e-3, 1e-3]) {
            const up = heights.map((height, i) => (i >= from ? height + shift : height));
            const valid = up.every((height, i) => i === 0 || height - (up[i - 1] ?? 0) >= 1 - 1e-9);
            if (valid) expect(cost(up)).toBeGreaterThanOrEqual(best - 1e-9);
          }
        }
      }),
    );
  });
});

describe("nearestFree", () => {
  it("finds the free height nearest to the wanted one, as a search of all candidates does", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -12, max: 12, noNaN: true }), { minLength: 1, maxLength: 40 }), (wishes) => {
        const runs = runsOf([]);
        const taken: number[] = [];
        for (const wish of wishes) {
          const height = nearestFree(runs, wish);
          expect(Math.abs(height - wish)).toBeCloseTo(Math.abs(slow(taken, wish) - wish), 6);
          occupy(runs, height);
          taken.push(height);
          expect(runs).toEqual(runsOf([...taken].sort((a, b) => a - b)));
        }
        const sorted = [...taken].sort((a, b) => a - b);
        for (let i = 1; i < sorted.length; i++) expect((sorted[i] ?? 0) - (sorted[i - 1] ?? 0)).toBeGreaterThan(1 - 1e-6);
      }),
    );
  });
});

function slow(taken: number[], wish: number): number {
  const free = (height: number) => taken.every((other) => Math.abs(other - height) >= 1 - 1e-7);
  const candidates = [wish, ...taken.flatMap((other) => [other - 1, other + 1])].filter(free);
  return candidates.reduce((best, height) => (Math.abs(height - wish) < Math.abs(best - wish) ? height : best));
}

