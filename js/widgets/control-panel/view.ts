/** The control panel: sends commands, shows them at once, and then what came of them. Knows the feed and its own state, no model. */

import { Disposer, type Dispose } from "../../shared/disposer";
import { download, isDisabled, isTyping, setAttribute, setDisabled, setText } from "../../shared/dom";
import { openMenu } from "../../shared/popover";
import { dress } from "../../shared/panel/dress";
import { createHead } from "../../shared/panel/head";
import { createProblems } from "../../shared/panel/problems";
import { Steering } from "../../shared/panel/steering";
import { createVoice } from "../../shared/panel/voice";
import type { Feed, View } from "../../shared/types";
import { openSettings } from "./settings_view";
import { COLORS, EDITING, buttonOf, commandOfKey, headOf, labelOf, mainCommand, problemsOf, spoken } from "./state";
import { createTools } from "./tools";

const EXPORTS = [
  { format: "csv", label: "Items as CSV" },
  { format: "parquet", label: "Items as Parquet" },
  { format: "html", label: "Report as HTML" },
] as const;

export function create(el: HTMLElement, { feed }: { feed: Feed }): View {
  return new ControlPanel(el, feed);
}

class ControlPanel implements View {
  private readonly ends = new Disposer();
  private readonly head = createHead({ best: "Best score", bar: "Calls spent" });
  private readonly tools = createTools();
  private readonly problems = createProblems((id) => this.steering.dismiss(id));
  private readonly voice = createVoice();
  private readonly steering: Steering;
  private exporting = false;
  private close: Dispose = () => {};

  constructor(private readonly el: HTMLElement, private readonly feed: Feed) {
    this.steering = new Steering(feed, () => this.draw());
    el.classList.add("eow", "eow-panel", "eow-control-panel");
    setAttribute(el, "role", "region");
    setAttribute(el, "tabindex", "-1");
    setAttribute(el, "data-lm-suppress-shortcuts", "true");
    el.append(this.head.el, this.tools.el, this.problems.el, this.voice.el);
    this.listen();
    this.ends.add(feed.subscribe(() => this.draw()));
    this.ends.add(() => this.steering.destroy());
    this.draw();
  }

  destroy(): void {
    this.close();
    this.tools.note.destroy();
    this.voice.destroy();
    this.ends.dispose();
    this.el.replaceChildren();
  }

  private listen(): void {
    const { main, commands, color, settings, exports } = this.tools;
    this.press(main, () => this.run(mainCommand(this.feed.facts, this.steering.state)));
    for (const [name, tool] of commands) this.press(tool, () => this.run(name));
    this.opens(color, () => openMenu(color, "Colour queries by", COLORS.map(({ by, label }) => ({ label: labelOf(label), checked: by === this.feed.colorBy(), run: () => this.feed.setColorBy(by) })), { align: "end" }));
    this.opens(exports, () => openMenu(exports, "Export", EXPORTS.map(({ format, label }) => ({ label, run: () => void this.save(format) })), { align: "end" }));
    this.opens(settings, () => openSettings(settings, this.feed));
    this.ends.listen(this.el, "keydown", (event) => this.pressKey(event));
  }

  private press(target: HTMLElement, action: () => void): void {
    this.ends.listen(target, "click", () => !isDisabled(target) && action());
  }

  private opens(target: HTMLElement, open: () => Dispose): void {
    this.press(target, () => {
      const wasOpen = target.getAttribute("aria-expanded") === "true";
      this.close();
      this.close = wasOpen ? () => {} : open();
    });
  }

  private run(name: string): void {
    const args = (EDITING as readonly string[]).includes(name) ? { nodes: [...this.feed.selection()] } : {};
    this.steering.run(name, args, this.tools.note.take());
  }

  private async save(format: string): Promise<void> {
    this.exporting = true;
    this.draw();
    try {
      const { data, buffers } = await this.feed.ask<{ name: string; mime: string }>("export", { format });
      if (buffers[0] && !this.ends.disposed) download(String(data.name), String(data.mime), buffers[0]);
    } catch (error) {
      this.steering.fail("export", error as Error);
    }
    this.exporting = false;
    if (!this.ends.disposed) this.draw();
  }

  private pressKey(event: KeyboardEvent): void {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(target)) return;
    if (key === " " && target instanceof HTMLButtonElement) return event.stopPropagation();
    const { facts } = this.feed;
    const name = commandOfKey(key, event.shiftKey, mainCommand(facts, this.steering.state));
    if (!name) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && !buttonOf(name, facts, this.steering.state, this.feed.selection().length).disabled) this.run(name);
  }

  private draw(): void {
    const { feed, tools } = this;
    const { silence, state } = this.steering;
    const { facts } = feed;
    const selected = feed.selection().length;
    dress(tools.main, buttonOf(mainCommand(facts, state), facts, state, selected));
    for (const [name, tool] of tools.commands) dress(tool, buttonOf(name, facts, state, selected));
    setText(tools.by, `: ${COLORS.find((one) => one.by === feed.colorBy())?.label ?? ""}`);
    setDisabled(tools.settings, !facts);
    setDisabled(tools.exports, !facts || this.exporting);
    setText(tools.exports, this.exporting ? "Exporting…" : "Export");
    this.problems.draw(problemsOf(state, facts?.notices));
    this.voice.say(silence, facts?.status ?? null, () => (facts ? spoken(facts) : ""));
    if (!facts) return;
    this.head.draw(headOf(facts), silence);
    setAttribute(this.el, "aria-label", `Search ${facts.name.slice(0, 80)}`);
  }
}
