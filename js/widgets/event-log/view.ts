/** The log: who did what when, and the way to the query it was done to. Knows the feed, no model. */

import { Disposer } from "../../shared/disposer";
import { h, setAttribute, setText } from "../../shared/dom";
import { plural } from "../../shared/format";
import type { Feed, View } from "../../shared/types";
import { Virtual } from "../../shared/virtual";
import { eventAt } from "./state";

const HEADS = ["time", "calls", "who", "what", "query"] as const;

export interface LogProps {
  feed: Feed;
  /** Without a bar where a tab names it already. */
  bare?: boolean;
}

export function create(el: HTMLElement, { feed, bare = false }: LogProps): View {
  const ends = new Disposer();
  const events = () => feed.table("events");
  const list = new Virtual({ rowHeight: 27, make: makeRow, fill: (row, at) => fillRow(row, at, feed) });
  const caption = h("span", { class: "eow-caption eow-num" });
  const empty = h("div", { class: "eow-empty", role: "status" }, "Nothing has happened yet.");
  const heads = HEADS.map((label) => h("div", { role: "columnheader", class: "eow-cell" }, label));
  list.el.tabIndex = 0;
  setAttribute(list.el, "aria-label", "Events, latest first");
  const table = h("div", { role: "table", "aria-label": "Events, latest first", class: "eow-log" }, h("div", { role: "rowgroup", class: "eow-log-head" }, h("div", { role: "row", class: "eow-event-row" }, ...heads)), list.el);
  el.classList.add("eow", "eow-event-log");
  setAttribute(el, "data-lm-suppress-shortcuts", "true");
  if (!bare) el.append(h("div", { class: "eow-log-bar" }, h("b", {}, "Events"), caption));
  el.append(table, empty);
  const draw = () => {
    const { length } = events();
    const apart = list.el.scrollTop > 0 ? length - Number(table.dataset.length ?? length) : 0;
    table.dataset.length = String(length);
    setAttribute(table, "aria-rowcount", length + 1);
    list.setLength(length);
    if (apart > 0) list.shift(apart);
    list.refresh();
    empty.hidden = length > 0;
    setText(caption, length ? plural(length, "event") : "");
  };
  ends.listen(list.el, "click", (event) => {
    const node = (event.target as Element).closest<HTMLElement>("[data-node]")?.dataset.node;
    if (node) feed.select([Number(node)]);
  });
  ends.add(feed.subscribe((change) => {
    if (change.tables.has("events") || change.tables.has("nodes")) draw();
    else if (change.selection) list.refresh();
  }));
  ends.add(() => list.destroy());
  draw();
  return {
    destroy() {
      ends.dispose();
      el.replaceChildren();
    },
  };
}

function makeRow(): HTMLElement {
  const what = h("div", { role: "cell", class: "eow-cell" }, h("span"), h("span", { class: "eow-why" }));
  const jump = h("div", { role: "cell", class: "eow-cell" }, h("button", { type: "button", class: "eow-jump" }));
  const cells = ["eow-cell eow-num", "eow-cell eow-num", "eow-cell"].map((style) => h("div", { role: "cell", class: style }));
  return h("div", { role: "row", class: "eow-event-row" }, ...cells, what, jump);
}

function fillRow(row: HTMLElement, at: number, feed: Feed): void {
  const event = eventAt(feed.table("events"), at);
  const [time, calls, who, what, jump] = row.children;
  if (!time || !calls || !who || !what || !jump) return;
  setAttribute(row, "aria-rowindex", at + 2);
  setAttribute(row, "data-tone", event.tone);
  row.classList.toggle("eow-of-selection", event.node >= 0 && feed.selection().includes(event.node));
  setText(time, event.time);
  setText(calls, event.calls);
  setText(who, event.who);
  setText(what.children[0] as Element, event.text);
  setText(what.children[1] as Element, event.note ? `“${event.note}”` : "");
  setAttribute(what, "title", event.text.length + event.note.length > 60 ? `${event.text} ${event.note}` : null);
  const button = jump.children[0] as HTMLElement;
  button.hidden = event.node < 0;
  setText(button, event.node < 0 ? "" : String(event.node));
  setAttribute(button, "data-node", event.node < 0 ? null : event.node);
  setAttribute(button, "aria-label", `Select query ${event.node}`);
}
