/** The panel of a training: head, buttons, four charts, events. Knows the feed and its own state, no model. */

import { Disposer } from "../../shared/disposer";
import { button, h, isDisabled, isTyping, setAttribute, setText } from "../../shared/dom";
import { line } from "../../shared/format";
import { dress } from "../../shared/panel/dress";
import { createHead } from "../../shared/panel/head";
import { problemsOf } from "../../shared/panel/asked";
import { createProblems } from "../../shared/panel/problems";
import { Steering } from "../../shared/panel/steering";
import { createVoice } from "../../shared/panel/voice";
import type { Change, Feed, View } from "../../shared/types";
import { Chart } from "./chart";
import { createEvents } from "./events";
import { factsOf } from "./facts";
import { agesPlot, lossPlot, pacePlot, recallPlot } from "./plots";
import { buttonOf, commandOfKey, headOf, mainCommand, settingsLine, spoken } from "./state";

const BUTTONS = ["step", "stop", "use_best"] as const;

export function create(el: HTMLElement, { feed }: { feed: Feed }): View {
  return new TrainingPanel(el, feed);
}

class TrainingPanel implements View {
  private readonly ends = new Disposer();
  private readonly head = createHead({ best: "Best", bar: "Steps done" });
  private readonly main = button("Start", { class: "eow-main", key: "space" });
  private readonly tools = new Map(BUTTONS.map((name) => [name as string, button("", name === "step" ? { key: "n" } : {})]));
  private readonly settings = h("span", { class: "eow-settings-line eow-num" });
  private readonly problems = createProblems((id) => this.steering.dismiss(id));
  private readonly voice = createVoice();
  private readonly charts = { loss: new Chart(), recall: new Chart(), pace: new Chart(), ages: new Chart() };
  private readonly toggle = h("button", { type: "button", class: "eow-scale", title: "Loss on a logarithmic scale", "aria-pressed": "false" }, "log");
  private readonly chooser = h("select", { class: "eow-field eow-cache", "aria-label": "Cache", hidden: true });
  private readonly events: ReturnType<typeof createEvents>;
  private readonly steering: Steering;
  private log = false;
  private cache = 0;

  constructor(private readonly el: HTMLElement, private readonly feed: Feed) {
    this.steering = new Steering(feed, () => this.panel());
    const log = h("div");
    this.events = createEvents(log, feed);
    el.classList.add("eow", "eow-framed", "eow-training");
    setAttribute(el, "role", "region");
    setAttribute(el, "tabindex", "-1");
    setAttribute(el, "data-lm-suppress-shortcuts", "true");
    setAttribute(this.main, "aria-keyshortcuts", "Space");
    const { loss, recall, pace, ages } = this.charts;
    loss.head.append(this.toggle);
    ages.head.append(this.chooser);
    const tools = h("div", { class: "eow-tools", role: "group", "aria-label": "Steer the training" }, this.main, ...this.tools.values(), h("span", { class: "eow-push" }), this.settings);
    el.append(
      h("div", { class: "eow eow-panel" }, this.head.el, tools, this.problems.el, this.voice.el),
      h("div", { class: "eow-charts" }, loss.el, recall.el, pace.el, ages.el),
      log,
    );
    this.listen();
    this.draw(null);
  }

  destroy(): void {
    this.steering.destroy();
    this.voice.destroy();
    this.events.destroy();
    for (const chart of Object.values(this.charts)) chart.destroy();
    this.ends.dispose();
    this.el.replaceChildren();
  }

  private listen(): void {
    this.ends.listen(this.main, "click", () => !isDisabled(this.main) && this.steering.run(mainCommand(factsOf(this.feed), this.steering.state)));
    for (const [name, tool] of this.tools) this.ends.listen(tool, "click", () => !isDisabled(tool) && this.steering.run(name));
    this.ends.listen(this.toggle, "click", () => {
      this.log = !this.log;
      setAttribute(this.toggle, "aria-pressed", String(this.log));
      this.draw(null);
    });
    this.ends.listen(this.chooser, "change", () => {
      this.cache = Number(this.chooser.value);
      this.draw(null);
    });
    this.ends.listen(this.el, "keydown", (event) => this.press(event));
    this.ends.add(this.feed.subscribe((change) => this.draw(change)));
  }

  private press(event: KeyboardEvent): void {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented || isTyping(target)) return;
    if (key === " " && target instanceof HTMLButtonElement) return event.stopPropagation();
    const [facts, { state }] = [factsOf(this.feed), this.steering];
    const name = commandOfKey(key, mainCommand(facts, state));
    if (!name) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && !buttonOf(name, facts, state).disabled) this.steering.run(name);
  }

  /** Draws what a change concerns; everything where that is not known. */
  private draw(change: Change | null): void {
    const { feed, charts } = this;
    const facts = factsOf(feed);
    const concerns = (table: string) => !change || change.facts || change.tables.has(table);
    this.panel();
    if (concerns("steps")) {
      charts.loss.draw(lossPlot(feed.table("steps"), facts, this.log));
      charts.pace.draw(pacePlot(feed.table("steps"), facts));
    }
    if (concerns("evaluations")) charts.recall.draw(recallPlot(feed.table("evaluations"), facts));
    if (concerns("cache_ages")) charts.ages.draw(agesPlot(feed.table("cache_ages"), facts, this.cache));
    if (!change || change.tables.has("events")) this.events.draw();
  }

  private panel(): void {
    const facts = factsOf(this.feed);
    const { silence, state } = this.steering;
    dress(this.main, buttonOf(mainCommand(facts, state), facts, state));
    for (const [name, tool] of this.tools) dress(tool, buttonOf(name, facts, state));
    this.problems.draw(problemsOf(state, facts?.notices));
    this.voice.say(silence, facts?.status ?? null, () => (facts ? spoken(facts) : ""));
    if (!facts) return;
    this.head.draw(headOf(facts), silence);
    setText(this.settings, settingsLine(facts));
    setAttribute(this.settings, "title", settingsLine(facts));
    setAttribute(this.el, "aria-label", `Training ${facts.name.slice(0, 80)}`);
    this.offer(facts.caches.map((one) => line(one.name, 40)));
  }

  /** Which cache's ages are shown, where there are several. */
  private offer(names: readonly string[]): void {
    this.chooser.hidden = names.length < 2;
    if (this.chooser.options.length === names.length && names.every((name, i) => this.chooser.options[i]?.text === name)) return;
    this.chooser.replaceChildren(...names.map((name, i) => h("option", { value: i, selected: i === this.cache }, name)));
  }
}
