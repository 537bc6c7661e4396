/** One row of the table: its cells, and what they say of an item. */

import { h, setAttribute, setText } from "../../shared/dom";
import { count, line, picture, score } from "../../shared/format";
import type { Look, SortKey } from "./state";

export const COLUMNS: readonly { key: SortKey | null; label: string; right: boolean }[] = [
  { key: null, label: "#", right: true },
  { key: "score", label: "score", right: true },
  { key: "item", label: "item", right: false },
  { key: "id", label: "id", right: false },
  { key: "operator", label: "found by", right: false },
  { key: "node", label: "query", right: true },
  { key: "call", label: "call", right: true },
];

export const NODE_COLUMN = 5;

export function makeRow(): HTMLElement {
  const cells = COLUMNS.map(({ right }) => h("div", { role: "gridcell", class: right ? "eow-cell eow-right" : "eow-cell" }));
  cells[2]?.append(h("img", { alt: "", hidden: true, decoding: "async" }), h("span", { class: "eow-text" }));
  cells[NODE_COLUMN]?.append(h("button", { type: "button", class: "eow-node", tabindex: "-1" }));
  return h("div", { role: "row", class: "eow-item-row eow-num" }, ...cells);
}

export interface RowContent {
  id: string;
  place: number;
  score: number;
  places: number;
  look: Look | null;
  operator: string;
  node: number;
  /** From 0; people count from 1. */
  call: number;
  ofSelection: boolean;
  marked: boolean;
  activeColumn: number | null;
}

export function fillRow(row: HTMLElement, content: RowContent): void {
  const cells = row.children;
  setAttribute(row, "aria-rowindex", content.place + 2);
  setAttribute(row, "aria-selected", String(content.marked));
  row.classList.toggle("eow-of-selection", content.ofSelection);
  row.classList.toggle("eow-marked", content.marked);
  const { look } = content;
  const texts = [count(content.place + 1), Number.isNaN(content.score) ? "failed" : score(content.score, content.places), null, look ? line(look.id, 60) : "…", line(content.operator, 40), null, count(content.call + 1)];
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i] as HTMLElement;
    cell.id = `${content.id}-${i}`;
    cell.classList.toggle("eow-active", content.activeColumn === i);
    const text = texts[i];
    if (typeof text === "string") setText(cell, text);
  }
  setAttribute(cells[3] as HTMLElement, "title", look && look.id.length > 14 ? line(look.id, 200) : null);
  fillItem(cells[2] as HTMLElement, look);
  const node = cells[NODE_COLUMN]?.firstElementChild as HTMLElement;
  setText(node, content.node < 0 ? "–" : String(content.node));
  setAttribute(node, "aria-label", content.node < 0 ? null : `Query ${content.node}`);
}

function fillItem(cell: HTMLElement, look: Look | null): void {
  const image = cell.firstElementChild as HTMLImageElement;
  const url = look ? picture(look.image) : null;
  if (url !== image.getAttribute("src")) setAttribute(image, "src", url);
  image.hidden = !url;
  const text = look ? line(look.text, 300) : "…";
  setText(cell.lastElementChild as HTMLElement, text);
  setAttribute(cell, "title", look && text.length > 24 ? line(look.text, 1200) : null);
}
