/** What lies under the tree: items, map, operators and events on tabs; only the one in sight follows the feed. */

import { Disposer } from "../../shared/disposer";
import { h, setAttribute, setText, uniqueId } from "../../shared/dom";
import { compact } from "../../shared/format";
import { type Gate, gated } from "../../shared/gate";
import type { Feed, View } from "../../shared/types";
import { create as createMap } from "../embedding-map/view";
import { create as createLog } from "../event-log/view";
import { create as createTable } from "../results-table/view";
import { createOperators } from "./operators";
import { TABS, type Tab, tabAfter } from "./state";

interface Panel {
  el: HTMLElement;
  gate: Gate;
  view: View;
}

export function create(el: HTMLElement, { feed }: { feed: Feed }): View {
  return new Details(el, feed);
}

class Details implements View {
  private readonly ends = new Disposer();
  private readonly uid = uniqueId("eow-details");
  private readonly panels = new Map<Tab, Panel>();
  private readonly events = h("span", { class: "eow-count eow-num" });
  private readonly tabs = new Map(TABS.map((name) => [name, this.tab(name)]));
  private readonly tools = h("div", { class: "eow-details-tools" });
  private readonly body = h("div", { class: "eow-details-body" });
  private shown: Tab = "Items";

  constructor(private readonly el: HTMLElement, private readonly feed: Feed) {
    const list = h("div", { role: "tablist", "aria-label": "Details", class: "eow-tabs" }, ...this.tabs.values());
    el.classList.add("eow", "eow-details");
    setAttribute(el, "data-lm-suppress-shortcuts", "true");
    el.append(h("div", { class: "eow-details-head" }, list, this.tools), this.body);
    this.ends.listen(list, "click", (event) => {
      for (const [name, tab] of this.tabs) if (tab.contains(event.target as Node)) this.show(name);
    });
    this.ends.listen(list, "keydown", (event) => this.pressKey(event));
    this.ends.add(feed.subscribe((change) => change.tables.has("events") && this.counted()));
    this.counted();
    this.show("Items");
  }

  destroy(): void {
    for (const { view, gate } of this.panels.values()) {
      view.destroy();
      gate.destroy();
    }
    this.ends.dispose();
    this.el.replaceChildren();
  }

  private tab(name: Tab): HTMLElement {
    const text = h("span", { class: "eow-tab-name", "data-name": name }, name);
    return h("button", { type: "button", role: "tab", id: `${this.uid}-${name}`, class: "eow-tab" }, text, name === "Events" ? this.events : null);
  }

  private make(tab: Tab): Panel {
    const inner = h("div");
    const el = h("div", { role: "tabpanel", "aria-labelledby": `${this.uid}-${tab}`, id: `${this.uid}-${tab}-panel` }, inner);
    this.body.append(el);
    const gate = gated(this.feed);
    const view = this.viewOf(tab, inner, gate.feed);
    setAttribute(this.tabs.get(tab) as HTMLElement, "aria-controls", el.id);
    return { el, gate, view };
  }

  private viewOf(tab: Tab, el: HTMLElement, feed: Feed): View {
    if (tab === "Items") return createTable(el, { feed, tools: this.tools });
    if (tab === "Map") return createMap(el, { feed });
    return tab === "Operators" ? createOperators(el, { feed }) : createLog(el, { feed, bare: true });
  }

  private show(tab: Tab): void {
    this.shown = tab;
    for (const [name, button] of this.tabs) {
      setAttribute(button, "aria-selected", String(name === tab));
      setAttribute(button, "tabindex", name === tab ? "0" : "-1");
    }
    for (const [name, panel] of this.panels) {
      panel.el.hidden = name !== tab;
      if (name !== tab) panel.gate.shut();
    }
    const panel = this.panels.get(tab) ?? this.make(tab);
    this.panels.set(tab, panel);
    panel.gate.open();
    this.tools.hidden = tab !== "Items";
  }

  private pressKey(event: KeyboardEvent): void {
    const next = tabAfter(event.key, this.shown);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(next);
    this.tabs.get(next)?.focus();
  }

  private counted(): void {
    const { length } = this.feed.table("events");
    setText(this.events, length ? ` ${compact(length)}` : "");
  }
}
