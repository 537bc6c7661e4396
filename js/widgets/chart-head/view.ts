/** The row above a chart: its title, what it shows, linear or log. Knows the feed and a scale, no model. */

import { Disposer } from "../../shared/disposer";
import { h, setAttribute, setText } from "../../shared/dom";
import type { Feed, View } from "../../shared/types";
import { type Chart, TITLES, itemsOf, subtitle } from "./state";

export type Scale = "linear" | "log";

export interface HeadProps {
  feed: Feed;
  chart: Chart;
  scale: { get(): Scale; set(scale: Scale): void; subscribe(listener: () => void): () => void };
}

export function create(el: HTMLElement, { feed, chart, scale }: HeadProps): View {
  const ends = new Disposer();
  const says = h("span", { class: "eow-chart-says eow-num" });
  const toggle = h("button", { type: "button", class: "eow-scale", title: "Bars of logarithmic height" }, "log");
  el.classList.add("eow", "eow-chart-head");
  setAttribute(el, "data-lm-suppress-shortcuts", "true");
  el.append(h("span", { class: "eow-chart-title", role: "heading", "aria-level": "4" }, TITLES[chart]), says);
  if (chart === "histogram") el.append(toggle);
  const draw = () => {
    const items = feed.table("items");
    const selection = feed.selection();
    setText(says, subtitle(chart, items.length, selection.length ? itemsOf(items, selection) : null));
    setAttribute(toggle, "aria-pressed", String(scale.get() === "log"));
  };
  ends.listen(toggle, "click", () => scale.set(scale.get() === "log" ? "linear" : "log"));
  ends.add(scale.subscribe(draw));
  ends.add(feed.subscribe((change) => (change.selection || change.tables.has("items")) && draw()));
  draw();
  return {
    destroy() {
      ends.dispose();
      el.replaceChildren();
    },
  };
}
