/** The whole tree in a corner, and which part of it the view shows; a press or a drag on it moves the view. */
import { type Box, type Camera, fit, shown } from "../../shared/plane/camera";
import type { Disposer } from "../../shared/disposer";
import { h } from "../../shared/dom";
import { Raster, discRows, pixelOf } from "../../shared/plane/raster";
import type { Size } from "../../shared/plane/surface";
import { byTone } from "./dense";
import type { Scene } from "./scene";
import { LOOK } from "./state";

/** Nodes from which on the map is shown. */
export const MAP_FROM = 2000;
const WIDTH = 132;
const HEIGHT = 72;
const PAD = 4;

export class Minimap {
  readonly element = h("div", { class: "eow-minimap", "aria-hidden": "true", hidden: "" });
  private readonly canvas = h("canvas");
  private readonly frame = h("i");
  private readonly raster = new Raster();
  private bounds: Box = { left: 0, top: 0, right: 0, bottom: 0 };
  private wanted = false;
  private camera: Camera = { kx: 1, ky: 1, tx: 0, ty: 0 };

  /** @param go Called with the point of the plane that the view should have in its middle. */
  constructor(go: (x: number, y: number) => void, disposer: Disposer) {
    this.element.append(this.canvas, this.frame);
    const press = (event: PointerEvent) => {
      if (event.buttons !== 1) return;
      event.stopPropagation();
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      const box = this.element.getBoundingClientRect();
      const { kx, ky, tx, ty } = this.camera;
      go((event.clientX - box.left - tx) / kx, (event.clientY - box.top - ty) / ky);
    };
    disposer.listen(this.element, "pointerdown", press);
    disposer.listen(this.element, "pointermove", press);
  }

  paint(scene: Scene, bounds: Box, dpr: number): void {
    this.bounds = bounds;
    this.wanted = scene.nodes.length >= MAP_FROM;
    if (!this.wanted) return;
    this.camera = fit(bounds, { left: PAD, top: PAD, right: WIDTH - PAD, bottom: HEIGHT - PAD }, { kx: 40, ky: 10 });
    const { raster, camera } = this;
    raster.resize(WIDTH * dpr, HEIGHT * dpr);
    raster.clear();
    const [r, g, b] = scene.theme.rgb.ghost;
    const ghost = pixelOf(r, g, b);
    const dot = discRows(0.6 * dpr);
    const pixels = scene.palette.map(([red, green, blue]) => pixelOf(red, green, blue));
    const place = (node: number, pixel: number) =>
      raster.disc(((scene.x[node] as number) * camera.kx + camera.tx) * dpr, ((scene.y[node] as number) * camera.ky + camera.ty) * dpr, dot, pixel);
    const order = byTone(scene);
    for (const node of order) if (scene.look[node] !== LOOK.filled) place(node, ghost);
    for (const node of order) if (scene.look[node] === LOOK.filled) place(node, pixels[scene.tone[node] as number] ?? ghost);
    [this.canvas.width, this.canvas.height] = [raster.width, raster.height];
    const context = this.canvas.getContext("2d");
    if (context) raster.replace(context);
  }

  /** Frames what a camera shows of the tree; where it shows all, there is no need of a map. */
  look(camera: Camera, size: Size): void {
    const part = shown(camera, { left: 0, top: 0, right: size.width, bottom: size.height });
    const { left: west, right: east, top: north, bottom: south } = this.bounds;
    const all = part.left <= west && part.right >= east && part.top <= north && part.bottom >= south;
    this.element.hidden = !this.wanted || all || size.height < 240;
    if (this.element.hidden) return;
    const { kx, ky, tx, ty } = this.camera;
    const clip = (value: number, most: number) => Math.max(1, Math.min(most - 1, value));
    const [left, right] = [clip(part.left * kx + tx, WIDTH), clip(part.right * kx + tx, WIDTH)];
    const [top, bottom] = [clip(part.top * ky + ty, HEIGHT), clip(part.bottom * ky + ty, HEIGHT)];
    Object.assign(this.frame.style, { left: `${left}px`, top: `${top}px`, width: `${Math.max(3, right - left)}px`, height: `${Math.max(3, bottom - top)}px` });
  }
}
