/**
 * A picture of a plane somewhat larger than the view, kept so that panning only moves it. Knows when it no longer fits, not what is on it.
 */
import type { Camera } from "./camera";
import type { Size } from "./surface";

/** Draws the plane on a canvas of `width × height` CSS pixels, of which the camera is that of its own left upper corner. */
export type Paint = (context: CanvasRenderingContext2D, camera: Camera, width: number, height: number, dpr: number) => void;

/** How much larger than the view the picture is, on each side. */
const MARGIN = 0.45;

export class Tile {
  private canvas = document.createElement("canvas");
  private context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
  private camera: Camera | null = null;
  private size: Size = { width: 0, height: 0, dpr: 1 };
  private margin = { x: 0, y: 0 };
  /** Milliseconds that the last painting took. */
  cost = 0;

  /** What is on it is no longer true. */
  drop(): void {
    this.camera = null;
  }

  /** Whether it shows all of the view, sharply. */
  covers(camera: Camera, size: Size): boolean {
    const mine = this.camera;
    if (!mine || size !== this.size || camera.kx !== mine.kx || camera.ky !== mine.ky) return false;
    return Math.abs(camera.tx - mine.tx) <= this.margin.x && Math.abs(camera.ty - mine.ty) <= this.margin.y;
  }

  /** Whether there is anything to show, if blurred or in part. */
  get ready(): boolean {
    return this.camera !== null;
  }

  /** Whether it is all there is for now, at another scale. */
  blurred(camera: Camera): boolean {
    return this.camera !== null && (camera.kx !== this.camera.kx || camera.ky !== this.camera.ky);
  }

  render(camera: Camera, size: Size, paint: Paint): void {
    const before = performance.now();
    if (size !== this.size) this.resize(size);
    const { context, margin } = this;
    const [width, height] = [size.width + 2 * margin.x, size.height + 2 * margin.y];
    context.setTransform(size.dpr, 0, 0, size.dpr, 0, 0);
    context.clearRect(0, 0, width, height);
    paint(context, { ...camera, tx: camera.tx + margin.x, ty: camera.ty + margin.y }, width, height, size.dpr);
    this.camera = camera;
    this.cost = performance.now() - before;
  }

  /** Draws more onto what is there, which stays true. Returns false where there is nothing to add to. */
  add(paint: Paint): boolean {
    const { camera, size, margin } = this;
    if (!camera) return false;
    this.context.setTransform(size.dpr, 0, 0, size.dpr, 0, 0);
    paint(this.context, { ...camera, tx: camera.tx + margin.x, ty: camera.ty + margin.y }, size.width + 2 * margin.x, size.height + 2 * margin.y, size.dpr);
    return true;
  }

  /** Draws it where it belongs on a layer that has been cleared. */
  show(layer: CanvasRenderingContext2D, camera: Camera): void {
    const mine = this.camera;
    if (!mine) return;
    const [sx, sy] = [camera.kx / mine.kx, camera.ky / mine.ky];
    const { width, height, dpr } = this.size;
    const left = camera.tx - (mine.tx + this.margin.x) * sx;
    const top = camera.ty - (mine.ty + this.margin.y) * sy;
    const snap = sx === 1 && sy === 1 ? (value: number) => Math.round(value * dpr) / dpr : (value: number) => value;
    layer.drawImage(this.canvas, snap(left), snap(top), (width + 2 * this.margin.x) * sx, (height + 2 * this.margin.y) * sy);
  }

  dispose(): void {
    this.canvas.width = this.canvas.height = 0;
    this.camera = null;
  }

  private resize(size: Size): void {
    this.size = size;
    const whole = (length: number) => Math.ceil(length * MARGIN);
    this.margin = { x: whole(size.width), y: whole(size.height) };
    this.canvas.width = Math.round((size.width + 2 * this.margin.x) * size.dpr);
    this.canvas.height = Math.round((size.height + 2 * this.margin.y) * size.dpr);
  }
}
