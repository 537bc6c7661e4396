import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { itemAt, itemBeside, itemsWithin, simplified } from "./find";

const at = fc.integer({ min: -60, max: 60 });
const places = fc.array(fc.tuple(at, at), { minLength: 1, maxLength: 120 }).map((rows) => ({
  length: rows.length,
  x: Float32Array.from(rows, ([x]) => x + 0.31),
  y: Float32Array.from(rows, ([, y]) => y + 0.17),
}));
const cameras = fc.record({ kx: fc.integer({ min: 1, max: 9 }), tx: at, ty: at }).map(({ kx, tx, ty }) => ({ kx, ky: -kx, tx, ty }));
const screen = (points: { x: Float32Array; y: Float32Array }, camera: { kx: number; ky: number; tx: number; ty: number }, row: number) => ({
  x: (points.x[row] ?? 0) * camera.kx + camera.tx,
  y: (points.y[row] ?? 0) * camera.ky + camera.ty,
});

/** The textbook's even-odd rule, edge by edge. */
function inside(polygon: readonly { x: number; y: number }[], p: { x: number; y: number }): boolean {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [a, b] = [polygon[i] as { x: number; y: number }, polygon[j] as { x: number; y: number }];
    if (a.y > p.y !== b.y > p.y && p.x < ((b.x - a.x) * (p.y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
  }
  return odd;
}

describe("itemsWithin", () => {
  it("is who lies within the line, as a look at every edge finds it", () => {
    const polygons = fc.array(fc.record({ x: fc.integer({ min: -500, max: 500 }), y: fc.integer({ min: -500, max: 500 }) }), { minLength: 3, maxLength: 60 });
    fc.assert(
      fc.property(places, cameras, polygons, (points, camera, polygon) => {
        const slow = [...Array(points.length).keys()].filter((row) => inside(polygon, screen(points, camera, row)));
        expect(itemsWithin(points, camera, polygon)).toEqual(slow);
      }),
      { numRuns: 400 },
    );
  });

  it("is nobody for less than a triangle, and never who has no place", () => {
    const points = { length: 2, x: Float32Array.of(Number.NaN, 1), y: Float32Array.of(0, 1) };
    const camera = { kx: 1, ky: 1, tx: 0, ty: 0 };
    expect(itemsWithin(points, camera, [{ x: 0, y: 0 }, { x: 9, y: 9 }])).toEqual([]);
    expect(itemsWithin(points, camera, [{ x: -9, y: -9 }, { x: 9, y: -9 }, { x: 9, y: 9 }, { x: -9, y: 9 }])).toEqual([1]);
  });
});

describe("itemAt", () => {
  it("is the nearest within reach", () => {
    fc.assert(
      fc.property(places, cameras, fc.integer({ min: -300, max: 300 }), fc.integer({ min: -300, max: 300 }), fc.integer({ min: 1, max: 60 }), (points, camera, x, y, reach) => {
        const distance = (row: number) => {
          const p = screen(points, camera, row);
          return Math.hypot(p.x - x, p.y - y);
        };
        const found = itemAt(points, camera, { x, y }, reach);
        const nearest = Math.min(...[...Array(points.length).keys()].map(distance));
        if (found < 0) expect(nearest).toBeGreaterThan(reach - 1e-6);
        else expect(distance(found)).toBeCloseTo(nearest, 6);
      }),
    );
  });
});

describe("itemBeside", () => {
  const camera = { kx: 10, ky: -10, tx: 0, ty: 0 };
  const points = { length: 5, x: Float32Array.of(0, 1, -1, 0, 0), y: Float32Array.of(0, 0, 0, 1, -1) };

  it("goes the way the arrow points on the screen, where up is less", () => {
    expect(["right", "left", "up", "down"].map((side) => itemBeside(points, camera, 0, side as "up"))).toEqual([1, 2, 3, 4]);
  });

  it("stays where nothing is further on, and comes back", () => {
    expect(itemBeside(points, camera, 1, "right")).toBe(1);
    expect(itemBeside(points, camera, 1, "left")).toBe(0);
  });
});

describe("simplified", () => {
  it("keeps the ends apart and drops the tremor", () => {
    const stroke = [{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 2, y: 1 }, { x: 5, y: 0 }, { x: 6, y: 0 }, { x: 9, y: 0 }];
    expect(simplified(stroke).map(({ x }) => x)).toEqual([0, 5, 9]);
    expect(simplified(simplified(stroke))).toEqual(simplified(stroke));
  });
});
