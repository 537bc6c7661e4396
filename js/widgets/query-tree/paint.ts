/** Draws a tree of which every node can be told apart. Knows canvas, nothing of events. */
import type { Camera } from "../../shared/plane/camera";
import { edgeStrength, insideStroke, radiusOf, roomOf, type Scene } from "./scene";
import { LOOK } from "./state";

const TURN = Math.PI * 2;

/** The curve from a node's parent to the node. */
export function traceEdge(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, node: number): void {
  const parent = scene.nodes.parent[node] as number;
  const [x0, y0] = [(scene.x[parent] as number) * camera.kx + camera.tx, (scene.y[parent] as number) * camera.ky + camera.ty];
  const [x1, y1] = [(scene.x[node] as number) * camera.kx + camera.tx, (scene.y[node] as number) * camera.ky + camera.ty];
  const bend = (x1 - x0) * 0.5;
  context.moveTo(x0, y0);
  context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
}

interface View {
  width: number;
  height: number;
}

const EDGE_KINDS = ["plain", "undone", "inside", "path"] as const;

export function paintEdges(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, view: View): void {
  const kinds = { plain: new Map<number, number[]>(), undone: new Map<number, number[]>(), inside: new Map<number, number[]>(), path: new Map<number, number[]>() };
  eachEdge(scene, camera, view, (node, parent) => {
    const kind = scene.path.has(node) ? "path" : scene.chosen.inside[parent] ? "inside" : scene.look[node] === LOOK.undone ? "undone" : "plain";
    const span = (scene.x[node] as number) - (scene.x[parent] as number);
    const strength = kind === "plain" ? Math.round(edgeStrength(span) * 12) / 12 : 1;
    const group = kinds[kind].get(strength);
    if (group) group.push(node);
    else kinds[kind].set(strength, [node]);
  });
  const { css } = scene.theme;
  const inside = insideStroke(scene.chosen.descendants);
  for (const kind of EDGE_KINDS) {
    context.strokeStyle = kind === "path" ? css.sel : kind === "inside" ? css.faint : css.ghost;
    context.setLineDash(kind === "undone" ? [2, 3] : []);
    context.lineWidth = kind === "plain" || kind === "undone" ? 1 : kind === "inside" ? inside.width : 1.8;
    for (const [strength, nodes] of kinds[kind]) {
      context.globalAlpha = strength * (kind === "inside" ? inside.alpha : 1);
      context.beginPath();
      for (const node of nodes) traceEdge(context, scene, camera, node);
      context.stroke();
    }
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

/** Calls with every edge that the view may show. */
export function eachEdge(scene: Scene, camera: Camera, view: View, call: (node: number, parent: number) => void): void {
  const { x, y, hidden, nodes } = scene;
  for (let node = 0; node < nodes.length; node++) {
    const parent = nodes.parent[node] as number;
    if (parent < 0 || hidden[node]) continue;
    const right = (x[node] as number) * camera.kx + camera.tx;
    if (right < 0 || (x[parent] as number) * camera.kx + camera.tx > view.width) continue;
    const from = (y[parent] as number) * camera.ky + camera.ty;
    const to = (y[node] as number) * camera.ky + camera.ty;
    if ((from < 0 && to < 0) || (from > view.height && to > view.height)) continue;
    call(node, parent);
  }
}

/** Calls with every node that the view shows, and its place there. */
export function eachNode(scene: Scene, camera: Camera, view: View, call: (node: number, x: number, y: number) => void): void {
  const { x, y, hidden, nodes } = scene;
  const edge = 12;
  for (let node = 0; node < nodes.length; node++) {
    const sx = (x[node] as number) * camera.kx + camera.tx;
    const sy = (y[node] as number) * camera.ky + camera.ty;
    if (hidden[node] || sx < -edge || sy < -edge || sx > view.width + edge || sy > view.height + edge) continue;
    call(node, sx, sy);
  }
}

export function paintNodes(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, view: View): void {
  const filled = new Map<number, Path2D>();
  const hollow = [LOOK.pruned, LOOK.removed, LOOK.waiting, LOOK.blank].map((look) => [look, new Path2D()] as const);
  const holes = new Map<number, Path2D>(hollow);
  const people = new Path2D();
  const dots = new Path2D();
  const crosses = new Path2D();
  const room = roomOf(camera);
  eachNode(scene, camera, view, (node, x, y) => {
    const radius = radiusOf(scene, node, room);
    const look = scene.look[node] ?? 0;
    const tone = scene.tone[node] ?? 0;
    if (look === LOOK.undone) return cross(crosses, x, y, Math.max(1.5, radius * 0.85));
    let path = look === LOOK.filled ? filled.get(tone) : holes.get(look);
    if (!path) filled.set(tone, (path = new Path2D()));
    circle(path, x, y, look === LOOK.filled ? radius : Math.max(1, radius - 0.7));
    if (look === LOOK.waiting) circle(dots, x, y, Math.min(1.1, radius * 0.35));
    if (scene.nodes.by[node]) circle(people, x, y, radius + 2);
  });
  for (const [tone, path] of filled) {
    context.fillStyle = cssOf(scene, tone);
    context.fill(path);
  }
  for (const [look, path] of hollow) paintHollow(context, scene, look, path, room);
  const { soft, accent } = scene.theme.css;
  context.fillStyle = context.strokeStyle = soft;
  context.fill(dots);
  context.lineWidth = room < 2.5 ? 0.8 : 1.3;
  context.stroke(crosses);
  context.strokeStyle = accent;
  context.lineWidth = 1.3;
  context.stroke(people);
}

function paintHollow(context: CanvasRenderingContext2D, scene: Scene, look: number, path: Path2D, room: number): void {
  const { css } = scene.theme;
  const faint = look === LOOK.pruned || look === LOOK.removed;
  context.fillStyle = look === LOOK.blank ? css.ghost : css.bg;
  context.strokeStyle = faint ? css.ghost : css.soft;
  context.lineWidth = room < 2.5 ? 0.8 : look === LOOK.waiting ? 1 : 1.4;
  context.fill(path);
  context.stroke(path);
}

function circle(path: Path2D | CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, TURN);
}

/** What was undone is struck out: nothing is there any more. */
function cross(path: Path2D, x: number, y: number, arm: number): void {
  path.moveTo(x - arm, y - arm);
  path.lineTo(x + arm, y + arm);
  path.moveTo(x - arm, y + arm);
  path.lineTo(x + arm, y - arm);
}

export function cssOf(scene: Scene, tone: number): string {
  const [r, g, b] = scene.palette[tone] ?? [128, 128, 128];
  return `rgb(${r} ${g} ${b})`;
}

/** How many nodes each collapsed one hides. */
export function paintCounts(context: CanvasRenderingContext2D, scene: Scene, camera: Camera): void {
  const { theme, counts, hidden } = scene;
  context.font = `600 10.5px ${theme.font}`;
  context.textBaseline = "middle";
  const room = roomOf(camera);
  for (const [node, count] of counts) {
    if (hidden[node]) continue;
    const [x, y] = [(scene.x[node] as number) * camera.kx + camera.tx + room + 4, (scene.y[node] as number) * camera.ky + camera.ty];
    const text = `+${count.toLocaleString("en-US")}`;
    const width = context.measureText(text).width;
    context.fillStyle = theme.css.fill;
    context.strokeStyle = theme.css.edge;
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(x, y - 7.5, width + 9, 15, 7.5);
    context.fill();
    context.stroke();
    context.fillStyle = theme.css.soft;
    context.fillText(text, x + 4.5, y + 0.5);
  }
}

/** A ring around a node. */
export function paintRing(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, node: number, style: { color: string; width: number; gap: number; dash?: number[] }): void {
  if (scene.hidden[node] || node < 0 || node >= scene.nodes.length) return;
  const [x, y] = [(scene.x[node] as number) * camera.kx + camera.tx, (scene.y[node] as number) * camera.ky + camera.ty];
  context.strokeStyle = style.color;
  context.lineWidth = style.width;
  context.setLineDash(style.dash ?? []);
  context.beginPath();
  circle(context, x, y, radiusOf(scene, node, roomOf(camera)) + style.gap);
  context.stroke();
  context.setLineDash([]);
}

/** The node under the pointer with its ways to its parent and its children, over all else. */
export function paintPointed(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, node: number): void {
  const { nodes, theme, hidden } = scene;
  const near: number[] = [];
  context.strokeStyle = theme.css.soft;
  context.lineWidth = 1.4;
  context.beginPath();
  for (let at = node; (nodes.parent[at] ?? -1) >= 0; at = nodes.parent[at] as number) {
    if (!scene.path.has(at)) traceEdge(context, scene, camera, at);
    near.push(nodes.parent[at] as number);
  }
  for (let child = node + 1; child < nodes.length; child++) {
    if (nodes.parent[child] !== node || hidden[child]) continue;
    traceEdge(context, scene, camera, child);
    near.push(child);
  }
  context.stroke();
  for (const at of [...near, node]) paintOne(context, scene, camera, at);
}

function paintOne(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, node: number): void {
  const [x, y] = [(scene.x[node] as number) * camera.kx + camera.tx, (scene.y[node] as number) * camera.ky + camera.ty];
  const look = scene.look[node] ?? 0;
  const room = roomOf(camera);
  const path = new Path2D();
  const radius = radiusOf(scene, node, room);
  circle(path, x, y, look === LOOK.filled ? radius : Math.max(1, radius - 0.7));
  if (look !== LOOK.filled) return paintHollow(context, scene, look, path, room);
  context.fillStyle = cssOf(scene, scene.tone[node] ?? 0);
  context.fill(path);
}
