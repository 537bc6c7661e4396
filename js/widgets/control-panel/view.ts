/** The control panel: sends commands, shows them at once, and then what came of them. Knows the feed and its own state, no model. */

import { Disposer, type Dispose } from "../../shared/disposer";
import { download, h, isDisabled, isTyping, setAttribute, setDisabled, setText } from "../../shared/dom";
import { openMenu } from "../../shared/popover";
import type { Feed, Reply, View } from "../../shared/types";
import { createHead } from "./head";
import { createProblems } from "./problems";
import { openSettings } from "./settings_view";
import { COLORS, EDITING, NOTHING, type PanelEvent, buttonOf, commandOfKey, labelOf, mainCommand, reduce, spoken } from "./state";
import { createTools, dress } from "./tools";

const SPEAK_EVERY = 10_000;
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
  private readonly head = createHead();
  private readonly tools = createTools();
  private readonly problems = createProblems((id) => this.dispatch({ type: "dismissed", id }));
  private readonly live = h("div", { class: "eow-unseen", role: "status", "aria-live": "polite" });
  private state = NOTHING;
  private lastId = 0;
  private exporting = false;
  private said = { at: Number.NEGATIVE_INFINITY, status: "" };
  private close: Dispose = () => {};

  constructor(private readonly el: HTMLElement, private readonly feed: Feed) {
    el.classList.add("eow", "eow-control-panel");
    setAttribute(el, "role", "region");
    setAttribute(el, "tabindex", "-1");
    setAttribute(el, "data-lm-suppress-shortcuts", "true");
    el.append(this.head.el, this.tools.el, this.problems.el, this.live);
    this.listen();
    this.ends.add(feed.subscribe(() => this.draw()));
    this.ends.every(500, () => this.dispatch({ type: "time", at: performance.now(), status: feed.facts?.status ?? null }));
    this.draw();
  }

  destroy(): void {
    this.close();
    this.tools.note.destroy();
    this.ends.dispose();
    this.el.replaceChildren();
  }

  private listen(): void {
    const { main, commands, color, settings, exports } = this.tools;
    this.press(main, () => this.run(mainCommand(this.feed.facts, this.state)));
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

  private dispatch(event: PanelEvent): void {
    const before = this.state;
    this.state = reduce(before, event);
    if (this.state !== before) this.draw();
  }

  private run(name: string): void {
    const id = ++this.lastId;
    this.dispatch({ type: "asked", id, name });
    const args = (EDITING as readonly string[]).includes(name) ? { nodes: [...this.feed.selection()] } : {};
    const answered = (reply: Reply) => this.answered(id, name, reply);
    this.feed.command(name, args, this.tools.note.take()).then(answered, (error: Error) => answered({ ok: false, error: { title: error.message, hint: "" } }));
  }

  private answered(id: number, name: string, reply: Reply): void {
    if (!this.ends.disposed) this.dispatch({ type: "answered", id, name, reply, at: performance.now() });
  }

  private async save(format: string): Promise<void> {
    this.exporting = true;
    this.draw();
    try {
      const { data, buffers } = await this.feed.ask<{ name: string; mime: string }>("export", { format });
      if (buffers[0] && !this.ends.disposed) download(String(data.name), String(data.mime), buffers[0]);
    } catch (error) {
      this.answered(++this.lastId, "export", { ok: false, error: { title: (error as Error).message, hint: "" } });
    }
    this.exporting = false;
    if (!this.ends.disposed) this.draw();
  }

  private pressKey(event: KeyboardEvent): void {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(target)) return;
    if (key === " " && target instanceof HTMLButtonElement) return event.stopPropagation();
    const { facts } = this.feed;
    const name = commandOfKey(key, event.shiftKey, mainCommand(facts, this.state));
    if (!name) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && !buttonOf(name, facts, this.state, this.feed.selection().length).disabled) this.run(name);
  }

  private draw(): void {
    const { feed, state, tools } = this;
    const { facts } = feed;
    const selected = feed.selection().length;
    dress(tools.main, buttonOf(mainCommand(facts, state), facts, state, selected));
    for (const [name, tool] of tools.commands) dress(tool, buttonOf(name, facts, state, selected));
    setText(tools.by, `: ${COLORS.find((one) => one.by === feed.colorBy())?.label ?? ""}`);
    setDisabled(tools.settings, !facts);
    setDisabled(tools.exports, !facts || this.exporting);
    setText(tools.exports, this.exporting ? "Exporting…" : "Export");
    this.problems.draw(state.problems);
    const silence = feed.link ? "" : state.asked.length ? "The kernel is busy; the command is queued." : "The kernel is busy, or gone: it has not answered for a while.";
    this.speak(silence);
    if (!facts) return;
    this.head.draw(facts, silence);
    setAttribute(this.el, "aria-label", `Search ${facts.name.slice(0, 80)}`);
  }

  /** Says what changed to those who listen: states at once, progress now and then. */
  private speak(silence: string): void {
    const { facts } = this.feed;
    if (silence || !facts) {
      this.said.status = "";
      return setText(this.live, silence);
    }
    const now = performance.now();
    if (facts.status === this.said.status && (facts.status !== "running" || now - this.said.at < SPEAK_EVERY)) return;
    this.said = { at: now, status: facts.status };
    setText(this.live, spoken(facts));
  }
}
