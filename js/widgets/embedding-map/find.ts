/** Which items are at a place, on a side, or within a lasso. Pure. */
import type { Camera } from "../../shared/plane/camera";
import type { Point } from "../../shared/plane/gestures";
import type { Points } from "./state";

type Places = Pick<Points, "x" | "y" | "length">;

/** The item nearest to a point of the screen, at most `reach` pixels away; of two as near the later; -1: none. */
export function itemAt(points: Places, camera: Camera, at: Point, reach: number): number {
  const { x, y, length } = points;
  const { kx, ky, tx, ty } = camera;
  let best = -1;
  let nearest = reach * reach;
  for (let row = 0; row < length; row++) {
    const dx = (x[row] as number) * kx + tx - at.x;
    if (dx > reach || dx < -reach) continue;
    const dy = (y[row] as number) * ky + ty - at.y;
    const distance = dx * dx + dy * dy;
    if (distance <= nearest) [best, nearest] = [row, distance];
  }
  return best;
}

export type Side = "up" | "down" | "left" | "right";

/** The item next to `row` on one side of the screen: near, and rather straight ahead than aside; `row` where there is none. */
export function itemBeside(points: Places, camera: Camera, row: number, side: Side): number {
  const { x, y, length } = points;
  const [x0, y0] = [x[row] as number, y[row] as number];
  const flat = side === "left" || side === "right";
  const way = side === "left" || side === "up" ? -1 : 1;
  let best = row;
  let nearest = Number.POSITIVE_INFINITY;
  for (let other = 0; other < length; other++) {
    const dx = ((x[other] as number) - x0) * camera.kx;
    const dy = ((y[other] as number) - y0) * camera.ky;
    const ahead = (flat ? dx : dy) * way;
    const aside = Math.abs(flat ? dy : dx);
    if (!(ahead > 0.01) || aside > ahead * 1.5) continue;
    const distance = ahead + 2 * aside;
    if (distance < nearest) [best, nearest] = [other, distance];
  }
  return best;
}

const NEAR = 3;

/** A stroke without the points that change little. */
export function simplified(stroke: readonly Point[]): Point[] {
  const kept: Point[] = [];
  for (const point of stroke) {
    const last = kept[kept.length - 1];
    if (!last || Math.hypot(point.x - last.x, point.y - last.y) >= NEAR) kept.push(point);
  }
  return kept;
}

interface Edge {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

const BANDS = 96;

/** The edges of a closed line, by the bands of height that they cross: a point needs to look at those of its band alone. */
function banded(polygon: readonly Point[], top: number, step: number): Edge[][] {
  const bands: Edge[][] = Array.from({ length: BANDS }, () => []);
  polygon.forEach((from, i) => {
    const to = polygon[(i + 1) % polygon.length] as Point;
    if (from.y === to.y) return;
    const [low, high] = from.y < to.y ? [from.y, to.y] : [to.y, from.y];
    const last = Math.min(BANDS - 1, Math.floor((high - top) / step));
    for (let band = Math.max(0, Math.floor((low - top) / step)); band <= last; band++) bands[band]?.push({ x0: from.x, y0: from.y, x1: to.x, y1: to.y });
  });
  return bands;
}

/** Rows of the items within a closed line on the screen (even-odd), ascending. */
export function itemsWithin(points: Places, camera: Camera, polygon: readonly Point[]): number[] {
  if (polygon.length < 3) return [];
  const xs = polygon.map((point) => point.x);
  const ys = polygon.map((point) => point.y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const step = Math.max((bottom - top) / BANDS, 1e-9);
  const bands = banded(polygon, top, step);
  const rows: number[] = [];
  for (let row = 0; row < points.length; row++) {
    const px = (points.x[row] as number) * camera.kx + camera.tx;
    const py = (points.y[row] as number) * camera.ky + camera.ty;
    if (!(px >= left && px <= right && py >= top && py <= bottom)) continue;
    const edges = bands[Math.min(BANDS - 1, Math.floor((py - top) / step))] as Edge[];
    let inside = false;
    for (const { x0, y0, x1, y1 } of edges) if (y0 > py !== y1 > py && px < x0 + ((py - y0) / (y1 - y0)) * (x1 - x0)) inside = !inside;
    if (inside) rows.push(row);
  }
  return rows;
}
