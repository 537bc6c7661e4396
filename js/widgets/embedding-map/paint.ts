/** Draws the map: items as discs, the ways of queries as lines. Knows canvas, nothing of events. */
import type { Rgb } from "../../shared/colors";
import type { Camera } from "../../shared/plane/camera";
import { Raster, discRows, pixelOf } from "../../shared/plane/raster";
import type { Theme } from "../../shared/theme";
import { byTone, type Chosen, type Points, type Trail } from "./state";
import { SHADES } from "../../shared/plane/tones";

export interface Scene {
  readonly points: Points;
  readonly tone: Uint8Array;
  /** Rows in the order in which they are drawn. */
  readonly order: Int32Array;
  readonly palette: readonly Rgb[];
  readonly chosen: Chosen;
  readonly trail: Trail;
  readonly nodes: { readonly x: Float32Array; readonly y: Float32Array; readonly parent: Int32Array; readonly length: number };
  readonly best: number;
  readonly theme: Theme;
}

interface View {
  width: number;
  height: number;
  dpr: number;
}

const TURN = Math.PI * 2;
/** Items in all beyond which they are drawn by hand. */
const DENSE_FROM = 4000;
/** How visible items are that others stand out from. */
const DIM = 0.35;

/** Radius of an item: small where there are many, growing a little as one comes nearer. */
export function radiusOf(length: number, zoomed: number): number {
  const base = length < 500 ? 3.4 : length < 3000 ? 2.7 : length < 20_000 ? 2.3 : 1.15;
  return Math.min(5.5, base * Math.max(1, zoomed ** 0.35));
}

export class MapPainter {
  private readonly raster = new Raster();
  /** The raster holds what is drawn: more can be added. */
  private held = false;

  /** Draws rows `from…` over what is there, everything where `from` is 0. */
  items(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, view: View, zoomed: number, from = 0): void {
    const { length } = scene.points;
    const radius = radiusOf(length, zoomed);
    if (length < DENSE_FROM) {
      this.held = false;
      return discs(context, scene, camera, view, radius, from);
    }
    const onto = this.held ? from : 0;
    const dpr = this.raster.cover(view.width, view.height, view.dpr);
    if (onto === 0) this.raster.clear();
    this.raw(scene, camera, { ...view, dpr }, radius * dpr, onto);
    this.held = true;
    this.raster.replace(context);
  }

  private raw({ points, tone, order: whole, palette, chosen, theme }: Scene, camera: Camera, { dpr }: View, radius: number, from: number): void {
    const { raster } = this;
    const { x, y } = points;
    const [kx, ky, tx, ty] = [camera.kx * dpr, camera.ky * dpr, camera.tx * dpr, camera.ty * dpr];
    const rows = discRows(radius);
    const alpha = chosen.any ? Math.round(255 * DIM) : 255;
    const plain = palette.map(([r, g, b], at) => pixelOf(r, g, b, at === SHADES ? Math.round(alpha * 0.6) : alpha));
    const order = from ? byTone(tone, from, points.length) : whole;
    for (let i = 0; i < order.length; i++) {
      const row = order[i] as number;
      raster.disc((x[row] as number) * kx + tx, (y[row] as number) * ky + ty, rows, plain[tone[row] as number] as number);
    }
    if (!chosen.any) return;
    const [inner, outer] = [discRows(radius + dpr * 0.6), discRows(radius + dpr * 1.8)];
    const rims = [theme.rgb.sel, theme.rgb.accent].map(([r, g, b]) => pixelOf(r, g, b));
    const full = palette.map(([r, g, b]) => pixelOf(r, g, b));
    for (const row of order) {
      const rim = chosen.rim[row] as number;
      if (!rim) continue;
      const [px, py] = [(x[row] as number) * kx + tx, (y[row] as number) * ky + ty];
      raster.disc(px, py, outer, rims[rim - 1] as number);
      raster.disc(px, py, inner, full[tone[row] as number] as number);
    }
  }
}

function discs(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, view: View, radius: number, from: number): void {
  const { points, tone, palette, chosen, theme } = scene;
  const shown: number[] = [];
  for (const row of from ? byTone(tone, from, points.length) : scene.order) {
    const [x, y] = place(points, camera, row);
    if (x > -9 && y > -9 && x < view.width + 9 && y < view.height + 9) shown.push(row);
  }
  const paths = new Map<number, Path2D>();
  for (const row of shown) {
    const key = tone[row] as number;
    const path = paths.get(key) ?? new Path2D();
    paths.set(key, path);
    addDisc(path, place(points, camera, row), radius);
  }
  for (const [key, path] of paths) {
    context.globalAlpha = (chosen.any ? DIM : 1) * (key === SHADES ? 0.6 : 0.9);
    context.fillStyle = css(palette[key]);
    context.fill(path);
  }
  context.globalAlpha = 1;
  if (!chosen.any) return;
  context.lineWidth = 1.5;
  for (const row of shown) {
    if (!chosen.rim[row]) continue;
    const path = new Path2D();
    addDisc(path, place(points, camera, row), radius + 0.8);
    context.fillStyle = css(palette[tone[row] as number]);
    context.strokeStyle = chosen.rim[row] === 2 ? theme.css.accent : theme.css.sel;
    context.fill(path);
    context.stroke(path);
  }
}

function place(points: Pick<Points, "x" | "y">, camera: Camera, row: number): [number, number] {
  return [(points.x[row] as number) * camera.kx + camera.tx, (points.y[row] as number) * camera.ky + camera.ty];
}

function addDisc(path: Path2D, [x, y]: readonly [number, number], radius: number): void {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, TURN);
}

function css(color: Rgb | undefined): string {
  const [r, g, b] = color ?? [128, 128, 128];
  return `rgb(${r} ${g} ${b})`;
}

/** The ways of queries from their parents, with a head where each stands. */
export function paintTrail(context: CanvasRenderingContext2D, scene: Scene, camera: Camera): void {
  const { nodes, theme, trail } = scene;
  for (const [ways, color, width, alpha] of [[trail.faint, theme.css.soft, 0.8, 0.3], [trail.below, theme.css.sel, 0.9, 0.5], [trail.path, theme.css.sel, 1.8, 1]] as const) {
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = width;
    context.globalAlpha = alpha;
    context.beginPath();
    const heads = new Path2D();
    for (const node of ways) {
      const from = place(nodes, camera, nodes.parent[node] as number);
      const to = place(nodes, camera, node);
      if (!Number.isFinite(from[0] + from[1] + to[0] + to[1])) continue;
      context.moveTo(...from);
      context.lineTo(...to);
      addDisc(heads, to, width + 0.6);
    }
    context.stroke();
    context.fill(heads);
  }
  context.globalAlpha = 1;
}

/** Items that have just come, as visible as they are by now. */
export function paintArrivals(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, rows: { from: number; to: number; alpha: number }, zoomed: number): void {
  const radius = radiusOf(scene.points.length, zoomed);
  context.globalAlpha = rows.alpha;
  for (let row = rows.from; row < Math.min(rows.to, scene.points.length); row++) {
    const path = new Path2D();
    addDisc(path, place(scene.points, camera, row), radius + (1 - rows.alpha) * 3);
    context.fillStyle = css(scene.palette[scene.tone[row] as number]);
    context.fill(path);
  }
  context.globalAlpha = 1;
}

/** The best item, named. */
export function paintBest(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, zoomed: number): void {
  if (scene.best < 0 || scene.best >= scene.points.length) return;
  const [x, y] = place(scene.points, camera, scene.best);
  if (!Number.isFinite(x + y)) return;
  const { css: tokens, font } = scene.theme;
  const radius = radiusOf(scene.points.length, zoomed) + 3.5;
  ring(context, x, y, radius, tokens.ink, 1.6);
  context.font = `600 11px ${font}`;
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = tokens.bg;
  context.fillStyle = tokens.ink;
  context.strokeText("best", x + radius + 4, y + 0.5);
  context.fillText("best", x + radius + 4, y + 0.5);
}

export function ring(context: CanvasRenderingContext2D, x: number, y: number, radius: number, color: string, width: number): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, TURN);
  context.stroke();
}

export function paintLasso(context: CanvasRenderingContext2D, stroke: readonly { x: number; y: number }[], theme: Theme): void {
  if (stroke.length < 2) return;
  context.beginPath();
  stroke.forEach(({ x, y }, i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.fillStyle = context.strokeStyle = theme.css.accent;
  context.globalAlpha = 0.1;
  context.fill("evenodd");
  context.globalAlpha = 1;
  context.lineWidth = 1.5;
  context.setLineDash([4, 3]);
  context.closePath();
  context.stroke();
  context.setLineDash([]);
}
