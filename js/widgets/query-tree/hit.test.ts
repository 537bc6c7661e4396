import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Camera } from "../../shared/plane/camera";
import { nodeAt, nodesIn } from "./hit";
import { TreeLayout } from "./layout";

const layouts = fc.array(fc.record({ pick: fc.nat(), step: fc.integer({ min: 0, max: 1 }) }), { minLength: 1, maxLength: 80 }).map((rows) => {
  let round = 0;
  const rounds = rows.map(({ step }) => (round += step));
  const parent = rows.map(({ pick }, node) => {
    const before = rounds.findIndex((r) => r === rounds[node]);
    return before ? pick % before : -1;
  });
  const layout = new TreeLayout();
  layout.grow({ length: rows.length, parent: Int32Array.from(parent), round: Int32Array.from(rounds), made: Int32Array.from(rounds) });
  return layout;
});
const cameras = fc.record({ kx: fc.double({ min: 0.5, max: 60, noNaN: true }), ky: fc.double({ min: 0.5, max: 20, noNaN: true }), tx: fc.integer({ min: -200, max: 200 }), ty: fc.integer({ min: -200, max: 200 }) });

function onScreen(layout: TreeLayout, camera: Camera, node: number): [number, number] {
  return [(layout.x[node] ?? 0) * camera.kx + camera.tx, (layout.y[node] ?? 0) * camera.ky + camera.ty];
}

describe("nodeAt", () => {
  it("is the nearest visible node within reach, as a look at all of them finds it", () => {
    fc.assert(
      fc.property(layouts, cameras, fc.integer({ min: -300, max: 600 }), fc.integer({ min: -300, max: 600 }), fc.integer({ min: 1, max: 40 }), fc.array(fc.nat({ max: 79 })), (layout, camera, x, y, reach, away) => {
        const hidden = new Uint8Array(layout.length);
        for (const node of away) hidden[node] = 1;
        let nearest = Number.POSITIVE_INFINITY;
        for (let node = 0; node < layout.length; node++) {
          const [sx, sy] = onScreen(layout, camera, node);
          if (!hidden[node]) nearest = Math.min(nearest, Math.hypot(sx - x, sy - y));
        }
        const found = nodeAt(layout, hidden, camera, x, y, reach);
        if (found < 0) expect(nearest).toBeGreaterThanOrEqual(reach - 1e-6);
        else {
          const [sx, sy] = onScreen(layout, camera, found);
          expect(hidden[found]).toBe(0);
          expect(Math.hypot(sx - x, sy - y)).toBeCloseTo(nearest, 6);
          expect(nearest).toBeLessThanOrEqual(reach);
        }
      }),
    );
  });
});

describe("nodesIn", () => {
  it("is every visible node in the box", () => {
    fc.assert(
      fc.property(layouts, cameras, fc.integer({ min: -300, max: 300 }), fc.integer({ min: -300, max: 300 }), fc.nat({ max: 500 }), fc.nat({ max: 500 }), (layout, camera, left, top, width, height) => {
        const box = { left, top, right: left + width + 0.37, bottom: top + height + 0.37 };
        const slow = [...Array(layout.length).keys()].filter((node) => {
          const [x, y] = onScreen(layout, camera, node);
          return x > box.left + 1e-6 && x < box.right - 1e-6 && y > box.top + 1e-6 && y < box.bottom - 1e-6;
        });
        expect(nodesIn(layout, new Uint8Array(layout.length), camera, box)).toEqual(expect.arrayContaining(slow));
        for (const node of nodesIn(layout, new Uint8Array(layout.length), camera, box)) {
          const [x, y] = onScreen(layout, camera, node);
          expect(x > box.left - 1e-6 && x < box.right + 1e-6 && y > box.top - 1e-6 && y < box.bottom + 1e-6).toBe(true);
        }
      }),
    );
  });
});
