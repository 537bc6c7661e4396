import { describe, expect, it } from "vitest";
import { Columns } from "../../shared/columns";
import { COLUMNS } from "../../shared/fake_search";
import { operatorRows, tabAfter } from "./state";

function nodes(rows: Record<string, number>[]): Columns {
  const table = new Columns();
  table.grow(rows.length);
  rows.forEach((row, at) => {
    for (const name in row) table.put(name, COLUMNS.nodes?.[name] ?? "i4", at, row[name]);
  });
  return table;
}

describe("operators", () => {
  const table = nodes([
    { operator: 0, status: 0, calls: 10, n_new: 10, n_hits: 10, mean: 5, max: 7 },
    { operator: 1, status: 1, calls: 20, n_new: 15, n_hits: 30, mean: 8, max: 9 },
    { operator: 1, status: 0, calls: 10, n_new: 5, n_hits: 10, mean: 4, max: 6 },
    { operator: 1, status: 0, calls: 0, n_new: 0, n_hits: 0, mean: Number.NaN, max: Number.NaN },
    { operator: 2, status: 3, calls: 50, n_new: 50, n_hits: 10, mean: 99, max: 99 },
  ]);

  it("are compared by what they cost and found; what was undone is left out", () => {
    const rows = operatorRows(table, new Columns(), { operators: ["start", "gradient"], direction: "maximize" });
    expect(rows).toEqual([
      { code: 1, name: "gradient", queries: 3, calls: 30, fresh: 20, best: 9, mean: 7, share: 0.75 },
      { code: 0, name: "start", queries: 1, calls: 10, fresh: 10, best: 7, mean: 5, share: 0.25 },
    ]);
  });

  it("take the scores of items where their queries have none", () => {
    const items = new Columns();
    items.grow(2);
    items.stamp = 2;
    [6, 12].forEach((score, at) => {
      items.put("node", "i4", at, 3);
      items.put("score", "f8", at, score);
    });
    expect(operatorRows(table, items, { operators: [], direction: "maximize" })[0]).toMatchObject({ best: 12, mean: (8 * 30 + 4 * 10 + 18) / 42 });
  });

  it("have their lowest as best where low scores are sought", () => {
    expect(operatorRows(table, new Columns(), { operators: [], direction: "minimize" })[0]).toMatchObject({ best: 6, name: "operator 1" });
  });
});

describe("tabs", () => {
  it("are walked around", () => {
    expect([tabAfter("ArrowLeft", "Items"), tabAfter("ArrowRight", "Events"), tabAfter("Home", "Map"), tabAfter("End", "Map"), tabAfter("x", "Map")]).toEqual(["Events", "Items", "Items", "Events", null]);
  });
});
