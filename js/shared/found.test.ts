import { describe, expect, it } from "vitest";
import { Columns } from "./columns";
import { worthOf } from "./found";

function nodes(max: number[]): Columns {
  const table = new Columns();
  table.grow(max.length);
  max.forEach((value, at) => {
    table.put("max", "f8", at, value);
    table.put("mean", "f8", at, value);
    table.put("n_hits", "i4", at, value === value ? 7 : 0);
  });
  return table;
}

function scored(items: Columns, node: number, score: number): void {
  items.grow(items.length + 1);
  items.put("node", "i4", items.length - 1, node);
  items.put("score", "f8", items.length - 1, score);
  items.stamp++;
}

describe("what queries are worth", () => {
  it("is the kernel's word where it gives one, else that of their items, as they come", () => {
    const table = nodes([5, Number.NaN, Number.NaN]);
    const items = new Columns();
    expect(worthOf(table, items, "maximize").lent).toBe(false);
    for (const [node, score] of [[0, 99], [1, 2], [1, 4], [1, Number.NaN]] as const) scored(items, node, score);
    const worth = worthOf(table, items, "maximize");
    expect([[...worth.max], [...worth.mean], [...worth.weight as Int32Array]]).toEqual([[5, 4, Number.NaN], [5, 3, Number.NaN], [7, 2, 0]]);
    scored(items, 1, 9);
    scored(items, 2, 1);
    expect([...worthOf(table, items, "maximize").max]).toEqual([5, 9, 1]);
    expect([...worthOf(table, items, "minimize").max]).toEqual([5, 2, 1]);
  });

  it("is counted anew where a known item changed", () => {
    const table = nodes([Number.NaN]);
    const items = new Columns();
    scored(items, 0, 8);
    scored(items, 0, 2);
    expect(worthOf(table, items, "maximize").max[0]).toBe(8);
    items.put("score", "f8", 0, 4);
    items.stamp++;
    expect([worthOf(table, items, "maximize").max[0], worthOf(table, items, "maximize").mean[0]]).toEqual([4, 3]);
  });
});
