/** Which nodes are at a place on the screen. Pure. */
import { type Box, type Camera, shown } from "../../shared/plane/camera";
import type { TreeLayout } from "./layout";

/** The visible node nearest to a point, at most `reach` pixels away; -1: none. The later node of two as near. */
export function nodeAt(layout: TreeLayout, hidden: Uint8Array, camera: Camera, x: number, y: number, reach: number): number {
  let best = -1;
  let nearest = reach * reach;
  const near = shown(camera, { left: x - reach, right: x + reach, top: y - reach, bottom: y + reach });
  eachIn(layout, near, (node) => {
    if (hidden[node]) return;
    const dx = (layout.x[node] ?? 0) * camera.kx + camera.tx - x;
    const dy = (layout.y[node] ?? 0) * camera.ky + camera.ty - y;
    const distance = dx * dx + dy * dy;
    if (distance < nearest || (distance === nearest && node > best)) [best, nearest] = [node, distance];
  });
  return best;
}

/** The visible nodes in a box of the screen, ascending. */
export function nodesIn(layout: TreeLayout, hidden: Uint8Array, camera: Camera, box: Box): number[] {
  const found: number[] = [];
  eachIn(layout, shown(camera, box), (node) => {
    if (!hidden[node]) found.push(node);
  });
  return found.sort((a, b) => a - b);
}

/** Calls with every node that stands in a part of the plane. */
export function eachIn(layout: TreeLayout, part: Box, call: (node: number) => void): void {
  const last = Math.min(layout.columns - 1, Math.floor(part.right));
  for (let column = Math.max(0, Math.ceil(part.left)); column <= last; column++) {
    const ids = layout.column(column);
    for (let i = layout.rank(ids, part.top); i < ids.length; i++) {
      const node = ids[i] as number;
      if ((layout.y[node] ?? 0) > part.bottom) break;
      call(node);
    }
  }
}
