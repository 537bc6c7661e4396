import { describe, expect, it } from "vitest";
import { Columns } from "../../shared/columns";
import { itemsOf, subtitle } from "./state";

describe("the row above a chart", () => {
  it("counts what the selected nodes found", () => {
    const items = new Columns();
    items.grow(4);
    [3, 5, 3, 8].forEach((node, row) => items.put("node", "i4", row, node));
    expect([itemsOf(items, [3]), itemsOf(items, [3, 8]), itemsOf(items, [])]).toEqual([2, 3, 0]);
  });

  it("says so", () => {
    expect(subtitle("histogram", 412, 96)).toBe("all 412, selected 96");
    expect(subtitle("histogram", 1, null)).toBe("all 1 item");
    expect(subtitle("histogram", 0, null)).toBe("no scores yet");
    expect(subtitle("trace", 412, 96)).toBe("against calls");
  });
});
