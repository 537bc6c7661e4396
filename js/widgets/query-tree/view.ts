/** The query tree: looks at a feed, draws it, and sends what people ask for. Sees no model. */
import { Disposer, whenQuiet } from "../../shared/disposer";
import { h, isTyping } from "../../shared/dom";
import { openMenu } from "../../shared/popover";
import { type Theme, watchTheme } from "../../shared/theme";
import { listenToHand } from "../../shared/plane/gestures";
import type { Change, Feed, View } from "../../shared/types";
import { Bar } from "./bar";
import { Card } from "./card";
import { Deeder } from "./deeds";
import { TreeHand } from "./hand";
import { type Action, actionOf, walk } from "./keys";
import { TreeLayout } from "./layout";
import { paintLegend } from "../../shared/plane/legend";
import { offersFor } from "./menu";
import { MAP_FROM, Minimap } from "./minimap";
import { Outline } from "./outline";
import { Stage } from "./stage";
import { below, pathOf } from "../../shared/plane/lineage";
import { paletteOf } from "../../shared/plane/tones";
import { type Nodes, captionOf, chosenOf, folded, looksOf, nodesOf, sizesOf, tonesOf } from "./state";
import { toolbox } from "../../shared/plane/tools";

/** More than so many nodes are never selected at once: the selection is sent to Python. */
export const MOST_SELECTED = 5000;

/** Beyond so many selected queries the paths to their roots say nothing. */
const MOST_PATHS = 12;

export function create(el: HTMLElement, props: { feed: Feed }): View {
  const tree = new QueryTree(el, props.feed);
  return { destroy: () => tree.destroy() };
}

export class QueryTree {
  readonly root = h("div", { class: "eow eow-framed eow-plane eow-tree", "data-lm-suppress-shortcuts": "true" });
  readonly stage: Stage;
  readonly card: Card;
  readonly deeds: Deeder;
  nodes: Nodes;
  private readonly ends = new Disposer();
  private readonly layout = new TreeLayout();
  private readonly outline = new Outline();
  private readonly bar: Bar;
  private readonly map: Minimap;
  private readonly caption = h("div", { class: "eow-cap" }, h("b", { class: "eow-num" }), h("span", { class: "eow-num" }));
  private readonly legend = h("div", { class: "eow-legend eow-num" });
  private readonly status = h("div", { class: "eow-unseen", role: "status" });
  private readonly hint = h("div", { class: "eow-hint", "aria-hidden": "true" });
  private readonly empty = h("p", { class: "eow-empty eow-nothing" }, "Queries appear here when the search starts.");
  private readonly hintOver = whenQuiet(2200, () => this.hint.classList.remove("eow-shown"));
  private readonly anchor = h("span", { class: "eow-anchor", role: "button", tabindex: "-1", "aria-label": "Node menu" });
  private readonly collapsed = new Set<number>();
  private theme: Theme | null = null;
  private focus = -1;
  private mapStamp = "";
  private closeMenu: () => void = () => {};

  constructor(
    el: HTMLElement,
    readonly feed: Feed,
  ) {
    const { ends, root, outline } = this;
    const press = (target: HTMLElement, run: () => void) => ends.listen(target, "click", run);
    this.nodes = nodesOf(feed);
    this.deeds = new Deeder(feed, () => this.show(), (failure) => this.bar.fail(failure));
    this.bar = new Bar({ branch: () => this.act("branch"), prune: () => this.act("prune"), restore: () => this.act("restore") }, press);
    this.card = new Card(feed, () => this.nodes);
    const tools = toolbox(["closer", "farther", "fit", "tidy"], press, (tool) => this.act(tool));
    el.append(root);
    root.append(outline.element, this.caption, this.legend, tools, this.empty, this.card.element, this.bar.element, this.hint, this.anchor, this.status);
    this.stage = new Stage(outline.element, (camera) => this.map.look(camera, this.stage.size), ends);
    this.map = new Minimap((x, y) => this.stage.centre(x, y), ends);
    root.append(this.map.element);
    listenToHand(outline.element, new TreeHand(this), ends);
    ends.listen(root, "keydown", (event) => this.key(event));
    ends.listen(outline.element, "focus", () => outline.element.matches(":focus-visible") && this.moveFocus(this.focus >= 0 ? this.focus : this.firstFocus(), false));
    ends.listen(outline.element, "blur", () => this.unfocus());
    ends.listen(this.anchor, "focus", () => outline.element.focus({ preventScroll: true }));
    ends.add(watchTheme(root, (theme) => this.themed(theme)));
    ends.add(feed.subscribe((change) => this.changed(change)));
    this.grow(false);
    this.show();
    this.stage.fit(feed.facts?.status === "running", false);
  }

  destroy(): void {
    this.closeMenu();
    this.card.destroy();
    this.hintOver.cancel();
    this.ends.dispose();
    this.root.remove();
  }

  get selection(): readonly number[] {
    return this.feed.selection();
  }

  select(nodes: readonly number[], say = true): void {
    if (nodes.length > MOST_SELECTED) this.say(`Only the first ${MOST_SELECTED.toLocaleString("en-US")} queries are selected.`, true);
    this.bar.fail(null);
    this.feed.select(nodes.slice(0, MOST_SELECTED));
    if (say && nodes.length === 1) this.focus = nodes[0] ?? -1;
  }

  /** Tells people in passing; `seen`: on the screen too. */
  say(text: string, seen = false): void {
    this.status.textContent = text;
    if (!seen) return;
    this.hint.textContent = text;
    this.hint.classList.add("eow-shown");
    this.hintOver.ask();
  }

  point(node: number): void {
    if (node === this.stage.pointed) return;
    this.stage.pointed = node;
    this.card.show(node, this.stage.place(node));
    this.stage.retouch();
  }

  collapse(node: number): void {
    if (node < 0) return;
    if (!this.collapsed.delete(node)) {
      if (!this.nodes.parent.subarray(0, this.nodes.length).includes(node)) return this.say(`Query ${node} has no descendants.`);
      this.collapsed.add(node);
    }
    this.show();
    const hides = this.stage.scene?.counts.get(node);
    this.say(hides ? `Query ${node} collapsed, ${hides} hidden.` : `Query ${node} expanded.`);
  }

  openMenu(node: number, at: { x: number; y: number }): void {
    this.point(-1);
    if (node >= 0 && !this.selection.includes(node)) this.select([node]);
    this.anchor.style.transform = `translate(${Math.round(at.x)}px, ${Math.round(at.y)}px)`;
    this.closeMenu();
    this.closeMenu = openMenu(this.anchor, node >= 0 ? `Query ${node}` : "Tree", offersFor(this, node));
  }

  isCollapsed(node: number): boolean {
    return this.collapsed.has(node);
  }

  subtree(node: number): number[] {
    const inside = below(this.nodes.parent, this.nodes.length, [node], true);
    return [...inside.keys()].filter((at) => inside[at]);
  }

  path(node: number): number[] {
    return pathOf(this.nodes.parent, node);
  }

  act(action: Action): void {
    const { stage, deeds } = this;
    const targets = this.selection.length ? this.selection : this.focus >= 0 ? [this.focus] : [];
    switch (action) {
      case "branch": return void (targets.length && deeds.branch(targets));
      case "prune": return void (targets.length && deeds.prune(targets));
      case "restore": return void (targets.length && deeds.restore(targets));
      case "undo": return void deeds.undo();
      case "turn": return void deeds.turn();
      case "fit": return stage.fit(this.feed.facts?.status === "running");
      case "closer": return stage.zoomBy(1.5);
      case "farther": return stage.zoomBy(1 / 1.5);
      case "tidy": return this.tidy();
      case "clear": return this.clear();
      case "collapse": return this.collapse(this.focus >= 0 ? this.focus : (targets[0] ?? -1));
      case "select": return this.focus >= 0 ? this.select([this.focus]) : undefined;
      case "add": return this.toggle(this.focus);
      case "menu": return this.openMenu(this.focus, this.stage.place(Math.max(0, this.focus)));
      default: return this.moveFocus(walk(this.layout, this.nodes.parent, stage.scene?.hidden ?? new Uint8Array(0), this.focus >= 0 ? this.focus : this.firstFocus(), action), true);
    }
  }

  toggle(node: number): void {
    if (node < 0) return;
    const { selection } = this;
    this.select(selection.includes(node) ? selection.filter((at) => at !== node) : [...selection, node]);
  }

  private clear(): void {
    this.card.hide();
    this.stage.pointed = -1;
    this.select([]);
  }

  private key(event: KeyboardEvent): void {
    const action = isTyping(event.target) ? null : actionOf(event);
    if (!action) return;
    const onButton = event.target instanceof HTMLElement && event.target.closest("button, [role='menu']");
    if (onButton && (event.key.startsWith("Arrow") || ["Enter", " ", "Home", "End"].includes(event.key))) return;
    event.preventDefault();
    event.stopPropagation();
    this.act(action);
  }

  private moveFocus(node: number, point: boolean): void {
    if (node < 0) return;
    this.focus = this.stage.focus = node;
    this.stage.reveal(node);
    this.outlined();
    if (point) {
      this.stage.pointed = -1;
      this.point(node);
    }
    this.stage.retouch();
  }

  private unfocus(): void {
    this.stage.focus = -1;
    this.card.hide();
    this.stage.pointed = -1;
    this.stage.retouch();
  }

  private firstFocus(): number {
    return this.selection[0] ?? this.layout.column(0)[0] ?? (this.layout.length ? 0 : -1);
  }

  private tidy(): void {
    this.layout.tidy(this.nodes);
    this.motion();
    this.show();
    this.stage.fit(this.feed.facts?.status === "running");
  }

  private motion(): void {
    const still = this.theme?.reducedMotion ?? true;
    this.stage.motion.go(this.layout, this.nodes.parent, still, performance.now());
  }

  private themed(theme: Theme): void {
    this.theme = theme;
    this.show();
  }

  private changed(change: Change): void {
    const grew = change.tables.has("nodes");
    if (grew) {
      this.deeds.settle();
      this.grow(true);
    }
    if (!grew && change.tables.has("items")) this.nodes = nodesOf(this.feed);
    if (grew || (change.tables.has("items") && this.nodes.lent) || change.facts || change.selection || change.colorBy) this.show();
    if (grew) this.stage.follow();
  }

  private grow(live: boolean): void {
    this.nodes = nodesOf(this.feed);
    const before = this.layout.length;
    const moved = this.layout.grow(this.nodes);
    if (this.layout.length < before) this.collapsed.clear();
    if (!live) this.stage.motion.arrive(this.layout);
    else if (moved.length || this.layout.length !== before) this.motion();
  }

  /** Makes everything say what the feed says. */
  private show(): void {
    const { nodes, layout, theme, feed } = this;
    const { facts } = feed;
    if (!theme) return;
    const by = feed.colorBy();
    const direction = facts?.direction ?? "maximize";
    const { tone, ends } = tonesOf(nodes, by, direction);
    const { hidden, counts } = folded(nodes.parent, nodes.length, this.collapsed);
    const chosen = chosenOf(nodes, feed.selection());
    const path = new Set(chosen.nodes.length <= MOST_PATHS ? chosen.nodes.flatMap((node) => pathOf(nodes.parent, node)) : []);
    const { x, y } = this.stage.motion;
    this.stage.scene = {
      nodes, layout, x, y, tone, hidden, counts, chosen, path, theme,
      look: looksOf(nodes, this.deeds.asked),
      size: sizesOf(nodes),
      palette: paletteOf(by, theme.dark, theme.rgb.ghost),
    };
    this.stage.repaint();
    this.bar.show(chosen, this.deeds.busy);
    this.empty.hidden = nodes.length > 0;
    if (this.stage.pointed >= 0) this.card.show(this.stage.pointed, this.stage.place(this.stage.pointed));
    const caption = captionOf(nodes, facts);
    for (const [i, text] of [caption.main, ` ${caption.more}`].entries()) if (this.caption.children[i]) this.caption.children[i].textContent = text;
    const present = by === "operator" ? [...new Set(tone)].sort((a, b) => a - b) : [];
    paintLegend(this.legend, { by, ends, operators: facts?.operators ?? [], present, dark: theme.dark });
    this.mapped(`${feed.table("nodes").stamp} ${by} ${theme.dark} ${this.deeds.asked.size} ${layout.length}`);
    this.outlined();
  }

  private mapped(stamp: string): void {
    if (stamp === this.mapStamp && this.nodes.length >= MAP_FROM) return;
    this.mapStamp = stamp;
    if (this.stage.scene) this.map.paint(this.stage.scene, this.stage.bounds(), this.stage.size.dpr);
  }

  private outlined(): void {
    const hidden = this.stage.scene?.hidden ?? new Uint8Array(this.nodes.length);
    const focus = this.focus >= 0 && this.focus < this.nodes.length ? this.focus : this.firstFocus();
    this.outline.show(this.nodes, this.feed.facts, focus, { hidden, collapsed: this.collapsed, selected: new Set(this.selection) });
  }
}
