/** Nodes on their way to their places. Pure but for the time that it is told. */
import { ease } from "../../shared/plane/camera";
import type { TreeLayout } from "./layout";

const WAY_MS = 260;
/** Beyond so many nodes at once nothing is seen but a flicker. */
const MOST = 3000;

export class Motion {
  x: ArrayLike<number> = [];
  y: ArrayLike<number> = [];
  private from: { x: Float64Array; y: Float64Array; start: number } | null = null;

  get moving(): boolean {
    return this.from !== null;
  }

  /** Sets out from where nodes were drawn to where `layout` has them; new ones come out of their parents. */
  go(layout: TreeLayout, parent: Int32Array, still: boolean, now: number): void {
    const before = Math.min(this.x.length, layout.length);
    if (still || !before || layout.length > MOST) return this.arrive(layout);
    const [x, y] = [new Float64Array(layout.length), new Float64Array(layout.length)];
    for (let node = 0; node < layout.length; node++) {
      const known = node < before;
      const source = known ? node : (parent[node] ?? -1);
      x[node] = source < 0 ? (layout.x[node] ?? 0) : known ? (this.x[node] ?? 0) : (x[source] ?? 0);
      y[node] = source < 0 ? (layout.y[node] ?? 0) : known ? (this.y[node] ?? 0) : (y[source] ?? 0);
    }
    this.from = { x, y, start: now };
    [this.x, this.y] = [x.slice(), y.slice()];
  }

  arrive(layout: TreeLayout): void {
    this.from = null;
    [this.x, this.y] = [layout.x.subarray(0, layout.length), layout.y.subarray(0, layout.length)];
  }

  /** Moves on to a time. Returns whether anything was on its way. */
  tick(layout: TreeLayout, now: number): boolean {
    const { from } = this;
    if (!from) return false;
    const t = (now - from.start) / WAY_MS;
    if (t >= 1 || layout.length < from.x.length) {
      this.arrive(layout);
      return true;
    }
    const part = ease(Math.max(0, t));
    const [x, y] = [this.x as Float64Array, this.y as Float64Array];
    for (let node = 0; node < from.x.length; node++) {
      x[node] = (from.x[node] as number) + ((layout.x[node] as number) - (from.x[node] as number)) * part;
      y[node] = (from.y[node] as number) + ((layout.y[node] as number) - (from.y[node] as number)) * part;
    }
    return true;
  }
}
