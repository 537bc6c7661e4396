/** What the panel of a training says and offers, from its facts and from what has been asked. Pure. */

import * as format from "../../shared/format";
import { type ButtonLook, type PanelState, labelOf, lookOf, mainCommand } from "../../shared/panel/asked";
import { type HeadLook, TONES } from "../../shared/panel/head";
import type { Table } from "../../shared/types";
import type { TrainingFacts } from "./facts";
import { brief } from "./plots";

export { mainCommand };

const TITLES: Record<string, string> = { step: "One step, then pause", use_best: "Put the parameters of the best evaluation into the towers" };

export function buttonOf(name: string, facts: TrainingFacts | null, state: PanelState): ButtonLook {
  const can = facts?.can[name as keyof TrainingFacts["can"]] ?? false;
  const title = name === "use_best" && facts && !facts.best ? "No evaluation yet" : (TITLES[name] ?? "");
  return lookOf(name, can, state, title);
}

/** `12.3 steps/s`, or steps a minute where they are slow. */
export function speed(perSecond: number): string {
  if (!(perSecond > 0)) return "";
  if (perSecond >= 100) return `${format.count(perSecond)} steps/s`;
  return perSecond >= 0.1 ? `${perSecond.toFixed(1)} steps/s` : `${(perSecond * 60).toFixed(1)} steps/min`;
}

export function headOf(facts: TrainingFacts): HeadLook {
  const { step, steps, epoch, epochs, status, best, loss } = facts;
  const running = status === "running";
  const left = running ? format.duration(facts.eta) : "";
  const parts = [
    steps === null ? (step === 1 ? "step" : "steps") : `of ${format.plural(steps, "step")}`,
    epochs === null ? `epoch ${format.count(epoch)}` : `epoch ${format.count(epoch)} of ${format.count(epochs)}`,
    loss === null ? "" : `loss ${brief(loss)}`,
    running ? speed(facts.rate) : "",
    left && `${left} left`,
  ];
  const byEpochs = epochs ? Math.min(1, epoch / epochs) : null;
  return {
    pill: labelOf(status), tone: TONES[status], name: format.line(facts.name, 80),
    spent: format.count(step), rest: ` ${parts.filter(Boolean).join(" · ")}`,
    reason: facts.trouble ?? (status === "finished" || status === "failed" ? format.line(facts.reason, 400) : ""),
    best: best ? best.accuracy.toFixed(4) : "", bestId: best ? `recall@${best.k}` : "", bestText: best ? `The best, at step ${format.count(best.step)}` : "",
    progress: steps ? Math.min(1, step / steps) : byEpochs,
    now: step, goal: steps, valueText: `${format.count(step)}${steps === null ? "" : ` of ${format.count(steps)}`} steps`,
  };
}

/** One sentence for those who listen. */
export function spoken(facts: TrainingFacts): string {
  const head = headOf(facts);
  const loss = facts.loss === null ? "" : `, loss ${brief(facts.loss)}`;
  return `${head.pill}, ${head.valueText}${loss}${head.best ? `, best ${head.bestId} ${head.best}` : ""}.${head.reason ? ` ${head.reason}` : ""}`;
}

/** What it is trained with, in one line. */
export function settingsLine(facts: TrainingFacts): string {
  const { batch_size, accumulate, precision, device, lr, pairs } = facts.settings;
  const batch = `batch ${format.count(batch_size)}${accumulate > 1 ? ` × ${format.count(accumulate)}` : ""}`;
  const parts = [pairs === null ? "" : format.plural(pairs, "pair"), batch, precision, device, lr === null ? "" : `learning rate ${brief(lr)}`];
  return parts.filter(Boolean).map((part) => format.line(part, 60)).join(" · ");
}

/** The command of a key, or null. */
export function commandOfKey(key: string, main: string): string | null {
  if (key === " ") return main;
  return key.toLowerCase() === "n" ? "step" : null;
}

export interface EventRow {
  time: string;
  step: string;
  who: string;
  text: string;
  note: string;
  tone: "person" | "bad" | "plain";
}

/** The row of the log's place `at`, latest first. */
export function eventAt(events: Table, at: number): EventRow {
  const row = events.length - 1 - at;
  const who = format.line(events.json("who")[row], 40);
  return {
    time: format.clock(events.f8("time")[row] ?? Number.NaN),
    step: format.count(events.i4("step")[row] ?? 0),
    who,
    text: format.line(events.json("text")[row], 400),
    note: format.line(events.json("note")[row], 400),
    tone: events.json("kind")[row] === "failure" ? "bad" : who ? "person" : "plain",
  };
}
