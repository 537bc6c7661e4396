/** The tabs, and how the operators compare. Pure. */

import { worthOf } from "../../shared/found";
import type { Facts, Table } from "../../shared/types";

export const TABS = ["Items", "Map", "Operators", "Events"] as const;

export type Tab = (typeof TABS)[number];

/** Where a key takes the focus among the tabs; null: not ours. */
export function tabAfter(key: string, now: Tab): Tab | null {
  const at = TABS.indexOf(now);
  if (key === "ArrowRight") return TABS[(at + 1) % TABS.length] ?? null;
  if (key === "ArrowLeft") return TABS[(at + TABS.length - 1) % TABS.length] ?? null;
  if (key === "Home") return TABS[0];
  if (key === "End") return TABS.at(-1) ?? null;
  return null;
}

export interface OperatorRow {
  code: number;
  name: string;
  queries: number;
  calls: number;
  fresh: number;
  /** As the person gave scores; NaN: none. */
  best: number;
  mean: number;
  /** Share of all calls, 0 to 1. */
  share: number;
}

/** One row an operator that made a query, those with the most calls first. Queries that were undone do not count. */
export function operatorRows(nodes: Table, items: Table, facts: Pick<Facts, "operators" | "direction">): OperatorRow[] {
  const rows = new Map<number, OperatorRow & { sum: number; weight: number }>();
  const columns = { operator: nodes.u1("operator"), status: nodes.u1("status"), calls: nodes.i4("calls"), fresh: nodes.i4("n_new"), ...worthOf(nodes, items, facts.direction) };
  const lowest = facts.direction === "minimize";
  let total = 0;
  for (let node = 0; node < nodes.length; node++) {
    if (columns.status[node] === 3) continue;
    const code = columns.operator[node] ?? 0;
    const row = rows.get(code) ?? { code, name: facts.operators[code] ?? `operator ${code}`, queries: 0, calls: 0, fresh: 0, best: Number.NaN, mean: Number.NaN, share: 0, sum: 0, weight: 0 };
    rows.set(code, row);
    row.queries++;
    row.calls += columns.calls[node] ?? 0;
    row.fresh += columns.fresh[node] ?? 0;
    total += columns.calls[node] ?? 0;
    const [mean, max, hits] = [columns.mean[node] ?? Number.NaN, columns.max[node] ?? Number.NaN, columns.weight[node] ?? 0];
    if (mean === mean && hits > 0) {
      row.sum += mean * hits;
      row.weight += hits;
    }
    if (max === max && !(lowest ? max >= row.best : max <= row.best)) row.best = max;
  }
  return [...rows.values()]
    .map(({ sum, weight, ...row }) => ({ ...row, mean: weight ? sum / weight : Number.NaN, share: total ? row.calls / total : 0 }))
    .sort((a, b) => b.calls - a.calls || a.code - b.code);
}
