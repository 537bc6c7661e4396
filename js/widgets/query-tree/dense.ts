/** Draws a tree of more nodes than can be told apart: discs and straight edges by hand, edges as ink that adds up. */
import type { Camera } from "../../shared/plane/camera";
import { Raster, discRows, pixelOf } from "../../shared/plane/raster";
import { eachEdge, eachNode, traceEdge } from "./paint";
import { edgeStrength, insideStroke, roomOf, type Scene } from "./scene";
import { LOOK } from "./state";

/** Pixels of edges that one picture may hold: beyond it only every second, third… edge is drawn, darker. */
const MOST_INK = 2_500_000;
const MOST_BELOW = 2000;

interface View {
  width: number;
  height: number;
  dpr: number;
}

export class DensePainter {
  private readonly raster = new Raster();

  paint(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, view: View): void {
    const { raster } = this;
    const drawn = { ...view, dpr: raster.cover(view.width, view.height, view.dpr) };
    raster.clear();
    this.edges(scene, camera, drawn);
    const [r, g, b] = scene.theme.rgb.ghost;
    raster.develop(r, g, b);
    this.nodes(scene, camera, drawn);
    raster.replace(context);
    chosenEdges(context, scene, camera);
  }

  private edges(scene: Scene, camera: Camera, view: View): void {
    const { x, y } = scene;
    const { dpr } = view;
    const [kx, ky] = [camera.kx * dpr, camera.ky * dpr];
    const length = (node: number, parent: number) => {
      const across = ((x[node] as number) - (x[parent] as number)) * kx;
      return Math.min(view.width * dpr, Math.max(across, Math.abs((y[node] as number) - (y[parent] as number)) * ky));
    };
    let ink = 0;
    eachEdge(scene, camera, view, (node, parent) => {
      ink += length(node, parent);
    });
    const every = Math.max(1, Math.ceil(ink / MOST_INK));
    const amount = every * Math.min(3, Math.max(0.5, ky * 0.8));
    eachEdge(scene, camera, view, (node, parent) => {
      if (every > 1 && node % every !== 0) return;
      const span = (x[node] as number) - (x[parent] as number);
      const x0 = (x[parent] as number) * kx + camera.tx * dpr;
      const y0 = (y[parent] as number) * ky + camera.ty * dpr;
      this.raster.line(x0, y0, (x[node] as number) * kx + camera.tx * dpr, (y[node] as number) * ky + camera.ty * dpr, amount * edgeStrength(span));
    });
  }

  /** What is left of nodes first, then nodes by their colour, so that the best lie on top. */
  private nodes(scene: Scene, camera: Camera, view: View): void {
    const room = roomOf(camera) * view.dpr;
    const rows = discRows(Math.max(0.6, room * 0.8));
    const small = discRows(Math.max(0, room * 0.45));
    const order = byTone(scene);
    const [r, g, b] = scene.theme.rgb.ghost;
    const ghost = pixelOf(r, g, b);
    const pixels = scene.palette.map(([red, green, blue]) => pixelOf(red, green, blue));
    const { x, y, hidden } = scene;
    const draw = (node: number, disc: Int32Array, pixel: number) => {
      const [px, py] = [((x[node] as number) * camera.kx + camera.tx) * view.dpr, ((y[node] as number) * camera.ky + camera.ty) * view.dpr];
      this.raster.disc(px, py, disc, pixel);
    };
    eachNode(scene, camera, view, (node) => {
      if (scene.look[node] !== LOOK.filled) draw(node, small, ghost);
    });
    for (const node of order) if (!hidden[node] && scene.look[node] === LOOK.filled) draw(node, rows, pixels[scene.tone[node] as number] ?? ghost);
  }
}

/** The way of the selection from its roots, over all else, and what came of it where that can be seen. */
function chosenEdges(context: CanvasRenderingContext2D, scene: Scene, camera: Camera): void {
  const { path, chosen, nodes, theme, hidden } = scene;
  if (chosen.nodes.length && chosen.descendants <= MOST_BELOW) {
    context.beginPath();
    for (let node = 0; node < nodes.length; node++) {
      if (chosen.inside[node] && !hidden[node] && !path.has(node) && (nodes.parent[node] as number) >= 0) traceEdge(context, scene, camera, node);
    }
    const inside = insideStroke(chosen.descendants);
    context.strokeStyle = theme.css.soft;
    context.lineWidth = Math.min(1.2, inside.width);
    context.globalAlpha = inside.alpha;
    context.stroke();
    context.globalAlpha = 1;
  }
  context.beginPath();
  for (const node of path) if (!hidden[node] && (nodes.parent[node] as number) >= 0) traceEdge(context, scene, camera, node);
  context.strokeStyle = theme.css.sel;
  context.lineWidth = 1.8;
  context.stroke();
}

/** Nodes by tone, in linear time. */
export function byTone(scene: Pick<Scene, "tone" | "nodes">): Int32Array {
  const starts = new Int32Array(257);
  const { length } = scene.nodes;
  for (let node = 0; node < length; node++) starts[(scene.tone[node] as number) + 1]!++;
  for (let tone = 0; tone < 256; tone++) starts[tone + 1] = (starts[tone + 1] as number) + (starts[tone] as number);
  const order = new Int32Array(length);
  for (let node = 0; node < length; node++) order[starts[scene.tone[node] as number]!++] = node;
  return order;
}
