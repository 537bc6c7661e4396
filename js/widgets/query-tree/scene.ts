/** All that drawing the tree needs, in columns of numbers. Knows neither canvas nor feed. */
import type { Rgb } from "../../shared/colors";
import type { Camera } from "../../shared/plane/camera";
import type { Theme } from "../../shared/theme";
import type { TreeLayout } from "./layout";
import { LOOK, type Chosen, type Nodes } from "./state";

export interface Scene {
  readonly nodes: Nodes;
  readonly layout: TreeLayout;
  /** Where nodes are drawn: their places, or on the way there. */
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly look: Uint8Array;
  readonly tone: Uint8Array;
  readonly size: Float32Array;
  readonly palette: readonly Rgb[];
  readonly hidden: Uint8Array;
  /** Collapsed nodes with how many each hides. */
  readonly counts: ReadonlyMap<number, number>;
  readonly chosen: Chosen;
  /** From the selection to its roots. */
  readonly path: ReadonlySet<number>;
  readonly theme: Theme;
}

/** Radius of the largest nodes, in pixels: what columns and slots leave room for. */
export function roomOf(camera: Camera): number {
  return Math.max(1, Math.min(camera.kx * 0.36, camera.ky * 0.45, 5.7 + Math.max(0, camera.ky - 14) * 0.12, 9));
}

export function radiusOf(scene: Scene, node: number, room: number): number {
  if (scene.look[node] === LOOK.removed) return room * 0.42;
  return room * (0.57 + 0.43 * (scene.size[node] ?? 0));
}

/** How the edges below the selection are drawn: the more there are the thinner and fainter, or they would be one grey slab. */
export function insideStroke(descendants: number): { width: number; alpha: number } {
  const crowd = Math.max(1, descendants / 25);
  return { width: Math.max(0.8, 1.8 / crowd ** 0.35), alpha: Math.max(0.14, 0.62 / Math.sqrt(crowd)) };
}

/** How strongly an edge is drawn: the more columns it crosses the fainter, or a busy tree would be all edges. */
export function edgeStrength(span: number): number {
  return span <= 1 ? 1 : Math.max(0.14, 0.7 / Math.sqrt(span));
}
