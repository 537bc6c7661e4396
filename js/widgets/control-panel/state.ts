/** What the control panel shows, from facts and from what has been asked and not yet been answered. Pure. */

import * as format from "../../shared/format";
import type { ColorBy, Facts, Reply, Status } from "../../shared/types";

/** A command on its way. `answered`: when its reply came; it still shows until the facts agree. */
export interface Asked {
  id: number;
  name: string;
  answered: number | null;
}

export interface Problem {
  id: number;
  title: string;
  hint: string;
}

export interface PanelState {
  asked: readonly Asked[];
  problems: readonly Problem[];
}

export type PanelEvent =
  | { type: "asked"; id: number; name: string }
  | { type: "answered"; id: number; name: string; reply: Reply; at: number }
  | { type: "time"; at: number; status: Status | null }
  | { type: "dismissed"; id: number };

export const NOTHING: PanelState = { asked: [], problems: [] };

const KEPT_PROBLEMS = 50;
/** How long an answered command waits for the facts to agree. */
const SETTLE = 1500;

const AFTER: Record<string, readonly Status[]> = {
  pause: ["paused", "finished", "stopped", "failed"],
  stop: ["stopped", "finished", "failed"],
  start: ["running", "finished", "stopped", "failed"],
  resume: ["running", "finished", "stopped", "failed"],
};

export function reduce(state: PanelState, event: PanelEvent): PanelState {
  switch (event.type) {
    case "asked":
      return { ...state, asked: [...state.asked, { id: event.id, name: event.name, answered: null }] };
    case "answered":
      return event.reply.ok
        ? { ...state, asked: state.asked.map((one) => (one.id === event.id ? { ...one, answered: event.at } : one)) }
        : { asked: state.asked.filter((one) => one.id !== event.id), problems: [...state.problems, problemOf(event.id, event.name, event.reply)].slice(-KEPT_PROBLEMS) };
    case "time": {
      const asked = state.asked.filter((one) => !settled(one, event.status, event.at));
      return asked.length === state.asked.length ? state : { ...state, asked };
    }
    case "dismissed":
      return { ...state, problems: state.problems.filter((one) => one.id !== event.id) };
  }
}

function settled({ name, answered }: Asked, status: Status | null, at: number): boolean {
  if (answered === null) return false;
  const wanted = AFTER[name];
  return !wanted || at - answered > SETTLE || (status !== null && wanted.includes(status));
}

function problemOf(id: number, name: string, reply: Reply): Problem {
  return { id, title: reply.error?.title || `${labelOf(name)} failed.`, hint: reply.error?.hint ?? "" };
}

const DOING: Record<string, string> = {
  start: "Starting…", pause: "Pausing…", resume: "Resuming…", step: "Stepping…", stop: "Stopping…", undo: "Undoing…", redo: "Redoing…",
  branch: "Branching…", prune: "Pruning…", restore: "Restoring…",
};

export function labelOf(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

export interface ButtonLook {
  name: string;
  label: string;
  disabled: boolean;
  busy: boolean;
  title: string;
}

export const STEERING = ["step", "stop", "undo", "redo"] as const;
export const EDITING = ["branch", "prune", "restore"] as const;

/** What Space and the main button do now. */
export function mainCommand(facts: Facts | null, state: PanelState): "start" | "pause" | "resume" {
  const turning = state.asked.find((one) => one.name === "pause" || one.name === "resume" || one.name === "start");
  if (turning) return turning.name as "start" | "pause" | "resume";
  if (facts?.status === "running") return "pause";
  return !facts || facts.status === "ready" || (facts.can.start && !facts.can.resume) ? "start" : "resume";
}

/** How a command's button looks; disabled ones say why nothing would happen. */
export function buttonOf(name: string, facts: Facts | null, state: PanelState, selected: number): ButtonLook {
  const busy = state.asked.some((one) => one.name === name);
  const editing = (EDITING as readonly string[]).includes(name);
  const can = facts !== null && (editing ? selected > 0 : facts.can[name as keyof Facts["can"]]);
  return { name, label: busy ? (DOING[name] ?? labelOf(name)) : labelOf(name), disabled: busy || !can, busy, title: titleOf(name, facts, selected) };
}

function titleOf(name: string, facts: Facts | null, selected: number): string {
  const queries = selected ? format.plural(selected, "selected query", "selected queries") : "";
  if (name === "branch") return queries ? `New queries near the ${queries}` : "Select a query first";
  if (name === "prune") return queries ? `Give up the ${queries} and what came of them` : "Select a query first";
  if (name === "restore") return queries ? `Take back pruned queries of the selection` : "Select a query first";
  if (name === "undo") return facts?.undo ? `Undo ${format.line(facts.undo, 80)}` : "";
  if (name === "redo") return facts?.redo ? `Redo ${format.line(facts.redo, 80)}` : "";
  if (name === "step") return "One round, then pause";
  return "";
}

export interface HeadLook {
  pill: string;
  tone: "ok" | "warn" | "bad" | "soft" | "accent";
  name: string;
  /** Calls paid, large; the rest of the line after it. */
  calls: string;
  rest: string;
  reason: string;
  best: string;
  bestId: string;
  bestText: string;
  /** From 0 to 1, or null without a budget. */
  progress: number | null;
  valueText: string;
}

const TONES: Record<Status, HeadLook["tone"]> = { ready: "soft", running: "ok", paused: "warn", finished: "accent", stopped: "soft", failed: "bad" };

export function headOf(facts: Facts): HeadLook {
  const { n_scored, budget, status, best } = facts;
  const parts = [budget === null ? (n_scored === 1 ? "call" : "calls") : `of ${format.count(budget)} calls`, `round ${format.count(facts.n_rounds)}`];
  if (facts.n_failed) parts.push(`${format.count(facts.n_failed)} failed`);
  if (status === "running" && facts.rate > 0) parts.push(format.rate(facts.rate));
  const left = status === "running" ? format.duration(facts.eta) : "";
  if (left) parts.push(`${left} left`);
  const progress = budget ? Math.min(1, n_scored / budget) : null;
  return {
    pill: labelOf(status), tone: TONES[status], name: format.line(facts.name, 80), calls: format.count(n_scored), rest: ` ${parts.join(" · ")}`,
    reason: status === "running" ? "" : format.line(facts.reason, 400),
    best: best ? format.score(best.score, format.decimals(facts.score_range)) : "", bestId: best ? format.line(best.id, 40) : "", bestText: best ? format.line(best.text, 300) : "",
    progress, valueText: `${format.count(n_scored)}${budget === null ? "" : ` of ${format.count(budget)}`} calls`,
  };
}

/** One sentence for those who listen. */
export function spoken(facts: Facts): string {
  const head = headOf(facts);
  return `${head.pill}, ${head.valueText}${head.best ? `, best ${head.best}` : ""}.${head.reason ? ` ${head.reason}` : ""}`;
}

export const COLORS: readonly { by: ColorBy; label: string }[] = [
  { by: "max", label: "max score" },
  { by: "mean", label: "mean score" },
  { by: "round", label: "round" },
  { by: "operator", label: "operator" },
];

/** The command of a key, or null. */
export function commandOfKey(key: string, shift: boolean, main: string): string | null {
  if (key === " ") return main;
  const letter = key.toLowerCase();
  if (letter === "u") return shift ? "redo" : "undo";
  if (shift) return null;
  return { b: "branch", p: "prune", r: "restore", n: "step" }[letter] ?? null;
}
