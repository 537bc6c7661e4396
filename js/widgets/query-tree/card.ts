/** What a node is, beside it: its facts at once, what the kernel knows more of it a moment later. Asks for a node once. */
import { whenQuiet } from "../../shared/disposer";
import { decimals, line, plural, score } from "../../shared/format";
import { h } from "../../shared/dom";
import type { Facts, Feed } from "../../shared/types";
import { STATUS, STATUS_WORDS, type Nodes } from "./state";

interface Told {
  operator: string;
  reason: string;
  status_reason: string;
  best: { row: number; id: string; score: number; text: string }[];
}

const PAUSE_MS = 90;
const KEPT = 200;

export class Card {
  readonly element = h("div", { class: "eow-card eow-num", "aria-hidden": "true", hidden: "" });
  private node = -1;
  private stamp = -1;
  private readonly told = new Map<number, { stamp: number; data: Told }>();
  private readonly asking = whenQuiet(PAUSE_MS, () => this.ask());
  private over = false;

  constructor(
    private readonly feed: Feed,
    private readonly nodes: () => Nodes,
  ) {}

  /** Shows a node beside a point of its parent element; -1: nothing. */
  show(node: number, at: { x: number; y: number; radius: number }): void {
    if (node < 0) return this.hide();
    const { stamp } = this.feed.table("nodes");
    if (node !== this.node || stamp !== this.stamp) {
      [this.node, this.stamp] = [node, stamp];
      this.fill();
      if (this.told.get(node)?.stamp !== this.key(node)) this.asking.ask();
    }
    this.element.hidden = false;
    this.place(at);
  }

  hide(): void {
    this.node = -1;
    this.asking.cancel();
    this.element.hidden = true;
  }

  destroy(): void {
    this.over = true;
    this.hide();
    this.element.remove();
  }

  /** Changes when what the kernel would tell of a node may have. */
  private key(node: number): number {
    const nodes = this.nodes();
    return (nodes.status[node] ?? 0) * 1e9 + (nodes.round[node] ?? 0) * 1e3 + (nodes.fresh[node] ?? 0);
  }

  private async ask(): Promise<void> {
    const node = this.node;
    const key = this.key(node);
    if (node < 0) return;
    try {
      const { data } = await this.feed.ask<Told>("node", { node });
      if (this.told.size >= KEPT) this.told.clear();
      this.told.set(node, { stamp: key, data });
    } catch {
      return;
    }
    if (!this.over && node === this.node) this.fill();
  }

  private fill(): void {
    const { node } = this;
    const nodes = this.nodes();
    const { facts } = this.feed;
    const told = this.told.get(node)?.data;
    const round = nodes.round[node] ?? -1;
    const head = h("div", { class: "eow-card-head" }, h("b", {}, `Query ${node}`), round < 0 ? " · not looked at yet" : ` · round ${round}`);
    const rows = factRows(nodes, node, facts, told).map(([name, value]) => h("div", { class: "eow-card-row" }, h("span", {}, name), h("span", {}, value)));
    const parts: HTMLElement[] = [head, h("hr"), ...rows];
    const best = told?.best.slice(0, 3) ?? [];
    if (best.length) parts.push(h("hr"), ...best.map((item) => h("code", {}, line(item.text || item.id, 80))));
    this.element.replaceChildren(...parts);
  }

  private place(at: { x: number; y: number; radius: number }): void {
    const host = this.element.parentElement;
    if (!host) return;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const gap = at.radius + 12;
    const right = at.x + gap + width < host.clientWidth - 6;
    const left = right ? at.x + gap : Math.max(6, at.x - gap - width);
    const top = Math.max(6, Math.min(host.clientHeight - height - 6, at.y - 24));
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}

/** A node's facts, name and value. */
export function factRows(nodes: Nodes, node: number, facts: Facts | null, told?: Told): [string, string][] {
  const places = decimals(facts?.score_range ?? null);
  const rows: [string, string][] = [];
  if ((nodes.round[node] ?? -1) >= 0) {
    rows.push([facts?.direction === "minimize" ? "lowest" : "max", score(nodes.max[node], places)]);
    rows.push([`mean of ${plural(nodes.hits[node] ?? 0, "item")}`, score(nodes.mean[node], places)]);
    rows.push(["new items", String(nodes.fresh[node] ?? 0)]);
  }
  const operator = told?.operator ?? facts?.operators[nodes.operator[node] ?? 0] ?? "";
  const by = told?.reason || operator;
  if (by) rows.push(["by", line(by, 120)]);
  const status = nodes.status[node] ?? 0;
  if (status !== STATUS.active) rows.push([STATUS_WORDS[status] ?? "", line(told?.status_reason ?? "", 120)]);
  if (nodes.by[node]) rows.push(["made by", "a person"]);
  return rows;
}
