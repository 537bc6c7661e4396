/** The parts of the table that stay: heads, grid, bar, and what is said when there are no rows. */

import { h, setAttribute, setText } from "../../shared/dom";
import { COLUMNS } from "./row";
import type { Sort } from "./state";

export interface Frame {
  grid: HTMLElement;
  headRow: HTMLElement;
  says: HTMLElement;
  /** Shows how the rows are sorted, how many there are, and why there are none. */
  dress(sort: Sort, rows: number, caption: string, whyEmpty: string): void;
}

export function createFrame(el: HTMLElement, list: HTMLElement, find: HTMLElement, tools: HTMLElement | undefined): Frame {
  const heads = COLUMNS.map(({ key, label, right }) => {
    const inner = key ? h("button", { type: "button", class: "eow-sort" }, label) : h("span", {}, label);
    return h("div", { role: "columnheader", class: right ? "eow-cell eow-right" : "eow-cell", "data-key": key }, inner);
  });
  const headRow = h("div", { role: "row", class: "eow-item-row", "aria-rowindex": "1" }, ...heads);
  const grid = h(
    "div",
    { role: "grid", class: "eow-grid", tabindex: "0", "aria-label": "Items, best first", "aria-multiselectable": "true", "aria-colcount": COLUMNS.length },
    h("div", { role: "rowgroup", class: "eow-grid-head" }, headRow),
    list,
  );
  const empty = h("div", { class: "eow-empty", role: "status" });
  const caption = h("span", { class: "eow-caption eow-num" });
  const says = h("div", { class: "eow-unseen", role: "status" });
  if (tools) tools.append(find);
  else el.append(h("div", { class: "eow-table-bar" }, h("b", {}, "Items"), caption, h("span", { class: "eow-push" }), find));
  el.append(grid, empty, says);
  return {
    grid, headRow, says,
    dress(sort, rows, text, whyEmpty) {
      setAttribute(grid, "aria-rowcount", rows + 1);
      for (const head of heads) setAttribute(head, "aria-sort", head.dataset.key !== sort.key ? null : sort.falling ? "descending" : "ascending");
      empty.hidden = rows > 0;
      setText(empty, whyEmpty);
      setText(caption, text);
    },
  };
}
