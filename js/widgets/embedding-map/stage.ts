/** The drawing of the map: canvases, camera, frames. Knows a scene and where it is looked at from; nothing of feeds or commands. */
import { type Disposer, oncePerFrame, whenQuiet } from "../../shared/disposer";
import { type Box, fit, pan, reveal, zoomAt } from "../../shared/plane/camera";
import { Eye } from "../../shared/plane/eye";
import type { Point } from "../../shared/plane/gestures";
import { Surface } from "../../shared/plane/surface";
import { Tile } from "../../shared/plane/tile";
import { MapPainter, paintArrivals, paintBest, paintLasso, paintTrail, radiusOf, ring, type Scene } from "./paint";

const INSET = { left: 24, right: 40, top: 38, bottom: 26 };
const SLOW_MS = 9;
const FADE_MS = 400;
/** More new items than this at once do not fade in. */
const MOST_FADING = 800;
const GROWTH = 0.08;

interface Arrival {
  from: number;
  to: number;
  start: number;
}

export class Stage {
  scene: Scene | null = null;
  pointed = -1;
  focus = -1;
  stroke: readonly Point[] = [];
  bounds: Box | null = null;
  readonly eye: Eye;
  private readonly surface: Surface;
  private readonly tile = new Tile();
  private readonly painter = new MapPainter();
  private readonly frame = oncePerFrame(() => this.draw());
  private readonly refine = whenQuiet(90, () => this.repaint());
  private arrivals: Arrival[] = [];
  /** Scale at which all was last shown. */
  private base = 1;

  constructor(host: HTMLElement, disposer: Disposer) {
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
    this.arrivals = [];
    this.tile.drop();
    this.frame.ask();
  }

  /** Only what lies over the picture changed. */
  retouch(): void {
    this.frame.ask();
  }

  /** Rows `from…` are new, the picture is true of all before. */
  arrive(from: number): void {
    const to = this.scene?.points.length ?? from;
    if (to === from) return;
    if (this.scene?.theme.reducedMotion || to - from > MOST_FADING) this.settle(from);
    else this.arrivals.push({ from, to, start: performance.now() });
    this.frame.ask();
  }

  fit(glide = true): void {
    const camera = this.fitted();
    this.base = Math.abs(camera.kx);
    if (glide) this.eye.go(camera);
    else this.eye.set(camera);
    this.eye.fitted = true;
  }

  /** Shows everything again, where nobody has moved the view and something new lies outside of it. */
  follow(): void {
    const { bounds, eye } = this;
    if (!bounds || !eye.fitted) return;
    const { goal, size } = { goal: eye.goal, size: this.size };
    const x = [bounds.left, bounds.right].map((at) => at * goal.kx + goal.tx);
    const y = [bounds.top, bounds.bottom].map((at) => at * goal.ky + goal.ty);
    if (Math.min(...x) < 6 || Math.max(...x) > size.width - 6 || Math.min(...y) < 6 || Math.max(...y) > size.height - 6) this.fit();
  }

  pan(dx: number, dy: number): void {
    this.eye.fitted = false;
    this.eye.set(pan(this.eye.camera, dx, dy));
  }

  zoom(x: number, y: number, factor: number, glide = false): void {
    this.eye.fitted = false;
    const limits = [this.base * 0.3, this.base * 400] as const;
    const camera = zoomAt(glide ? this.eye.goal : this.eye.camera, x, y, factor, limits);
    if (glide) this.eye.go(camera);
    else this.eye.set(camera);
  }

  zoomBy(factor: number): void {
    this.zoom(this.size.width / 2, this.size.height / 2, factor, true);
  }

  reveal(row: number): void {
    const { scene, eye } = this;
    if (!scene || row < 0) return;
    const camera = reveal(eye.goal, scene.points.x[row] ?? 0, scene.points.y[row] ?? 0, this.area());
    if (camera.tx === eye.goal.tx && camera.ty === eye.goal.ty) return;
    eye.fitted = false;
    eye.go(camera);
  }

  /** Where an item is drawn. */
  place(row: number): { x: number; y: number; radius: number } {
    const { camera } = this.eye;
    const points = this.scene?.points;
    return { x: (points?.x[row] ?? 0) * camera.kx + camera.tx, y: (points?.y[row] ?? 0) * camera.ky + camera.ty, radius: radiusOf(points?.length ?? 0, this.zoomed) };
  }

  private get zoomed(): number {
    return Math.abs(this.eye.camera.kx) / this.base;
  }

  private area(): Box {
    const { width, height } = this.size;
    return { left: INSET.left, top: INSET.top, right: Math.max(INSET.left + 1, width - INSET.right), bottom: Math.max(INSET.top + 1, height - INSET.bottom) };
  }

  private fitted() {
    const { left, right, top, bottom } = this.bounds ?? { left: -1, right: 1, top: -1, bottom: 1 };
    const [dx, dy] = [Math.max(right - left, 1e-6) * GROWTH * 0.5, Math.max(bottom - top, 1e-6) * GROWTH * 0.5];
    return fit({ left: left - dx, right: right + dx, top: top - dy, bottom: bottom + dy }, this.area(), { kx: 1e9, ky: 1e9 }, true);
  }

  private resized(): void {
    this.tile.drop();
    if (this.eye.fitted) this.fit(false);
    this.frame.ask();
  }

  /** Puts what has come, from a row on, into the picture. */
  private settle(from: number): void {
    const { scene } = this;
    if (!scene) return;
    const added = this.tile.add((context, camera, width, height, dpr) => this.painter.items(context, scene, camera, { width, height, dpr }, this.zoomed, from));
    if (!added) this.tile.drop();
  }

  private draw(): void {
    const { scene, eye, surface } = this;
    const now = performance.now();
    eye.tick(now);
    if (!scene || !surface.size.width || !surface.size.height) return;
    this.settleArrivals(now);
    this.paintBase(scene);
    this.overlay(scene, now);
  }

  private settleArrivals(now: number): void {
    const done = this.arrivals.filter((arrival) => now - arrival.start >= FADE_MS);
    if (!done.length) return;
    this.arrivals = this.arrivals.slice(done.length);
    this.settle(done[0]?.from ?? 0);
  }

  private paintBase(scene: Scene): void {
    const { tile, surface } = this;
    const { camera } = this.eye;
    if (!tile.covers(camera, surface.size)) {
      if (tile.ready && tile.cost > SLOW_MS && tile.blurred(camera)) this.refine.ask();
      else {
        this.arrivals = [];
        tile.render(camera, surface.size, (context, at, width, height, dpr) => this.painter.items(context, scene, at, { width, height, dpr }, this.zoomed));
      }
    }
    tile.show(surface.clear(0), camera);
  }

  private overlay(scene: Scene, now: number): void {
    const context = this.surface.clear(1);
    const { camera } = this.eye;
    for (const { from, to, start } of this.arrivals) {
      paintArrivals(context, scene, camera, { from, to, alpha: Math.max(0, Math.min(1, (now - start) / FADE_MS)) }, this.zoomed);
      this.frame.ask();
    }
    paintTrail(context, scene, camera);
    paintBest(context, scene, camera, this.zoomed);
    for (const [row, color, gap] of [[this.pointed, scene.theme.css.ink, 2.5], [this.focus, scene.theme.css.accent, 5]] as const) {
      if (row < 0 || row >= scene.points.length) continue;
      const { x, y, radius } = this.place(row);
      ring(context, x, y, radius + gap, color, 2);
    }
    paintLasso(context, this.stroke, scene.theme);
  }
}
