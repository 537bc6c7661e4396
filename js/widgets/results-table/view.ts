/** The table of items: sorted, virtualised, walked by keys. Knows the feed and its own state, no model. */

import { Disposer } from "../../shared/disposer";
import { isTyping, setAttribute, setText, uniqueId } from "../../shared/dom";
import { count, decimals, plural } from "../../shared/format";
import { openMenu } from "../../shared/popover";
import type { Change, Feed, Table, View } from "../../shared/types";
import { Virtual } from "../../shared/virtual";
import { createFind } from "./find";
import { type Frame, createFrame } from "./frame";
import { createPlaces } from "./places";
import { COLUMNS, NODE_COLUMN, fillRow, makeRow } from "./row";
import { Order, type Sort, arranged, copied, marksAfter, moved, sortBy } from "./state";
import { createTexts } from "./texts";

const ROW = 27;
const PICTURE_ROW = 46;
const MOST_COPIED = 500;

export interface TableProps {
  feed: Feed;
  /** Where the find field goes; without it the table has a bar of its own. */
  tools?: HTMLElement;
}

export function create(el: HTMLElement, props: TableProps): View {
  return new ResultsTable(el, props);
}

class ResultsTable implements View {
  private readonly feed: Feed;
  private readonly ends = new Disposer();
  private readonly uid = uniqueId("eow-table");
  private readonly order = new Order();
  private readonly list: Virtual;
  private readonly frame: Frame;
  private readonly texts: ReturnType<typeof createTexts>;
  private readonly places: ReturnType<typeof createPlaces>;
  private chosen: Sort | null = null;
  private found: number[] | null = null;
  private rows: Uint32Array = this.order.rows;
  private selected: ReadonlySet<number>;
  private marked: ReadonlySet<number>;
  private active = { row: 0, column: 0 };
  private from = 0;
  private toCopy: string | null = null;
  private closeMenu: () => void = () => {};

  constructor(private readonly el: HTMLElement, { feed, tools }: TableProps) {
    this.feed = feed;
    this.selected = new Set(feed.selection());
    this.marked = new Set(feed.marked);
    this.list = new Virtual({ rowHeight: ROW, make: makeRow, fill: (row, at) => this.fill(row, at), seen: () => this.texts.ask() });
    this.texts = createTexts(feed, () => this.wished(), () => this.textsCame());
    this.places = createPlaces(feed, () => this.follow());
    const find = createFind(feed, (rows) => this.showFound(rows));
    el.classList.add("eow", "eow-results-table");
    setAttribute(el, "data-lm-suppress-shortcuts", "true");
    this.frame = createFrame(el, this.list.el, find.el, tools);
    this.listen();
    for (const part of [find, this.places, this.texts, this.list]) this.ends.add(() => part.destroy());
    this.ends.add(feed.subscribe((change) => this.changed(change)));
    this.follow();
  }

  destroy(): void {
    this.closeMenu();
    this.ends.dispose();
    this.el.replaceChildren();
  }

  private get items(): Table {
    return this.feed.table("items");
  }

  private get direction(): "maximize" | "minimize" {
    return this.feed.facts?.direction ?? "maximize";
  }

  private get sort(): Sort {
    return this.chosen ?? { key: "score", falling: this.direction === "maximize" };
  }

  private listen(): void {
    const { grid, headRow } = this.frame;
    this.ends.listen(headRow, "click", (event) => this.pressHead(event));
    this.ends.listen(this.list.el, "click", (event) => this.pressRow(event));
    this.ends.listen(grid, "contextmenu", (event) => this.pressMenu(event));
    this.ends.listen(grid, "keydown", (event) => this.pressKey(event));
    this.ends.listen(this.el, "copy", (event) => this.copyOut(event as ClipboardEvent));
  }

  private changed(change: Change): void {
    if (change.selection) this.selected = new Set(this.feed.selection());
    if (change.marked) this.marked = new Set(this.feed.marked);
    if (change.facts || ["items", "nodes", "top"].some((name) => change.tables.has(name))) this.follow();
    else this.list.refresh();
  }

  /** Brings order, texts and heads up to date; a reader who has scrolled keeps the rows in sight. */
  private follow(): void {
    const { items, list, sort, feed } = this;
    if (items.length < this.order.rows.length) this.texts.looks.clear();
    const top = feed.table("top");
    for (let i = 0; i < top.length; i++) this.texts.looks.putTop(top.i4("row")[i] ?? -1, top.json("id")[i], top.json("text")[i]);
    const operators = feed.facts?.operators ?? [];
    const before = list.first;
    const anchor = list.el.scrollTop > 0 ? this.rows[before] : undefined;
    this.places.want(sort.key, items.length);
    const places = this.places.now();
    const changed = this.order.follow(items, feed.table("nodes"), sort, operators, places);
    this.rows = this.found ? arranged(this.found.filter((row) => row < items.length), items, feed.table("nodes"), sort, this.direction, operators, places) : this.order.rows;
    list.setLength(this.rows.length);
    if (changed && anchor !== undefined && !this.found) {
      const now = this.rows.indexOf(anchor);
      if (now > before) list.shift(now - before);
    }
    const scored = feed.facts ? `${count(items.length)} scored` : "";
    this.frame.dress(sort, this.rows.length, scored, this.found ? "Nothing found." : feed.facts ? "No item has been scored yet." : "Waiting for the kernel…");
    this.widen();
    this.activate(this.active, false);
  }

  /** Gives the columns of numbers the room that the largest of them needs. */
  private widen(): void {
    const { style } = this.el;
    style.setProperty("--eow-calls", `${Math.max(4, count(this.items.length).length)}ch`);
    style.setProperty("--eow-ids", `${Math.max(4, String(this.feed.table("nodes").length).length)}ch`);
  }

  private fill(row: HTMLElement, at: number): void {
    const { items, feed } = this;
    const item = this.rows[at] ?? 0;
    const node = items.i4("node")[item] ?? -1;
    fillRow(row, {
      id: `${this.uid}-${at}`, place: at, score: items.f8("score")[item] ?? Number.NaN, places: decimals(feed.facts?.score_range ?? null), look: this.texts.looks.get(item),
      operator: feed.facts?.operators[feed.table("nodes").u1("operator")[node] ?? -1] ?? "", node, call: items.i4("call")[item] ?? 0,
      ofSelection: this.selected.has(node), marked: this.marked.has(item), activeColumn: at === this.active.row ? this.active.column : null,
    });
    row.dataset.at = String(at);
  }

  private inSight(): Uint32Array {
    return this.rows.subarray(this.list.first, this.list.end);
  }

  private wished(): number[] {
    return [...this.inSight(), ...[...this.marked].slice(0, MOST_COPIED)];
  }

  private textsCame(): void {
    if (this.inSight().some((row) => this.texts.looks.get(row)?.image)) {
      this.el.classList.add("eow-pictures");
      this.list.setRowHeight(PICTURE_ROW);
    }
    this.list.refresh();
  }

  private showFound(rows: number[] | null): void {
    this.found = rows;
    this.active = { row: 0, column: this.active.column };
    this.list.el.scrollTop = 0;
    this.follow();
  }

  private activate(next: { row: number; column: number }, reveal = true): void {
    this.active = { row: Math.max(0, Math.min(next.row, this.rows.length - 1)), column: next.column };
    if (reveal) this.list.reveal(this.active.row);
    this.list.refresh();
    setAttribute(this.frame.grid, "aria-activedescendant", this.rows.length ? `${this.uid}-${this.active.row}-${this.active.column}` : null);
  }

  private mark(at: number, how: "one" | "toggle" | "range"): void {
    this.feed.mark(marksAfter([...this.marked], this.rows, at, this.from, how));
    if (how !== "range") this.from = at;
  }

  private selectNode(at: number, more: boolean): void {
    const node = this.items.i4("node")[this.rows[at] ?? -1] ?? -1;
    if (node >= 0) this.feed.select(more ? [...this.feed.selection(), node] : [node]);
  }

  private pressHead(event: Event): void {
    const key = (event.target as Element).closest<HTMLElement>("[data-key]")?.dataset.key;
    if (!key) return;
    this.chosen = sortBy(key as Sort["key"], this.sort, this.direction);
    this.list.el.scrollTop = 0;
    this.follow();
  }

  private pressRow(event: MouseEvent): void {
    const target = event.target as Element;
    const at = placeOf(target);
    if (at < 0) return;
    const cell = target.closest<HTMLElement>("[role=gridcell]");
    this.activate({ row: at, column: cell ? [...(cell.parentElement?.children ?? [])].indexOf(cell) : 0 }, false);
    const more = event.ctrlKey || event.metaKey;
    if (target.closest(".eow-node")) this.selectNode(at, more || event.shiftKey);
    else this.mark(at, event.shiftKey ? "range" : more ? "toggle" : "one");
    this.frame.grid.focus({ preventScroll: true });
  }

  private pressKey(event: KeyboardEvent): void {
    const { grid } = this.frame;
    if (event.target !== grid || event.altKey) return;
    const next = moved(event.key, this.active, { rows: this.rows.length, columns: COLUMNS.length, page: this.list.page() }, event.ctrlKey || event.metaKey);
    if (next) {
      this.activate(next);
      if (event.shiftKey) this.mark(this.active.row, "range");
    } else if (event.key === " ") this.mark(this.active.row, "toggle");
    else if (event.key === "Enter" && this.active.column === NODE_COLUMN) this.selectNode(this.active.row, event.shiftKey);
    else if (event.key === "Enter") this.mark(this.active.row, "one");
    else if (event.key === "Escape" && this.marked.size) this.feed.mark([]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private pressMenu(event: MouseEvent): void {
    if (event.shiftKey || !this.rows.length) return;
    event.preventDefault();
    event.stopPropagation();
    const pointed = placeOf(event.target as Element);
    const at = pointed < 0 ? this.active.row : pointed;
    this.activate({ row: at, column: this.active.column });
    const anchor = this.list.rowAt(at)?.children[3];
    const item = this.rows[at];
    if (!(anchor instanceof HTMLElement) || item === undefined) return;
    const picked = this.marked.has(item) ? this.picked() : [item];
    const rows = plural(picked.length, "row");
    this.closeMenu = openMenu(anchor, "Item", [
      { label: "Copy id", run: () => this.copy(this.texts.looks.get(item)?.id ?? "", "the id") },
      { label: picked.length > 1 ? `Copy ${rows}` : "Copy row", run: () => this.copy(this.asText(picked), rows) },
      { label: "Select its query", run: () => this.selectNode(at, false) },
    ], { home: this.el, back: this.frame.grid });
  }

  private picked(): number[] {
    const rows = this.marked.size ? [...this.rows].filter((row) => this.marked.has(row)) : [this.rows[this.active.row] ?? -1];
    return rows.filter((row) => row >= 0).slice(0, MOST_COPIED);
  }

  private asText(rows: number[]): string {
    const { items } = this;
    return copied(rows.map((row) => ({ id: this.texts.looks.get(row)?.id ?? "", text: this.texts.looks.get(row)?.text ?? "", score: items.f8("score")[row] ?? Number.NaN, call: items.i4("call")[row] ?? 0 })));
  }

  private copy(text: string, what: string): void {
    this.toCopy = text;
    this.frame.grid.focus();
    document.execCommand("copy");
    this.toCopy = null;
    setText(this.frame.says, `Copied ${what}.`);
  }

  private copyOut(event: ClipboardEvent): void {
    const own = isTyping(event.target) || !window.getSelection()?.isCollapsed;
    const plain = this.toCopy ?? (own || !this.rows.length ? null : this.asText(this.picked()));
    if (plain === null) return;
    event.clipboardData?.setData("text/plain", plain);
    event.preventDefault();
    event.stopPropagation();
  }
}

function placeOf(target: Element): number {
  const at = target.closest<HTMLElement>("[data-at]")?.dataset.at;
  return at === undefined ? -1 : Number(at);
}
