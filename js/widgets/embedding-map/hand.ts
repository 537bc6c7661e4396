/** What a hand on the map means. Knows the map, not the pointer. */
import type { Hand, Point } from "../../shared/plane/gestures";
import { itemAt, itemsWithin, simplified } from "./find";
import type { EmbeddingMap } from "./view";

export class MapHand implements Hand {
  private stroke: Point[] = [];

  constructor(private readonly map: EmbeddingMap) {}

  drag(event: PointerEvent): "pan" | "draw" {
    return this.map.lasso || event.shiftKey ? "draw" : "pan";
  }

  pan(dx: number, dy: number): void {
    this.map.point(-1);
    this.map.stage.pan(dx, dy);
  }

  zoom(at: Point, factor: number): void {
    this.map.point(-1);
    this.map.stage.zoom(at.x, at.y, factor);
  }

  draw(from: Point, to: Point): void {
    if (!this.stroke.length) this.stroke.push(from);
    this.stroke.push(to);
    this.map.stage.stroke = this.stroke = simplified(this.stroke);
    this.map.stage.retouch();
  }

  drawn(kept: boolean, event: PointerEvent): void {
    const { map, stroke } = this;
    this.stroke = [];
    map.stage.stroke = [];
    map.stage.retouch();
    if (!kept) return;
    const rows = itemsWithin(map.points, map.stage.eye.camera, stroke);
    map.mark(event.ctrlKey || event.metaKey ? [...new Set([...map.marked, ...rows])] : rows);
  }

  tap(at: Point, event: PointerEvent): void {
    const row = this.at(at);
    if (event.shiftKey || event.ctrlKey || event.metaKey) this.map.toggle(row);
    else this.map.mark(row >= 0 ? [row] : []);
  }

  doubleTap(at: Point): void {
    if (this.at(at) >= 0) this.map.selectQueries();
    else this.map.stage.zoom(at.x, at.y, 2, true);
  }

  hover(at: Point | null): void {
    this.map.point(at && !this.map.lasso ? this.at(at) : -1);
  }

  menu(_at: Point, event: MouseEvent): void {
    event.stopPropagation();
  }

  plainWheel(): void {
    this.map.hintWheel();
  }

  private at(at: Point): number {
    return itemAt(this.map.points, this.map.stage.eye.camera, at, 8);
  }
}
