/**
 * What a hand does on a plane: drags, taps, pinches, wheels, points. Knows the DOM's pointer events and nothing of what is drawn.
 *
 * A page scrolls on under it: the plain wheel and a vertical swipe stay the page's; the wheel with Ctrl or ⌘, and a pinch, zoom.
 */
import type { Disposer } from "../disposer";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What a drag does: moves the plane, or draws (a box, a lasso). */
export type Drag = "pan" | "draw";

export interface Hand {
  drag(event: PointerEvent): Drag;
  pan(dx: number, dy: number): void;
  zoom(at: Point, factor: number): void;
  draw(from: Point, to: Point): void;
  /** `kept`: false when the drawing was broken off. */
  drawn(kept: boolean, event: PointerEvent): void;
  tap(at: Point, event: PointerEvent): void;
  doubleTap(at: Point): void;
  hover(at: Point | null): void;
  menu(at: Point, event: MouseEvent): void;
  /** The wheel was turned without the key that zooms. */
  plainWheel(): void;
}

const STILL = 4;
const TWICE_MS = 350;

interface Held {
  start: Point;
  last: Point;
  kind: Drag | "still";
}

class Pointers {
  private held = new Map<number, Held>();
  private pinch = 0;
  private lastTap: { at: Point; time: number } | null = null;

  constructor(
    private el: HTMLElement,
    private hand: Hand,
  ) {}

  point(event: MouseEvent): Point {
    const box = this.el.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  down(event: PointerEvent): void {
    if (event.button !== 0) return;
    const at = this.point(event);
    this.el.setPointerCapture(event.pointerId);
    this.held.set(event.pointerId, { start: at, last: at, kind: "still" });
    this.pinch = this.spanOf()?.span ?? 0;
    this.hand.hover(null);
  }

  move(event: PointerEvent): void {
    const held = this.held.get(event.pointerId);
    const at = this.point(event);
    if (!held) {
      if (!this.held.size) this.hand.hover(at);
      return;
    }
    const before = held.last;
    if (this.held.size > 1) {
      held.last = at;
      held.kind = "pan";
      this.pinched(at.x - before.x, at.y - before.y);
      return;
    }
    if (held.kind === "still") {
      if (Math.hypot(at.x - held.start.x, at.y - held.start.y) < STILL) return;
      held.kind = this.hand.drag(event);
    }
    held.last = at;
    if (held.kind === "draw") this.hand.draw(held.start, at);
    else this.hand.pan(at.x - before.x, at.y - before.y);
  }

  up(event: PointerEvent, kept: boolean): void {
    const held = this.held.get(event.pointerId);
    if (!held) return;
    this.held.delete(event.pointerId);
    this.pinch = 0;
    if (held.kind === "draw") this.hand.drawn(kept, event);
    else if (held.kind === "still" && kept) this.tapped(held.start, event);
  }

  private tapped(at: Point, event: PointerEvent): void {
    const before = this.lastTap;
    const twice = before && event.timeStamp - before.time < TWICE_MS && Math.hypot(at.x - before.at.x, at.y - before.at.y) < 2 * STILL;
    this.lastTap = twice ? null : { at, time: event.timeStamp };
    if (twice) this.hand.doubleTap(at);
    else this.hand.tap(at, event);
  }

  private spanOf(): { span: number; middle: Point } | null {
    const [a, b] = [...this.held.values()].map((held) => held.last);
    if (!a || !b) return null;
    return { span: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }

  private pinched(dx: number, dy: number): void {
    const now = this.spanOf();
    if (!now) return;
    this.hand.pan(dx / 2, dy / 2);
    if (this.pinch > 0 && now.span > 0) this.hand.zoom(now.middle, now.span / this.pinch);
    this.pinch = now.span;
  }
}

/** How much a turn of the wheel zooms. */
export function wheelFactor(event: WheelEvent): number {
  const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 240 : 1;
  const turn = Math.max(-60, Math.min(60, event.deltaY * lines));
  return Math.exp(-turn * (Math.abs(event.deltaY) < 20 && event.deltaMode === 0 ? 0.012 : 0.005));
}

/** Listens to a hand on `el` until `disposer` is done. */
export function listenToHand(el: HTMLElement, hand: Hand, disposer: Disposer): void {
  const pointers = new Pointers(el, hand);
  disposer.listen(el, "pointerdown", (event: PointerEvent) => pointers.down(event));
  disposer.listen(el, "pointermove", (event: PointerEvent) => pointers.move(event));
  disposer.listen(el, "pointerup", (event: PointerEvent) => pointers.up(event, true));
  disposer.listen(el, "pointercancel", (event: PointerEvent) => pointers.up(event, false));
  disposer.listen(el, "pointerleave", () => hand.hover(null));
  disposer.listen(el, "contextmenu", (event: MouseEvent) => hand.menu(pointers.point(event), event));
  const wheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) {
      hand.plainWheel();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    hand.zoom(pointers.point(event), wheelFactor(event));
  };
  disposer.listen(el, "wheel", wheel, { passive: false });
}
