/** What the control panel shows, from facts and from what has been asked and not yet been answered. Pure. */

import * as format from "../../shared/format";
import { type ButtonLook, type PanelState, labelOf, lookOf } from "../../shared/panel/asked";
import { type HeadLook, TONES } from "../../shared/panel/head";
import type { ColorBy, Facts } from "../../shared/types";

export { NOTHING, labelOf, mainCommand, problemsOf, reduce } from "../../shared/panel/asked";

export const STEERING = ["step", "stop", "undo", "redo"] as const;
export const EDITING = ["branch", "prune", "restore"] as const;

/** How a command's button looks; disabled ones say why nothing would happen. */
export function buttonOf(name: string, facts: Facts | null, state: PanelState, selected: number): ButtonLook {
  const editing = (EDITING as readonly string[]).includes(name);
  const can = facts !== null && (editing ? selected > 0 : facts.can[name as keyof Facts["can"]]);
  return lookOf(name, can, state, titleOf(name, facts, selected));
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

export function headOf(facts: Facts): HeadLook {
  const { spent, budget, status, best } = facts;
  const unit = facts.unit === "calls" && spent === 1 && budget === null ? "call" : format.line(facts.unit, 20);
  const parts = [budget === null ? unit : `of ${format.amount(budget)} ${unit}`, `round ${format.count(facts.n_rounds)}`];
  if (facts.unit !== "calls") parts.push(`${format.count(facts.n_scored)} scored`);
  if (facts.n_failed) parts.push(`${format.count(facts.n_failed)} failed`);
  if (status === "running") parts.push(facts.activity);
  if (status === "running" && facts.rate > 0) parts.push(format.rate(facts.rate));
  const left = status === "running" ? format.duration(facts.eta) : "";
  if (left) parts.push(`${left} left`);
  const progress = budget ? Math.min(1, spent / budget) : null;
  return {
    pill: labelOf(status), tone: TONES[status], name: format.line(facts.name, 80), spent: format.amount(spent), rest: ` ${parts.join(" · ")}`,
    reason: status === "running" ? "" : format.line(facts.reason, 400),
    best: best ? format.score(best.score, format.decimals(facts.score_range)) : "", bestId: best ? format.line(best.id, 40) : "", bestText: best ? format.line(best.text, 300) : "",
    progress, now: spent, goal: budget, valueText: `${format.amount(spent)}${budget === null ? "" : ` of ${format.amount(budget)}`} ${unit}`,
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
