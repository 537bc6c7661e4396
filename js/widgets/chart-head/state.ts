/** What stands above a chart. Pure. */

import { count, plural } from "../../shared/format";
import type { Table } from "../../shared/types";

export type Chart = "histogram" | "trace";

export const TITLES: Record<Chart, string> = { histogram: "Scores", trace: "Best so far" };

/** How many of the items were found by one of the selected nodes. */
export function itemsOf(items: Table, selection: readonly number[]): number {
  if (!selection.length) return 0;
  const wanted = new Set(selection);
  const node = items.i4("node");
  let found = 0;
  for (let row = 0; row < items.length; row++) if (wanted.has(node[row] ?? -1)) found++;
  return found;
}

export function subtitle(chart: Chart, all: number, selected: number | null): string {
  if (chart === "trace") return "against calls";
  if (!all) return "no scores yet";
  return selected === null ? `all ${plural(all, "item")}` : `all ${count(all)}, selected ${count(selected)}`;
}
