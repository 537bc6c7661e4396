/** Live settings as a form: which fields there are, what is wrong with what was typed, what is to be sent. Pure. */

import { amount, line } from "../../shared/format";
import type { Facts, Strategy } from "../../shared/types";

type Parameter = Strategy["parameters"][number];
type Settings = Facts["settings"];
type Chosen = { name: string; parameters: Record<string, unknown> };

/** What stands in the form, by field: numbers and lists as typed. */
export interface Draft {
  k: string;
  budget: string;
  batch_size: string;
  update: string;
  prune: string;
  /** By `update.<parameter>` and `prune.<parameter>`. */
  parameters: Record<string, string>;
}

export interface Checked {
  /** Only what differs from what holds; null where something is wrong. */
  settings: Record<string, unknown> | null;
  /** By field name. */
  wrong: Record<string, string>;
}

export function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return String(value);
}

/** The parameters of a strategy as the form first shows them: those that hold, else its defaults. */
export function parametersOf(strategy: Strategy, holds: Chosen | null): Record<string, string> {
  const same = holds?.name === strategy.name ? holds.parameters : {};
  return Object.fromEntries(strategy.parameters.map((p) => [p.name, written(p.name in same ? same[p.name] : p.default)]));
}

export function draftOf(facts: Facts): Draft {
  const { settings } = facts;
  const parameters: Record<string, string> = {};
  for (const [slot, list] of [["update", facts.updates], ["prune", facts.prunes]] as const) {
    for (const strategy of list) {
      if (strategy.name !== settings[slot]?.name) continue;
      for (const [name, value] of Object.entries(parametersOf(strategy, settings[slot]))) parameters[`${slot}.${name}`] = value;
    }
  }
  return { k: written(settings.k), budget: written(settings.budget), batch_size: written(settings.batch_size), update: settings.update.name, prune: settings.prune?.name ?? "", parameters };
}

export function check(draft: Draft, facts: Facts): Checked {
  const wrong: Record<string, string> = {};
  const changed: Record<string, unknown> = {};
  const { settings } = facts;
  for (const field of ["k", "budget", "batch_size"] as const) {
    const value = (field === "budget" && facts.unit !== "calls" ? positive : whole)(draft[field], settings[field] === null || field !== "k");
    if (typeof value === "string") wrong[field] = value;
    else if (value !== settings[field]) changed[field] = value;
  }
  const budget = changed.budget;
  if (typeof budget === "number" && budget < facts.spent) wrong.budget = `${amount(facts.spent)} ${line(facts.unit, 20)} are spent already.`;
  chosen("update", draft, facts.updates, settings.update, wrong, changed);
  if (draft.prune === "") {
    if (settings.prune) changed.prune = null;
  } else chosen("prune", draft, facts.prunes, settings.prune, wrong, changed);
  return { settings: Object.keys(wrong).length ? null : changed, wrong };
}

function chosen(slot: "update" | "prune", draft: Draft, list: readonly Strategy[], holds: Settings["prune"], wrong: Record<string, string>, changed: Record<string, unknown>): void {
  const strategy = list.find((one) => one.name === draft[slot]);
  if (!strategy) return;
  const parameters: Record<string, unknown> = {};
  for (const parameter of strategy.parameters) {
    const field = `${slot}.${parameter.name}`;
    const value = typed(draft.parameters[field] ?? "", parameter);
    if (value instanceof Wrong) wrong[field] = value.reason;
    else parameters[parameter.name] = value;
  }
  const before = holds?.name === strategy.name ? { ...Object.fromEntries(strategy.parameters.map((p) => [p.name, p.default])), ...holds.parameters } : null;
  const same = before && Object.keys(parameters).every((name) => JSON.stringify(parameters[name]) === JSON.stringify(before[name]));
  if (!same) changed[slot] = { name: strategy.name, parameters };
}

/** What parameters are called where their own names say too little. */
const LABELS: Record<string, string> = {
  k: "How many stay (k)", lrs: "Learning rates (lrs)", n_active: "Queries a round (n_active)", score_agg: "A query’s score (score_agg)", max_norm: "Largest step (max_norm)",
};

export function labelOf(slot: "update" | "prune", name: string): string {
  if (slot === "update" && name === "k") return "New queries (k)";
  const plain = name.replaceAll("_", " ");
  return LABELS[name] ?? plain.charAt(0).toUpperCase() + plain.slice(1);
}

class Wrong {
  constructor(readonly reason: string) {}
}

/** A whole number from 1, null for nothing; or what is wrong. */
function whole(text: string, optional: boolean): number | null | string {
  const trimmed = text.replace(/[\s,_]/g, "");
  if (trimmed === "" && optional) return null;
  return /^\d{1,9}$/.test(trimmed) && Number(trimmed) > 0 ? Number(trimmed) : "A whole number from 1.";
}

/** A number above 0, null for nothing; or what is wrong. */
function positive(text: string, optional: boolean): number | null | string {
  const trimmed = text.replace(/[\s,_]/g, "");
  if (trimmed === "" && optional) return null;
  return Number(trimmed) > 0 && Number(trimmed) < 1e15 ? Number(trimmed) : "A number above 0.";
}

function typed(text: string, { name, type, default: fallback, choices, minimum }: Parameter): unknown {
  const trimmed = text.trim();
  if (type === "bool") return trimmed === "true";
  if (type === "choice") return !choices || choices.includes(trimmed) ? trimmed : new Wrong(`One of ${choices.join(", ")}.`);
  if (trimmed === "") return fallback === null ? null : new Wrong("A value is needed.");
  if (type === "floats") {
    const list = trimmed.replace(/^\[|\]$/g, "").split(/[,;\s]+/).filter(Boolean).map(Number);
    const numbers = list.length && list.every(Number.isFinite) ? list : null;
    if (!numbers) return new Wrong("Numbers with commas between them.");
    return name === "lrs" && numbers.some((one) => one <= 0) ? new Wrong("Numbers above 0.") : numbers;
  }
  const value = Number(trimmed);
  if (!Number.isFinite(value)) return new Wrong("A number.");
  if (type === "int" && !Number.isInteger(value)) return new Wrong("A whole number.");
  const least = minimum ?? (type === "int" && name === "k" ? 1 : Number.NEGATIVE_INFINITY);
  return value < least ? new Wrong(type === "int" ? `A whole number from ${least}.` : `A number from ${least}.`) : value;
}
