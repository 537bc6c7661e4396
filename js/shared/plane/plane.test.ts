import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { between, ease, fit, pan, reveal, shown, zoomAt, type Camera } from "./camera";
import { endTexts } from "./legend";
import { Raster, discRows, pixelOf } from "./raster";

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const cameras: fc.Arbitrary<Camera> = fc.record({ kx: number(0.01, 100), ky: number(-100, -0.01), tx: number(-1e4, 1e4), ty: number(-1e4, 1e4) });

describe("camera", () => {
  it("keeps what is under the pointer when it zooms, within its limits", () => {
    fc.assert(
      fc.property(cameras, number(0, 900), number(0, 500), number(0.2, 5), (camera, x, y, factor) => {
        const next = zoomAt(camera, x, y, factor, [0.01, 100]);
        expect(next.kx).toBeGreaterThan(0.01 - 1e-9);
        expect(next.kx).toBeLessThan(100 + 1e-6);
        expect(((x - next.tx) / next.kx) * camera.kx + camera.tx).toBeCloseTo(x, 3);
        expect(((y - next.ty) / next.ky) * camera.ky + camera.ty).toBeCloseTo(y, 3);
      }),
    );
  });

  it("shows all of a box that it is fitted to", () => {
    const where = { left: 30, top: 40, right: 590, bottom: 270 };
    fc.assert(
      fc.property(number(-50, 50), number(0, 100), number(-50, 50), number(0, 100), fc.boolean(), (left, width, top, height, equal) => {
        const what = { left, top, right: left + width, bottom: top + height };
        const camera = fit(what, where, { kx: 46, ky: 14 }, equal);
        for (const x of [what.left, what.right]) expect(x * camera.kx + camera.tx).toSatisfy((sx: number) => sx > where.left - 1e-6 && sx < where.right + 1e-6);
        for (const y of [what.top, what.bottom]) expect(y * camera.ky + camera.ty).toSatisfy((sy: number) => sy > where.top - 1e-6 && sy < where.bottom + 1e-6);
        if (equal) expect(camera.kx).toBeCloseTo(-camera.ky, 9);
      }),
    );
  });

  it("moves no more than needed to reveal a point", () => {
    const where = { left: 10, top: 10, right: 90, bottom: 90 };
    const camera = { kx: 1, ky: 1, tx: 0, ty: 0 };
    expect(reveal(camera, 50, 50, where)).toEqual(camera);
    expect(reveal(camera, 100, -5, where)).toEqual({ ...camera, tx: -10, ty: 15 });
  });

  it("goes from one place to another, and knows what it shows", () => {
    const [a, b] = [{ kx: 1, ky: 1, tx: 0, ty: 0 }, { kx: 3, ky: 3, tx: 10, ty: 20 }];
    expect([between(a, b, 0), between(a, b, 1)]).toEqual([a, b]);
    expect([ease(0), ease(0.5), ease(1)]).toEqual([0, 0.5, 1]);
    expect(pan(a, 3, 4)).toEqual({ ...a, tx: 3, ty: 4 });
    expect(shown({ kx: 2, ky: -2, tx: 0, ty: 0 }, { left: 0, top: 0, right: 10, bottom: 10 })).toEqual({ left: 0, right: 5, top: -5, bottom: -0 });
  });
});

describe("Raster", () => {
  const white = pixelOf(255, 255, 255);

  it("draws the pixels of a disc that are on the picture, and no others", () => {
    fc.assert(
      fc.property(fc.integer({ min: -6, max: 26 }), fc.integer({ min: -6, max: 20 }), number(0, 5), (cx, cy, radius) => {
        const raster = new Raster();
        raster.resize(20, 14);
        raster.disc(cx, cy, discRows(radius), white);
        for (let y = 0; y < 14; y++)
          for (let x = 0; x < 20; x++) {
            const [dx, dy] = [Math.abs(x - cx), Math.abs(y - cy)];
            const inside = dy <= Math.floor(radius) && dx <= Math.floor(Math.sqrt(Math.max(0, radius * radius - dy * dy)));
            expect(raster.pixels[y * 20 + x] === white).toBe(inside);
          }
      }),
    );
  });

  it("lays ink along a line, cut off at the edges, as a walk over every step does", () => {
    const at = fc.integer({ min: -40, max: 60 });
    fc.assert(
      fc.property(at, at, at, at, (x0, y0, x1, y1) => {
        const raster = new Raster();
        raster.resize(20, 14);
        raster.line(x0, y0, x1, y1, 1);
        raster.develop(10, 20, 30);
        const inked = [...raster.pixels].filter((pixel) => pixel !== 0).length;
        const steps = Math.max(1, Math.abs(x1 - x0), Math.abs(y1 - y0));
        const seen = new Set<number>();
        for (let i = 0; i <= steps; i++) {
          const [x, y] = [Math.floor(x0 + ((x1 - x0) * i) / steps + 0.5), Math.floor(y0 + ((y1 - y0) * i) / steps + 0.5)];
          if (x >= 0 && x < 20 && y >= 0 && y < 14) seen.add(y * 20 + x);
        }
        expect(Math.abs(inked - seen.size)).toBeLessThanOrEqual(2);
      }),
    );
  });

  it("is darker where lines cross", () => {
    const raster = new Raster();
    raster.resize(5, 5);
    raster.line(0, 2, 4, 2, 1);
    raster.line(2, 0, 2, 4, 1);
    raster.develop(0, 0, 0);
    const alpha = (x: number, y: number) => (raster.pixels[y * 5 + x] ?? 0) >>> 24;
    expect(alpha(2, 2)).toBeGreaterThan(alpha(1, 2));
    expect(alpha(1, 2)).toBeGreaterThan(0);
    expect(alpha(0, 0)).toBe(0);
  });
});

describe("the legend's ends", () => {
  it("have as many decimals as it takes to tell them apart", () => {
    expect(endTexts([8.5, 8.5004], 1)).toEqual(["8.5000", "8.5004"]);
    expect(endTexts([5, 9.84], 1)).toEqual(["5.0", "9.8"]);
    expect(endTexts([8.5, 8.5], 1)).toEqual(["8.5", "8.5"]);
  });
});
