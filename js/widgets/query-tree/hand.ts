/** What a hand on the tree means. Knows the tree, not the pointer. */
import type { Hand, Point } from "../../shared/plane/gestures";
import { nodesIn } from "./hit";
import type { QueryTree } from "./view";

const HINTS = 3;

export class TreeHand implements Hand {
  private hints = 0;
  private lastHint = 0;

  constructor(private readonly tree: QueryTree) {}

  drag(event: PointerEvent): "pan" | "draw" {
    return event.shiftKey ? "draw" : "pan";
  }

  pan(dx: number, dy: number): void {
    this.tree.point(-1);
    this.tree.stage.pan(dx, dy);
  }

  zoom(at: Point, factor: number): void {
    this.tree.point(-1);
    this.tree.stage.zoom(at.x, at.y, factor);
  }

  draw(from: Point, to: Point): void {
    const { stage } = this.tree;
    stage.box = { left: Math.min(from.x, to.x), right: Math.max(from.x, to.x), top: Math.min(from.y, to.y), bottom: Math.max(from.y, to.y) };
    stage.retouch();
  }

  drawn(kept: boolean, event: PointerEvent): void {
    const { tree } = this;
    const { box, scene, eye } = tree.stage;
    tree.stage.box = null;
    tree.stage.retouch();
    if (!kept || !box || !scene) return;
    const found = nodesIn(scene.layout, scene.hidden, eye.camera, box);
    tree.select(event.ctrlKey || event.metaKey ? [...tree.selection, ...found] : found);
  }

  tap(at: Point, event: PointerEvent): void {
    const { tree } = this;
    const node = tree.stage.nodeAt(at.x, at.y);
    if (event.shiftKey || event.ctrlKey || event.metaKey) tree.toggle(node);
    else tree.select(node >= 0 ? [node] : []);
  }

  doubleTap(at: Point): void {
    const { stage } = this.tree;
    const node = stage.nodeAt(at.x, at.y);
    if (node >= 0) this.tree.collapse(node);
    else stage.zoom(at.x, at.y, 2, true);
  }

  hover(at: Point | null): void {
    this.tree.point(at ? this.tree.stage.nodeAt(at.x, at.y) : -1);
  }

  menu(at: Point, event: MouseEvent): void {
    event.preventDefault();
    event.stopPropagation();
    const fromKeys = event.button !== 2 && event.detail === 0;
    if (!fromKeys) this.tree.openMenu(this.tree.stage.nodeAt(at.x, at.y), at);
  }

  /** Only people who are at work in the tree are told, and only a few times. */
  plainWheel(): void {
    const now = performance.now();
    const working = this.tree.root.contains(document.activeElement);
    if (!working || this.hints >= HINTS || now - this.lastHint < 4000) return;
    this.lastHint = now;
    this.hints++;
    const key = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";
    this.tree.say(`Hold ${key} and scroll to zoom`, true);
  }
}
