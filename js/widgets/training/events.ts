/** What happened in a training, latest first. Knows the feed, no model. */

import { h, setAttribute, setText } from "../../shared/dom";
import { plural } from "../../shared/format";
import type { Feed, View } from "../../shared/types";
import { Virtual } from "../../shared/virtual";
import { eventAt } from "./state";

const HEADS = ["time", "step", "who", "what"] as const;

export function createEvents(el: HTMLElement, feed: Feed): View & { draw(): void } {
  const events = () => feed.table("events");
  const list = new Virtual({ rowHeight: 27, make: makeRow, fill: (row, at) => fillRow(row, at, feed) });
  const caption = h("span", { class: "eow-caption eow-num" });
  const empty = h("div", { class: "eow-empty", role: "status" }, "Nothing has happened yet.");
  const heads = HEADS.map((label) => h("div", { role: "columnheader", class: "eow-cell" }, label));
  const label = "Events, latest first";
  list.el.tabIndex = 0;
  setAttribute(list.el, "aria-label", label);
  const table = h("div", { role: "table", "aria-label": label, class: "eow-log" }, h("div", { role: "rowgroup", class: "eow-log-head" }, h("div", { role: "row", class: "eow-event-row" }, ...heads)), list.el);
  el.classList.add("eow", "eow-event-log", "eow-training-log");
  el.append(h("div", { class: "eow-log-bar" }, h("b", { role: "heading", "aria-level": "4" }, "Events"), caption), table, empty);
  return {
    draw() {
      const { length } = events();
      setAttribute(table, "aria-rowcount", length + 1);
      list.setLength(length);
      list.refresh();
      empty.hidden = length > 0;
      setText(caption, length ? plural(length, "event") : "");
    },
    destroy: () => list.destroy(),
  };
}

function makeRow(): HTMLElement {
  const what = h("div", { role: "cell", class: "eow-cell" }, h("span"), h("span", { class: "eow-why" }));
  const cells = ["eow-cell eow-num", "eow-cell eow-num", "eow-cell"].map((style) => h("div", { role: "cell", class: style }));
  return h("div", { role: "row", class: "eow-event-row" }, ...cells, what);
}

function fillRow(row: HTMLElement, at: number, feed: Feed): void {
  const event = eventAt(feed.table("events"), at);
  const [time, step, who, what] = row.children;
  if (!time || !step || !who || !what) return;
  setAttribute(row, "aria-rowindex", at + 2);
  setAttribute(row, "data-tone", event.tone);
  setText(time, event.time);
  setText(step, event.step);
  setText(who, event.who);
  setText(what.children[0] as Element, event.text);
  setText(what.children[1] as Element, event.note ? `“${event.note}”` : "");
  setAttribute(what, "title", event.text.length + event.note.length > 60 ? `${event.text} ${event.note}` : null);
}
