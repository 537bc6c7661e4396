/** One search in the panel: what it shows, and its buttons. Plain DOM; a search's text is text and nothing else. */
import type { TranslationBundle } from "@jupyterlab/translation";
import { Disposer } from "../../shared/disposer";
import { amount, plural, rate, score } from "../../shared/format";
import { isOver, type Verb } from "./records";
import type { Listed } from "./searches";

export interface RowActions {
  act(key: string, verb: Verb): void;
  reveal(key: string): void;
  dashboard(key: string): void;
  dismiss(key: string): void;
}

export interface Row {
  readonly element: HTMLElement;
  update(listed: Listed): void;
  destroy(): void;
}

const SHOWN: readonly Verb[] = ["pause", "resume", "step", "stop"];

export function createRow(key: string, actions: RowActions, trans: TranslationBundle): Row {
  const disposer = new Disposer();
  const element = make("li", "eow-search");
  const name = make("button", "eow-search-name");
  const status = make("span", "eow-search-status");
  const path = make("span", "eow-search-path");
  const bar = make("progress", "eow-search-bar");
  const facts = make("div", "eow-search-facts eow-num");
  const reason = make("div", "eow-search-reason");
  const tools = make("div", "eow-search-tools");
  const error = make("div", "eow-search-error");
  error.setAttribute("role", "alert");
  name.type = "button";
  const labels: Record<Verb, string> = {
    pause: trans.__("Pause"),
    resume: trans.__("Resume"),
    step: trans.__("Step"),
    stop: trans.__("Stop"),
  };
  const buttons = new Map(SHOWN.map((verb) => [verb, button(labels[verb], () => actions.act(key, verb))]));
  const open = button(trans.__("Dashboard"), () => actions.dashboard(key));
  const dismiss = button(trans.__("Dismiss"), () => actions.dismiss(key));
  tools.append(...buttons.values(), open, dismiss);
  const head = make("div", "eow-search-head");
  head.append(name, status);
  element.append(head, path, bar, facts, reason, tools, error);
  disposer.listen(name, "click", () => actions.reveal(key));
  disposer.listen(element, "dblclick", (event) => {
    if (!(event.target instanceof Node) || !tools.contains(event.target)) actions.dashboard(key);
  });

  function button(label: string, onClick: () => void): HTMLButtonElement {
    const made = make("button", "eow-button");
    made.type = "button";
    made.textContent = label;
    disposer.listen(made, "click", onClick);
    return made;
  }

  function update(listed: Listed): void {
    const { record, gone } = listed;
    const over = gone !== null || isOver(record.status);
    text(name, record.name);
    name.title = trans.__("%1: show its notebook; double click: its dashboard", record.name);
    text(status, gone ? trans.__("gone") : statusText(record.status, listed.asked, trans));
    element.dataset.status = gone ? "gone" : record.status;
    text(path, listed.path ?? trans.__("no notebook"));
    bar.hidden = record.budget === null;
    bar.max = record.budget ?? 1;
    bar.value = Math.min(record.spent, bar.max);
    bar.setAttribute("aria-label", trans.__("Budget spent"));
    text(facts, factsText(listed, trans));
    text(reason, gone ? goneText(gone, baseName(record.file), trans) : record.status === "running" ? "" : record.reason);
    text(error, listed.error ?? "");
    for (const [verb, control] of buttons) {
      control.hidden = !offers(listed, verb);
      control.disabled = gone !== null || !record.can.includes(verb);
      control.setAttribute("aria-label", `${labels[verb]}: ${record.name}`);
    }
    open.hidden = gone !== null;
    open.setAttribute("aria-label", `${trans.__("Dashboard")}: ${record.name}`);
    dismiss.hidden = !over;
    dismiss.setAttribute("aria-label", `${trans.__("Dismiss")}: ${record.name}`);
  }

  return { element, update, destroy: () => (disposer.dispose(), element.remove()) };
}

/** Whether a button has its place: one of pause and resume; of a search that is over only what it can still do. */
function offers({ record, gone }: Listed, verb: Verb): boolean {
  if (gone) return false;
  if (isOver(record.status)) return record.can.includes(verb);
  if (verb === "pause") return record.status === "running";
  return verb !== "resume" || record.status !== "running";
}

function factsText(listed: Listed, trans: TranslationBundle): string {
  const { record } = listed;
  const spent =
    record.budget === null
      ? `${amount(record.spent)} ${record.unit}`
      : trans.__("%1 of %2 %3", amount(record.spent), amount(record.budget), record.unit);
  const best = record.best === null ? "" : trans.__("best %1", score(record.best, 4));
  return [best, spent, plural(record.rounds, "round"), rate(listed.perSecond)].filter(Boolean).join(" · ");
}

function statusText(status: string, asked: Verb | null, trans: TranslationBundle): string {
  if (status === "running" && asked === "pause") return trans.__("pausing…");
  if (status === "running" && asked === "stop") return trans.__("stopping…");
  const words: Record<string, string> = {
    ready: trans.__("ready"),
    running: trans.__("running"),
    paused: trans.__("paused"),
    finished: trans.__("finished"),
    stopped: trans.__("stopped"),
    failed: trans.__("failed"),
  };
  return words[status] ?? status;
}

function baseName(file: string | null): string | null {
  return file?.split(/[\\/]/).at(-1) ?? null;
}

function goneText(gone: NonNullable<Listed["gone"]>, file: string | null, trans: TranslationBundle): string {
  if (gone === "restarted") return file ? trans.__("The kernel was restarted; the search is gone. Its file %1 can be resumed.", file) : trans.__("The kernel was restarted; the search is gone.");
  if (gone === "shut down") return file ? trans.__("The kernel was shut down; the search is gone. Its file %1 can be resumed.", file) : trans.__("The kernel was shut down; the search is gone.");
  return trans.__("The notebook let go of it.");
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, name: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}

/** Sets text only where it differs, so that a screen reader is not told again. */
function text(element: HTMLElement, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}
