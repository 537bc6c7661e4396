/** The map of items: looks at a feed, draws it, and sends what people ask for. Sees no model. */
import { Disposer, whenQuiet } from "../../shared/disposer";
import { h, isTyping, setAttribute } from "../../shared/dom";
import { listenToHand } from "../../shared/plane/gestures";
import { paintLegend } from "../../shared/plane/legend";
import { paletteOf } from "../../shared/plane/tones";
import { toolbox } from "../../shared/plane/tools";
import { type Theme, watchTheme } from "../../shared/theme";
import type { Change, Feed, Reply, View } from "../../shared/types";
import { Bar } from "./bar";
import { ItemCard } from "./card";
import { itemBeside, type Side } from "./find";
import { MapHand } from "./hand";
import { type Action, actionOf } from "./keys";
import { Stage } from "./stage";
import { type Points, boundsOf, byTone, captionOf, chosenOf, onlyAppended, pointsOf, sampled, tonesOf, trailOf } from "./state";

/** More items than this are not sent: an even sample of them is. */
const MOST_SENT = 10_000;
const MOST_QUERIES = 1000;
const PAN: Record<Side, [number, number]> = { left: [60, 0], right: [-60, 0], up: [0, 60], down: [0, -60] };

export function create(el: HTMLElement, props: { feed: Feed }): View {
  const map = new EmbeddingMap(el, props.feed);
  return { destroy: () => map.destroy() };
}

export class EmbeddingMap {
  readonly stage: Stage;
  points: Points;
  lasso = false;
  private readonly root = h("div", { class: "eow eow-framed eow-plane eow-map", "data-lm-suppress-shortcuts": "true" });
  private readonly ends = new Disposer();
  private readonly surface = h("div", { class: "eow-stage", role: "application", tabindex: "0", "aria-label": "Map of scored items", "aria-roledescription": "map", "aria-description": "Arrows walk from item to item, Enter marks, B branches from what is marked." });
  private readonly caption = h("div", { class: "eow-cap" }, h("b", { class: "eow-num" }), h("span", { class: "eow-num" }));
  private readonly legend = h("div", { class: "eow-legend eow-num" });
  private readonly status = h("div", { class: "eow-unseen", role: "status" });
  private readonly hint = h("div", { class: "eow-hint", "aria-hidden": "true" });
  private readonly empty = h("p", { class: "eow-empty eow-nothing" }, "Items appear here as they are scored.");
  private readonly hintOver = whenQuiet(2200, () => this.hint.classList.remove("eow-shown"));
  private readonly tools: HTMLElement;
  private readonly card: ItemCard;
  private readonly bar: Bar;
  private theme: Theme | null = null;
  private tone: Uint8Array = new Uint8Array(0);
  private order: Int32Array = new Int32Array(0);
  private known = { stamp: 0, length: 0, range: "" };
  private mine: readonly number[] = [];
  private busy = false;
  private hints = 3;

  constructor(
    el: HTMLElement,
    private readonly feed: Feed,
  ) {
    const { ends, root } = this;
    const press = (target: HTMLElement, run: () => void) => ends.listen(target, "click", run);
    this.points = pointsOf(feed.table("items"));
    this.card = new ItemCard(feed, () => this.points, (row, text) => row === this.stage.focus && this.say(text));
    this.bar = new Bar({ branch: () => this.act("branch"), each: () => this.branch("rows"), queries: () => this.selectQueries() }, press);
    this.tools = toolbox(["closer", "farther", "fit", "lasso"], press, (tool) => this.act(tool));
    el.append(root);
    root.append(this.surface, this.caption, this.legend, this.tools, this.empty, this.card.element, this.bar.element, this.hint, this.status);
    this.stage = new Stage(this.surface, ends);
    listenToHand(this.surface, new MapHand(this), ends);
    ends.listen(root, "keydown", (event) => this.key(event));
    ends.listen(this.surface, "blur", () => this.unfocus());
    ends.add(watchTheme(root, (theme) => this.themed(theme)));
    ends.add(feed.subscribe((change) => this.changed(change)));
    ends.add(() => this.hintOver.cancel());
    this.stage.fit(false);
  }

  destroy(): void {
    this.card.destroy();
    this.ends.dispose();
    this.root.remove();
  }

  get marked(): readonly number[] {
    return this.feed.marked;
  }

  mark(rows: readonly number[]): void {
    this.bar.fail(null);
    this.mine = [...rows];
    this.feed.mark(rows);
    this.say(rows.length ? `${rows.length} items marked` : "Nothing marked");
  }

  toggle(row: number): void {
    if (row < 0) return;
    this.mark(this.marked.includes(row) ? this.marked.filter((at) => at !== row) : [...this.marked, row]);
  }

  /** Selects the queries that found what is marked. */
  selectQueries(): void {
    const nodes = new Set(this.mine.map((row) => this.points.node[row] ?? -1).filter((node) => node >= 0));
    this.feed.select([...nodes].slice(0, MOST_QUERIES));
  }

  point(row: number): void {
    if (row === this.stage.pointed) return;
    this.stage.pointed = row;
    this.card.show(row, this.stage.place(row));
    this.stage.retouch();
  }

  say(text: string, seen = false): void {
    this.status.textContent = text;
    if (!seen) return;
    this.hint.textContent = text;
    this.hint.classList.add("eow-shown");
    this.hintOver.ask();
  }

  /** Only people who are at work on the map are told, and only a few times. */
  hintWheel(): void {
    if (!this.hints || !this.root.contains(document.activeElement) || this.hint.classList.contains("eow-shown")) return;
    this.hints--;
    this.say(`Hold ${/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl"} and scroll to zoom`, true);
  }

  private key(event: KeyboardEvent): void {
    const action = isTyping(event.target) ? null : actionOf(event);
    if (!action) return;
    const onButton = event.target instanceof HTMLElement && event.target.closest("button");
    if (onButton && (typeof action === "object" || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    event.stopPropagation();
    this.act(action);
  }

  private act(action: Action): void {
    const { stage } = this;
    if (typeof action === "object") return "pan" in action ? stage.pan(...PAN[action.pan]) : this.step(action.step);
    switch (action) {
      case "fit": return stage.fit();
      case "closer": return stage.zoomBy(1.5);
      case "farther": return stage.zoomBy(1 / 1.5);
      case "lasso": return this.setLasso(!this.lasso);
      case "branch": return this.branch("center");
      case "undo": return this.does(this.feed.command("undo"));
      case "turn": return this.turn();
      case "best": return this.go(this.feed.facts?.best?.row ?? -1);
      case "mark": return stage.focus >= 0 ? this.mark([stage.focus]) : undefined;
      case "add": return this.toggle(stage.focus);
      case "clear": return this.clear();
    }
  }

  private clear(): void {
    this.setLasso(false);
    this.point(-1);
    this.mark([]);
  }

  private setLasso(on: boolean): void {
    this.lasso = on;
    this.root.classList.toggle("eow-drawing", on);
    setAttribute(this.tools.querySelector('[data-tool="lasso"]') as HTMLElement, "aria-pressed", String(on));
    this.say(on ? "Draw around items to mark them" : "", on);
  }

  private step(side: Side): void {
    const { stage } = this;
    if (stage.focus < 0) return this.go(this.feed.facts?.best?.row ?? (this.points.length ? 0 : -1));
    this.go(itemBeside(this.points, stage.eye.goal, stage.focus, side));
  }

  private go(row: number): void {
    if (row < 0 || row >= this.points.length) return;
    this.stage.focus = row;
    this.stage.reveal(row);
    this.stage.pointed = -1;
    this.point(row);
  }

  private unfocus(): void {
    this.stage.focus = -1;
    this.point(-1);
    this.stage.retouch();
  }

  private branch(how: "center" | "rows"): void {
    if (!this.mine.length) return;
    const { mine } = this;
    this.does(this.feed.command("branch", { [how]: sampled(mine, MOST_SENT) }), () => sameRows(mine, this.mine) && this.mark([]));
  }

  private turn(): void {
    const can = this.feed.facts?.can;
    const name = can?.pause ? "pause" : can?.resume ? "resume" : can?.start ? "start" : null;
    if (name) this.does(this.feed.command(name));
  }

  private does(command: Promise<Reply>, done: () => void = () => {}): void {
    this.busy = true;
    this.bar.fail(null);
    this.bar.show(this.mine, true);
    const over = (error: { title: string; hint: string } | null) => {
      this.busy = false;
      if (!error) done();
      this.bar.fail(error);
      this.bar.show(this.mine, false);
    };
    command.then(
      (reply) => over(reply.ok ? null : (reply.error ?? { title: "The search refused this.", hint: "" })),
      (error: unknown) => over({ title: error instanceof Error ? error.message : String(error), hint: "" }),
    );
  }

  private themed(theme: Theme): void {
    this.theme = theme;
    this.all();
  }

  private changed(change: Change): void {
    if (change.marked && !sameRows(this.feed.marked, this.mine)) this.mine = [];
    const items = this.feed.table("items");
    const now = { stamp: items.stamp, length: items.length };
    const range = JSON.stringify(this.feed.facts?.score_range ?? null);
    const grown = change.tables.has("items") && onlyAppended(this.known, now) && range === this.known.range && !change.selection && !change.marked;
    if (grown) this.appended();
    else if (change.tables.has("items") || change.selection || change.marked || range !== this.known.range) this.all();
    else if (change.tables.has("nodes") || change.facts) this.scene();
    if (change.tables.has("items")) this.stage.follow();
  }

  /** New rows, and nothing else: the picture stays, they are added to it. */
  private appended(): void {
    const from = this.known.length;
    this.points = pointsOf(this.feed.table("items"));
    this.tone = tonesOf(this.points, this.feed.facts, this.tone, from);
    this.stage.bounds = boundsOf(this.points, this.stage.bounds, from);
    this.order = byTone(this.tone, 0, this.points.length);
    this.scene();
    this.stage.arrive(from);
  }

  private all(): void {
    this.points = pointsOf(this.feed.table("items"));
    this.tone = tonesOf(this.points, this.feed.facts, this.tone);
    this.order = byTone(this.tone, 0, this.points.length);
    this.stage.bounds = boundsOf(this.points);
    this.scene();
    this.stage.repaint();
  }

  private scene(): void {
    const { theme, feed, points } = this;
    if (!theme) return;
    const { facts } = feed;
    const items = feed.table("items");
    this.known = { stamp: items.stamp, length: items.length, range: JSON.stringify(facts?.score_range ?? null) };
    const table = feed.table("nodes");
    const nodes = { x: table.f4("x"), y: table.f4("y"), parent: table.i4("parent"), length: table.length };
    const chosen = chosenOf(points, feed.selection(), feed.marked);
    const palette = paletteOf("score", theme.dark, theme.rgb.ghost);
    this.stage.scene = { points, tone: this.tone, order: this.order, palette, chosen, trail: trailOf(nodes.parent, nodes.length, feed.selection()), nodes, best: facts?.best?.row ?? -1, theme };
    this.stage.retouch();
    const caption = captionOf(points, chosen);
    const [main, more] = this.caption.children;
    if (main) main.textContent = caption.main;
    if (more) more.textContent = ` ${caption.more}`;
    this.empty.hidden = points.length > 0;
    this.bar.show(this.mine, this.busy);
    const range = facts?.score_range ?? null;
    paintLegend(this.legend, { by: "score", ends: range && facts?.direction === "minimize" ? [range[1], range[0]] : range, operators: [], present: [], dark: theme.dark });
  }
}

function sameRows(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((row, i) => row === b[i]);
}
