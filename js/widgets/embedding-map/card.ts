/** What an item is, beside it: its score at once, its id, text and picture a moment later. Asks for an item once. */
import { whenQuiet } from "../../shared/disposer";
import { h } from "../../shared/dom";
import { block, count, decimals, line, picture, score } from "../../shared/format";
import type { Feed } from "../../shared/types";
import type { Points } from "./state";

interface Told {
  id: string;
  text: string;
  image: string | null;
}

const PAUSE_MS = 90;
const KEPT = 300;

export class ItemCard {
  readonly element = h("div", { class: "eow-card eow-num", "aria-hidden": "true", hidden: "" });
  private row = -1;
  private readonly told = new Map<number, Told>();
  private readonly asking = whenQuiet(PAUSE_MS, () => this.ask());
  private over = false;

  /** @param heard Called with a line about the item when it is known. */
  constructor(
    private readonly feed: Feed,
    private readonly points: () => Points,
    private readonly heard: (row: number, text: string) => void,
  ) {}

  show(row: number, at: { x: number; y: number; radius: number }): void {
    if (row < 0) return this.hide();
    if (row !== this.row) {
      this.row = row;
      this.fill();
      if (!this.told.has(row)) this.asking.ask();
    }
    this.element.hidden = false;
    this.place(at);
  }

  hide(): void {
    this.row = -1;
    this.asking.cancel();
    this.element.hidden = true;
  }

  destroy(): void {
    this.over = true;
    this.hide();
    this.element.remove();
  }

  private async ask(): Promise<void> {
    const { row } = this;
    if (row < 0) return;
    try {
      const { data } = await this.feed.ask<{ id: string[]; text: string[]; image: (string | null)[] }>("items", { rows: [row] });
      if (this.told.size >= KEPT) this.told.clear();
      this.told.set(row, { id: data.id[0] ?? "", text: data.text[0] ?? "", image: data.image?.[0] ?? null });
    } catch {
      return;
    }
    if (!this.over && row === this.row) this.fill();
  }

  private fill(): void {
    const { row } = this;
    const points = this.points();
    const places = decimals(this.feed.facts?.score_range ?? null);
    const told = this.told.get(row);
    const value = Number.isFinite(points.score[row] ?? Number.NaN) ? score(points.score[row], places) : "not valid";
    const facts: [string, string][] = [["score", value], ["call", count((points.call[row] ?? 0) + 1)], ["found by", `query ${points.node[row] ?? ""}`]];
    const parts: HTMLElement[] = [h("div", { class: "eow-card-head" }, h("b", {}, told ? line(told.id, 60) : `Item ${row + 1}`)), h("hr")];
    for (const [name, text] of facts) parts.push(h("div", { class: "eow-card-row" }, h("span", {}, name), h("span", {}, text)));
    const src = picture(told?.image);
    if (src) parts.push(h("hr"), h("img", { src, alt: "" }));
    if (told?.text && told.text !== told.id) parts.push(h("hr"), h("div", { class: "eow-card-text" }, block(told.text, 300)));
    this.element.replaceChildren(...parts);
    if (told) this.heard(row, `${line(told.id, 60)}, score ${value}, found by query ${points.node[row] ?? ""}`);
  }

  private place(at: { x: number; y: number; radius: number }): void {
    const host = this.element.parentElement;
    if (!host) return;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const gap = at.radius + 10;
    const left = at.x + gap + width < host.clientWidth - 6 ? at.x + gap : Math.max(6, at.x - gap - width);
    const top = Math.max(6, Math.min(host.clientHeight - height - 6, at.y - 20));
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
