/** What has been asked of the kernel and not yet been answered, and what went wrong. Pure; the same for all live things. */

import type { Notice, Reply, Status } from "../types";

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
  /** Numbers of the notices that were dismissed. */
  read: readonly number[];
}

export type PanelEvent =
  | { type: "asked"; id: number; name: string }
  | { type: "answered"; id: number; name: string; reply: Reply; at: number }
  | { type: "time"; at: number; status: Status | null }
  | { type: "dismissed"; id: number };

export const NOTHING: PanelState = { asked: [], problems: [], read: [] };

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
        : { ...state, asked: state.asked.filter((one) => one.id !== event.id), problems: [...state.problems, problemOf(event.id, event.name, event.reply)].slice(-KEPT_PROBLEMS) };
    case "time": {
      const asked = state.asked.filter((one) => !settled(one, event.status, event.at));
      return asked.length === state.asked.length ? state : { ...state, asked };
    }
    case "dismissed":
      return event.id < 0 ? { ...state, read: [...state.read, -event.id] } : { ...state, problems: state.problems.filter((one) => one.id !== event.id) };
  }
}

/** All that is to be shown as gone wrong: what failed here, and the kernel's notices that nobody has dismissed. A notice has a negative id. */
export function problemsOf(state: PanelState, notices: readonly Notice[] = []): readonly Problem[] {
  const unread = notices.filter((one) => !state.read.includes(one.number));
  if (!unread.length) return state.problems;
  return [...unread.map(({ number, source, text }) => ({ id: -number, title: `${labelOf(source)}:`, hint: text })), ...state.problems];
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
  branch: "Branching…", prune: "Pruning…", restore: "Restoring…", use_best: "Going back…",
};

/** `use_best` → `Use best`. */
export function labelOf(name: string): string {
  return (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");
}

export interface ButtonLook {
  name: string;
  label: string;
  disabled: boolean;
  busy: boolean;
  title: string;
}

/** How a command's button looks, given whether the kernel would take it. */
export function lookOf(name: string, can: boolean, state: PanelState, title: string): ButtonLook {
  const busy = state.asked.some((one) => one.name === name);
  return { name, label: busy ? (DOING[name] ?? labelOf(name)) : labelOf(name), disabled: busy || !can, busy, title };
}

/** What is known of any live thing that can be started and paused. */
export interface Steered {
  status: Status;
  can: Record<"start" | "resume", boolean>;
}

/** What Space and the main button do now. */
export function mainCommand(facts: Steered | null, state: PanelState): "start" | "pause" | "resume" {
  const turning = state.asked.find((one) => one.name === "pause" || one.name === "resume" || one.name === "start");
  if (turning) return turning.name as "start" | "pause" | "resume";
  if (facts?.status === "running") return "pause";
  return !facts || facts.status === "ready" || (facts.can.start && !facts.can.resume) ? "start" : "resume";
}
