/** The drawing of the tree: canvases, camera, frames. Knows a scene and where it is looked at from; nothing of feeds or commands. */
import { type Disposer, oncePerFrame, whenQuiet } from "../../shared/disposer";
import { type Box, type Camera, fit, pan, reveal, zoomAt } from "../../shared/plane/camera";
import { Eye } from "../../shared/plane/eye";
import { Surface } from "../../shared/plane/surface";
import { Tile } from "../../shared/plane/tile";
import { DensePainter } from "./dense";
import { nodeAt } from "./hit";
import { Motion } from "./motion";
import { eachNode, paintCounts, paintEdges, paintNodes, paintPointed, paintRing } from "./paint";
import { roomOf, type Scene } from "./scene";

/** Room for the caption, the selection bar and half a node, in pixels. */
const INSET = { left: 30, right: 34, top: 46, bottom: 68 };
const WIDEST = { kx: 46, ky: 14 };
const LIMITS = [0.02, 400] as const;
/** Nodes in view beyond which they are drawn by hand. */
const DENSE_FROM = 2500;
/** Milliseconds of painting beyond which a zoom shows the old picture, scaled, until it comes to rest. */
const SLOW_MS = 9;
const MOST_RINGS = 3000;
const MANY_RINGS = 12;

export class Stage {
  scene: Scene | null = null;
  pointed = -1;
  focus = -1;
  box: Box | null = null;
  readonly motion = new Motion();
  readonly eye: Eye;
  private readonly surface: Surface;
  private readonly tile = new Tile();
  private readonly dense = new DensePainter();
  private readonly frame = oncePerFrame(() => this.draw());
  private readonly refine = whenQuiet(90, () => this.repaint());
  private room: Box = { left: 0, right: 0, top: 0, bottom: 0 };

  /** @param drawn Called after every frame. */
  constructor(
    host: HTMLElement,
    private readonly drawn: (camera: Camera) => void,
    disposer: Disposer,
  ) {
    this.eye = new Eye(() => this.frame.ask(), () => this.scene?.theme.reducedMotion ?? true);
    this.surface = new Surface(host, 2, () => this.resized(), disposer);
    disposer.add(() => {
      this.frame.cancel();
      this.refine.cancel();
      this.tile.dispose();
    });
  }

  get size() {
    return this.surface.size;
  }

  /** The picture is no longer true. */
  repaint(): void {
    this.tile.drop();
    this.frame.ask();
  }

  /** Only what lies over the picture changed. */
  retouch(): void {
    this.frame.ask();
  }

  /** Where everything is, in columns and slots. */
  bounds(): Box {
    const layout = this.scene?.layout;
    return { left: 0, right: Math.max(0, (layout?.columns ?? 0) - 1), top: layout?.low ?? 0, bottom: layout?.high ?? 0 };
  }

  /** Shows everything; `growing`: and room for more, so that it need not be done again soon. */
  fit(growing: boolean, glide = true): void {
    const { left, right, top, bottom } = this.bounds();
    const spare = growing ? (bottom - top) * 0.06 : 0;
    const tall = (bottom - top) * WIDEST.ky > this.area().bottom - this.area().top;
    this.room = { left, right: growing ? right * 1.12 + 1 : right, top: top - (tall ? spare : 0), bottom: bottom + (tall ? spare : 0) };
    const camera = this.fitted();
    if (glide) this.eye.go(camera);
    else this.eye.set(camera);
    this.eye.fitted = true;
  }

  /** The tree has grown: shows it all again, where nobody has moved the view and it no longer fits. */
  follow(): void {
    if (!this.eye.fitted) return;
    const { right, top, bottom } = this.bounds();
    const { goal } = this.eye;
    const area = this.area();
    const inside = right * goal.kx + goal.tx <= area.right + 1 && top * goal.ky + goal.ty >= area.top - 1 && bottom * goal.ky + goal.ty <= area.bottom + 1;
    if (!inside) this.fit(true);
  }

  pan(dx: number, dy: number): void {
    this.eye.fitted = false;
    this.eye.set(pan(this.eye.camera, dx, dy));
  }

  zoom(x: number, y: number, factor: number, glide = false): void {
    this.eye.fitted = false;
    const camera = zoomAt(glide ? this.eye.goal : this.eye.camera, x, y, factor, LIMITS);
    if (glide) this.eye.go(camera);
    else this.eye.set(camera);
  }

  zoomBy(factor: number): void {
    this.zoom(this.size.width / 2, this.size.height / 2, factor, true);
  }

  /** Brings a node into view. */
  reveal(node: number): void {
    const { scene, eye } = this;
    if (!scene || node < 0 || node >= scene.layout.length) return;
    const camera = reveal(eye.goal, scene.layout.x[node] ?? 0, scene.layout.y[node] ?? 0, this.area());
    if (camera.tx === eye.goal.tx && camera.ty === eye.goal.ty) return;
    eye.fitted = false;
    eye.go(camera);
  }

  /** Puts a point of the plane in the middle. */
  centre(x: number, y: number): void {
    const { camera } = this.eye;
    this.pan(this.size.width / 2 - (x * camera.kx + camera.tx), this.size.height / 2 - (y * camera.ky + camera.ty));
  }

  nodeAt(x: number, y: number): number {
    const { scene, eye } = this;
    return scene ? nodeAt(scene.layout, scene.hidden, eye.camera, x, y, Math.max(9, roomOf(eye.camera) + 4)) : -1;
  }

  /** Where a node is drawn. */
  place(node: number): { x: number; y: number; radius: number } {
    const { camera } = this.eye;
    const [x, y] = [this.scene?.x[node] ?? 0, this.scene?.y[node] ?? 0];
    return { x: x * camera.kx + camera.tx, y: y * camera.ky + camera.ty, radius: roomOf(camera) };
  }

  private area(): Box {
    const { width, height } = this.size;
    const bottom = height > 200 ? height - INSET.bottom : height - 20;
    return { left: INSET.left, top: Math.min(INSET.top, height / 4), right: Math.max(INSET.left + 1, width - INSET.right), bottom };
  }

  private fitted(): Camera {
    const area = this.area();
    const camera = fit(this.room, area, WIDEST);
    return { ...camera, tx: Math.min(camera.tx, area.left - this.room.left * camera.kx) };
  }

  private resized(): void {
    this.tile.drop();
    if (this.eye.fitted) this.eye.set(this.fitted());
    this.frame.ask();
  }

  private draw(): void {
    const { scene, eye, surface, tile } = this;
    const now = performance.now();
    eye.tick(now);
    if (!scene || !surface.size.width || !surface.size.height) return;
    if (this.motion.tick(scene.layout, now)) {
      this.scene = { ...scene, x: this.motion.x, y: this.motion.y };
      tile.drop();
      this.frame.ask();
    }
    this.base();
    this.overlay();
    this.drawn(eye.camera);
  }

  private base(): void {
    const { tile, surface } = this;
    const { camera } = this.eye;
    if (!tile.covers(camera, surface.size)) {
      if (tile.ready && tile.cost > SLOW_MS && tile.blurred(camera)) this.refine.ask();
      else tile.render(camera, surface.size, (context, at, width, height, dpr) => this.paint(context, at, { width, height, dpr }));
    }
    tile.show(surface.clear(0), camera);
  }

  private paint(context: CanvasRenderingContext2D, camera: Camera, view: { width: number; height: number; dpr: number }): void {
    const scene = this.scene as Scene;
    let seen = 0;
    eachNode(scene, camera, view, () => seen++);
    if (seen > DENSE_FROM) this.dense.paint(context, scene, camera, view);
    else {
      paintEdges(context, scene, camera, view);
      paintNodes(context, scene, camera, view);
    }
    paintCounts(context, scene, camera);
  }

  private overlay(): void {
    const scene = this.scene as Scene;
    const context = this.surface.clear(1);
    const { camera } = this.eye;
    const { css } = scene.theme;
    if (this.pointed >= 0 && this.pointed < scene.nodes.length) {
      paintPointed(context, scene, camera, this.pointed);
      paintRing(context, scene, camera, this.pointed, { color: css.soft, width: 1.5, gap: 3 });
    }
    const chosen = scene.chosen.nodes.slice(0, MOST_RINGS);
    const ring = chosen.length > MANY_RINGS ? { color: css.sel, width: 1.5, gap: 2 } : { color: css.sel, width: 2, gap: 3.5 };
    for (const node of chosen) paintRing(context, scene, camera, node, ring);
    if (this.focus >= 0) paintRing(context, scene, camera, this.focus, { color: css.accent, width: 2, gap: 6.5 });
    if (this.box) this.paintBox(context, this.box);
  }

  private paintBox(context: CanvasRenderingContext2D, { left, top, right, bottom }: Box): void {
    const { css } = (this.scene as Scene).theme;
    context.fillStyle = context.strokeStyle = css.sel;
    context.globalAlpha = 0.12;
    context.fillRect(left, top, right - left, bottom - top);
    context.globalAlpha = 1;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1);
  }
}
