/** The operators side by side: what each cost and what it found. Knows the feed, no model. */

import { categorical } from "../../shared/colors";
import { Disposer, whenQuiet } from "../../shared/disposer";
import { h, setAttribute } from "../../shared/dom";
import { count, decimals, line, score } from "../../shared/format";
import { watchTheme } from "../../shared/theme";
import type { Feed, View } from "../../shared/types";
import { type OperatorRow, operatorRows } from "./state";

const HEADS = ["operator", "queries", "calls", "share of calls", "new items", "best", "mean"];
const CALM = 400;

export function createOperators(el: HTMLElement, { feed }: { feed: Feed }): View {
  const ends = new Disposer();
  const body = h("tbody");
  const empty = h("div", { class: "eow-empty" }, "No query has been looked at yet.");
  let dark = false;
  el.classList.add("eow-operators");
  el.append(h("table", {}, h("thead", {}, h("tr", {}, ...HEADS.map((label) => h("th", { scope: "col" }, label)))), body), empty);
  const draw = () => {
    const { facts } = feed;
    const rows = facts ? operatorRows(feed.table("nodes"), feed.table("items"), facts) : [];
    const places = decimals(facts?.score_range ?? null);
    body.replaceChildren(...rows.map((row) => rowOf(row, places, dark)));
    empty.hidden = rows.length > 0;
  };
  const soon = whenQuiet(CALM, draw);
  let drawn = 0;
  const calmly = () => {
    const now = performance.now();
    if (now - drawn < CALM) return soon.ask();
    drawn = now;
    draw();
  };
  ends.add(soon.cancel);
  ends.add(feed.subscribe((change) => (change.tables.has("nodes") || change.tables.has("items") || change.facts) && calmly()));
  ends.add(watchTheme(el, (theme) => {
    dark = theme.dark;
    draw();
  }));
  return {
    destroy() {
      ends.dispose();
      el.replaceChildren();
    },
  };
}

function rowOf(row: OperatorRow, places: number, dark: boolean): HTMLElement {
  const dot = h("i", { class: "eow-dot", "aria-hidden": "true" });
  dot.style.background = categorical(row.code, dark);
  const fill = h("i");
  fill.style.width = `${(row.share * 100).toFixed(1)}%`;
  fill.style.background = categorical(row.code, dark);
  const percent = `${(row.share * 100).toFixed(row.share < 0.1 && row.share > 0 ? 1 : 0)} %`;
  const bar = h("td", { class: "eow-share" }, h("div", {}, h("span", { class: "eow-share-bar", "aria-hidden": "true" }, fill), h("span", {}, percent)));
  const cells = [count(row.queries), count(row.calls), null, count(row.fresh), score(row.best, places), score(row.mean, places)];
  const out = h("tr", { class: "eow-num" }, h("th", { scope: "row" }, dot, line(row.name, 60)));
  for (const cell of cells) out.append(cell === null ? bar : h("td", {}, cell));
  setAttribute(out, "data-operator", row.code);
  return out;
}
