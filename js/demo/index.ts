/** The page to develop views on: a recorded search, a model that speaks the real protocol, every widget; no kernel, no network. */

import { h } from "../shared/dom";
import { acquireFeed, type Lease } from "../shared/feed";
import type { View } from "../shared/types";
import { create as createHead, type Scale } from "../widgets/chart-head/view";
import { create as createPanel } from "../widgets/control-panel/view";
import { create as createDetails } from "../widgets/details/view";
import { create as createLog } from "../widgets/event-log/view";
import { create as createTree } from "../widgets/query-tree/view";
import { create as createTable } from "../widgets/results-table/view";
import { DemoModel, widgetModel } from "./model";
import "./style.css";
import "./widgets.css";

const DEFAULTS: Record<string, string> = { theme: "light", width: "920", nodes: "63", live: "0", hostile: "", pictures: "", view: "dashboard", direction: "maximize", loss: "0", seed: "7" };
const given = new URLSearchParams(location.search);
const option = (name: string) => given.get(name) ?? DEFAULTS[name] ?? "";

const CHOICES: Record<string, string[]> = {
  view: ["dashboard", "alone"],
  theme: ["light", "dark", "contrast"],
  width: ["560", "700", "920", "1200"],
  nodes: ["5", "63", "500", "2000", "10000", "100000"],
  live: ["0", "4", "40", "400"],
  direction: ["maximize", "minimize"],
  hostile: ["", "1"],
  pictures: ["", "1"],
  loss: ["0", "0.2"],
};

function bar(model: DemoModel): HTMLElement {
  const selects = Object.entries(CHOICES).map(([name, values]) => {
    const select = h("select", { name }, ...values.map((value) => h("option", { value, selected: value === option(name) }, value || "no")));
    select.addEventListener("change", () => {
      given.set(name, select.value);
      location.search = String(given);
    });
    return h("label", {}, name, " ", select);
  });
  const busy = h("input", { type: "checkbox" });
  busy.addEventListener("change", () => {
    model.busy = busy.checked;
  });
  return h("form", { class: "demo-bar", hidden: given.has("bare") }, ...selects, h("label", {}, busy, " kernel busy"));
}

function heldScale(): { get(): Scale; set(scale: Scale): void; subscribe(listener: () => void): () => void } {
  let scale: Scale = "linear";
  const listeners = new Set<() => void>();
  return {
    get: () => scale,
    set(next) {
      scale = next;
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function dashboard(root: HTMLElement, { feed }: Lease): View[] {
  const [panel, tree, scores, best, details] = [h("div"), h("div"), h("div"), h("div"), h("div")];
  const side = h("div", { class: "demo-side" }, h("div", {}, scores), h("div", {}, best));
  root.append(h("div", { class: "eow-dashboard demo-frame" }, panel, h("div", { class: "demo-main" }, tree, side), details));
  return [
    createPanel(panel, { feed }), createHead(scores, { feed, chart: "histogram", scale: heldScale() }),
    createHead(best, { feed, chart: "trace", scale: heldScale() }), createDetails(details, { feed }), createTree(tree, { feed }),
  ];
}

function alone(root: HTMLElement, { feed }: Lease): View[] {
  return [createPanel, createTree, createTable, createLog].map((create) => {
    const el = h("div");
    root.append(h("div", { class: "eow-alone demo-frame" }, el));
    return create(el, { feed });
  });
}

async function main(): Promise<void> {
  const theme = option("theme");
  document.body.dataset.jpThemeLight = String(theme !== "dark");
  if (theme === "contrast") document.body.dataset.eowContrast = "more";
  const model = new DemoModel({
    nodes: Number(option("nodes")), live: Number(option("live")), hostile: option("hostile") === "1", pictures: option("pictures") === "1",
    direction: option("direction") === "minimize" ? "minimize" : "maximize", seed: Number(option("seed")),
  });
  model.loss = Number(option("loss"));
  const lease = await acquireFeed(widgetModel(model));
  const root = h("main", { class: "demo-root" });
  root.style.width = `${option("width")}px`;
  document.body.append(bar(model), root);
  const views = option("view") === "alone" ? alone(root, lease) : dashboard(root, lease);
  Object.assign(window, {
    demo: { model, feed: lease.feed, end: () => { for (const view of views) view.destroy(); lease.release(); } },
  });
}

void main();
