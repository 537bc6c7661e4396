/** A scrolling list that holds only the rows in sight, whatever its length. Knows nothing of what the rows show. */

import { Disposer, oncePerFrame } from "./disposer";
import { h } from "./dom";

export interface VirtualOptions {
  rowHeight: number;
  /** Makes an empty row; it is used for one place after another. */
  make: () => HTMLElement;
  /** Fills a row for a place of the list. */
  fill: (row: HTMLElement, at: number) => void;
  /** Called after the rows in sight were drawn. */
  seen?: () => void;
}

/** Browsers lay out at most some 17 million pixels; longer lists are scrolled in proportion. */
const TALLEST = 8_000_000;
const BEYOND = 4;

export class Virtual {
  /** The places that have rows: from `first` to before `end`. */
  first = 0;
  end = 0;
  private readonly space = h("div", { class: "eow-space", role: "presentation" });
  /** What scrolls. */
  readonly el = h("div", { class: "eow-scroll", role: "rowgroup" }, this.space);
  private readonly ends = new Disposer();
  private readonly rows = new Map<number, HTMLElement>();
  private readonly spare: HTMLElement[] = [];
  private readonly frame = oncePerFrame(() => this.draw());
  private rowHeight: number;
  private length = 0;
  private height = 0;
  private stale = false;

  constructor(private readonly options: VirtualOptions) {
    this.rowHeight = options.rowHeight;
    const size = new ResizeObserver(() => {
      this.height = this.el.clientHeight;
      this.frame.ask();
    });
    size.observe(this.el);
    this.ends.add(() => size.disconnect());
    this.ends.add(this.frame.cancel);
    this.ends.listen(this.el, "scroll", this.frame.ask, { passive: true });
  }

  setLength(length: number): void {
    if (length === this.length) return;
    this.length = length;
    this.resize();
  }

  setRowHeight(height: number): void {
    if (height === this.rowHeight) return;
    this.rowHeight = height;
    this.resize();
  }

  /** Fills the rows in sight anew, at the next frame. */
  refresh(): void {
    this.stale = true;
    this.frame.ask();
  }

  /** Scrolls as little as shows a place. */
  reveal(at: number): void {
    const wanted = Math.min(Math.max(this.top, (at + 1) * this.rowHeight - this.height), at * this.rowHeight);
    if (wanted !== this.top) this.el.scrollTop = wanted / this.ratio;
    this.draw();
  }

  /** How many rows fit. */
  page(): number {
    return Math.max(1, Math.floor(this.height / this.rowHeight));
  }

  /** Scrolls by rows, so that what is read stays in place when rows come before it. */
  shift(rows: number): void {
    this.el.scrollTop += (rows * this.rowHeight) / this.ratio;
  }

  rowAt(at: number): HTMLElement | null {
    return this.rows.get(at) ?? null;
  }

  destroy(): void {
    this.ends.dispose();
    this.el.remove();
  }

  private get tall(): number {
    return this.length * this.rowHeight;
  }

  /** How many pixels of the list one pixel of scrolling is. */
  private get ratio(): number {
    return this.tall > TALLEST ? (this.tall - this.height) / (TALLEST - this.height) : 1;
  }

  private get top(): number {
    return this.el.scrollTop * this.ratio;
  }

  private resize(): void {
    this.space.style.height = `${Math.min(this.tall, TALLEST)}px`;
    this.refresh();
  }

  private draw(): void {
    const { top, rowHeight } = this;
    this.first = Math.max(0, Math.min(this.length, Math.floor(top / rowHeight) - BEYOND));
    this.end = Math.min(this.length, Math.ceil((top + this.height) / rowHeight) + BEYOND);
    for (const [at, row] of this.rows) {
      if (at >= this.first && at < this.end) continue;
      this.rows.delete(at);
      row.hidden = true;
      this.spare.push(row);
    }
    const offset = this.el.scrollTop - top;
    for (let at = this.first; at < this.end; at++) this.place(at, at * rowHeight + offset);
    this.stale = false;
    this.options.seen?.();
  }

  private place(at: number, y: number): void {
    const known = this.rows.get(at);
    const row = known ?? this.spare.pop() ?? this.space.appendChild(this.options.make());
    if (!known || this.stale) this.options.fill(row, at);
    row.hidden = false;
    row.style.transform = `translateY(${y}px)`;
    this.rows.set(at, row);
  }
}
