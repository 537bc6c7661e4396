/** What the four charts show, from a training's tables and facts. Pure. */

import * as format from "../../shared/format";
import type { Table } from "../../shared/types";
import type { TrainingFacts } from "./facts";
import { extent, latest, rowsOf, smoothed, spanOf } from "./series";

export type Tone = "raw" | "main" | "second" | "soft";

export interface Line {
  name: string;
  ys: number[];
  tone: Tone;
  /** Drawn by the scale on the right. */
  right?: boolean;
  /** 0: whole; more: ever shorter dashes. */
  dash?: number;
  /** Written at its end. */
  label?: string;
}

export interface Plot {
  title: string;
  says: string;
  /** What stands there while there is nothing to draw. */
  empty: string;
  /** Where on the axis below; ascending. */
  xs: number[];
  /** Where the axis below ends. */
  until: number;
  lines: Line[];
  band?: { low: number[]; high: number[] };
  /** Bars instead of lines: the edges and heights; `xs` are their middles. */
  bars?: { low: number; high: number; count: number }[];
  range: [number, number] | null;
  right?: [number, number] | null;
  log?: boolean;
  /** A point of a line that stands out. */
  mark?: { line: number; at: number } | null;
  /** For those who cannot see it. */
  summary: string;
  /** What is read off at a place: a heading, and names with values. */
  read(at: number): { head: string; rows: [string, string][] };
}

/** Few digits, as many as tell something. */
export function brief(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size > 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace("e+", "e").replace("-", "−").replace("e-", "e−").replace(".0e", "e");
  return String(Number(value.toPrecision(size >= 1000 ? 6 : 4))).replace("-", "−");
}

const stepsText = (from: number, to: number) => (from === to ? `Step ${format.count(to)}` : `Steps ${format.count(from)}–${format.count(to)}`);
const at = (values: readonly number[], i: number) => values[i] ?? Number.NaN;

export function lossPlot(table: Table, facts: TrainingFacts | null, log: boolean): Plot {
  const steps = rowsOf(table, true);
  const [told, whole, low, high] = [steps.column("interpretable_loss"), steps.column("loss"), steps.column("low"), steps.column("high")];
  const values = told.map((value, i) => (Number.isNaN(value) ? at(whole, i) : value));
  const smooth = smoothed(values, spanOf(values.length));
  const above = extent(low.filter((value) => value > 0), high.filter((value) => value > 0));
  const usable = log && above !== null;
  const skipped = steps.column("skipped").reduce((sum, one) => sum + one, 0);
  const isTold = told.some(Number.isFinite);
  const ends = `from ${brief(values.find(Number.isFinite) ?? Number.NaN)} to ${brief(latest(smooth))}`;
  return {
    title: "Loss",
    says: [isTold ? "−log P of the own document" : "", skipped ? `${format.plural(skipped, "step")} skipped` : "", log && !usable && values.length ? "not above zero: no log" : ""].filter(Boolean).join(" · "),
    empty: "No steps yet.",
    xs: steps.to, until: Math.max(facts?.step ?? 0, 1),
    lines: [{ name: "each", ys: values, tone: "raw" }, { name: "smoothed", ys: smooth, tone: "main" }],
    ...(steps.to.length && steps.from.some((from, i) => from !== steps.to[i]) ? { band: { low, high } } : {}),
    range: usable ? above : extent(low, high), log: usable,
    summary: values.length ? `Loss ${ends}, smoothed, in ${format.plural(facts?.step ?? 0, "step")}.` : "No steps yet.",
    read: (i) => {
      const rows: [string, string][] = [["smoothed", brief(at(smooth, i))], [steps.from[i] === steps.to[i] ? "this step" : "mean", brief(at(values, i))]];
      if (steps.from[i] !== steps.to[i]) rows.push(["range", `${brief(at(low, i))} – ${brief(at(high, i))}`]);
      if (isTold) rows.push(["descended on", brief(at(whole, i))]);
      return { head: stepsText(at(steps.from, i), at(steps.to, i)), rows };
    },
  };
}

export function recallPlot(table: Table, facts: TrainingFacts | null): Plot {
  const rows = rowsOf(table, false);
  const ks = facts?.ks ?? [];
  const monitor = facts?.monitor ?? -1;
  const others = ks.filter((k) => k !== monitor);
  const lines: Line[] = ks.map((k) => ({
    name: `recall@${k}`, ys: rows.column(`accuracy@${k}`), label: `@${k}`, ...(k === monitor ? { tone: "main" as const } : { tone: "soft" as const, dash: others.indexOf(k) + 1 }),
  }));
  const watched = lines.find((line) => line.tone === "main");
  const best = facts?.best ? rows.to.indexOf(facts.best.step) : -1;
  const held = facts?.settings.held_out ?? null;
  return {
    title: "Recall@k", says: held === null ? "" : `of ${format.count(held)} held-out pairs`,
    empty: facts && held === null ? "No held-out pairs to evaluate on: pass validation=(queries, documents)." : "No evaluation yet.",
    xs: rows.to, until: Math.max(facts?.step ?? 0, 1), lines,
    range: lines.length && rows.to.length ? [0, Math.max(...(extent(...lines.map((line) => line.ys)) ?? [0, 1]), 0.01)] : null,
    mark: watched && best >= 0 ? { line: lines.indexOf(watched), at: best } : null,
    summary: rows.to.length ? `${lines.map((line) => `${line.name} ${brief(latest(line.ys))}`).join(", ")} after ${format.plural(rows.to.length, "evaluation")}${facts?.best ? `; the best recall@${facts.best.k} ${brief(facts.best.accuracy)}, at step ${format.count(facts.best.step)}` : ""}.` : "No evaluation yet.",
    read: (i) => ({ head: `Step ${format.count(at(rows.to, i))}`, rows: lines.map((line) => [line.name, Number.isNaN(at(line.ys, i)) ? "–" : at(line.ys, i).toFixed(4)]) }),
  };
}

export function pacePlot(table: Table, facts: TrainingFacts | null): Plot {
  const steps = rowsOf(table, true);
  const [stale, lr] = [steps.column("staleness"), steps.column("lr")];
  const hasCaches = stale.some(Number.isFinite) || (facts?.caches.length ?? 0) > 0;
  const rate: Line = { name: "learning rate", ys: lr, tone: hasCaches ? "second" : "main", right: hasCaches };
  const [first, last] = [lr.find(Number.isFinite) ?? Number.NaN, latest(lr)];
  const pace = `learning rate ${first === last ? brief(last) : `from ${brief(first)} to ${brief(last)}`}`;
  const zero = (range: [number, number] | null): [number, number] | null => range && [Math.min(0, range[0]), range[1] > 0 ? range[1] : 1];
  return {
    title: hasCaches ? "Staleness and learning rate" : "Learning rate", says: "", empty: "No steps yet.",
    xs: steps.to, until: Math.max(facts?.step ?? 0, 1),
    lines: hasCaches ? [{ name: "staleness", ys: smoothed(stale, spanOf(stale.length)), tone: "main" }, rate] : [rate],
    range: zero(hasCaches ? (extent(stale) ?? (steps.to.length ? [0, 1] : null)) : extent(lr)), ...(hasCaches ? { right: zero(extent(lr)) } : {}),
    summary: steps.to.length ? `${hasCaches ? `Staleness of the negatives drawn ${brief(latest(stale))} steps, ` : ""}${pace}.`.replace(/^l/, "L") : "No steps yet.",
    read: (i) => ({
      head: stepsText(at(steps.from, i), at(steps.to, i)),
      rows: [...(hasCaches ? [["staleness", brief(at(stale, i))] as [string, string]] : []), ["learning rate", brief(at(lr, i))]],
    }),
  };
}

export function agesPlot(table: Table, facts: TrainingFacts | null, cache: number): Plot {
  const [of, low, high, count] = [table.u1("cache"), table.i4("low"), table.i4("high"), table.i4("count")];
  const bars: { low: number; high: number; count: number }[] = [];
  for (let row = 0; row < table.length; row++) {
    const bar = { low: low[row] ?? 0, high: high[row] ?? 0, count: count[row] ?? 0 };
    if (of[row] === cache && bar.high > bar.low) bars.push(bar);
  }
  bars.sort((a, b) => a.low - b.low);
  const known = facts?.caches[cache];
  const ages = (bar: { low: number; high: number } | undefined) => (!bar ? "" : bar.high - bar.low === 1 ? `${format.count(bar.low)}` : `${format.count(bar.low)}–${format.count(bar.high - 1)}`);
  const until = bars.at(-1)?.high ?? 1;
  const most = Math.max(0, ...bars.map((bar) => bar.count));
  const rows = known?.rows ?? 0;
  return {
    title: "Cache ages", says: bars.length ? `${format.count(rows)} of ${format.plural(known?.capacity ?? 0, "row")}, at step ${format.count(known?.step ?? 0)}` : "",
    empty: !facts || facts.caches.length ? "Looked at when the towers are evaluated." : "No caches: the negatives are those of the batch.",
    xs: bars.map((bar) => (bar.low + bar.high) / 2), until, lines: [], bars, range: bars.length ? [0, Math.max(most, 1)] : null,
    summary: bars.length ? `${format.plural(rows, "row")} of cache ${format.line(known?.name, 60)}, up to ${format.plural(until - 1, "step")} old.` : "No ages yet.",
    read: (i) => ({ head: `${ages(bars[i])} ${bars[i]?.high === 2 && bars[i]?.low === 1 ? "step" : "steps"} old`, rows: [["rows", format.count(bars[i]?.count ?? 0)], ["share", rows ? `${(((bars[i]?.count ?? 0) / rows) * 100).toFixed(1)} %` : "–"]] }),
  };
}
