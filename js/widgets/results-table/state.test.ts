import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Columns } from "../../shared/columns";
import { extended, sorted } from "./order";
import { Looks, Order, arranged, copied, marksAfter, moved, sortBy } from "./state";

function slow(keys: readonly number[], falling: boolean): number[] {
  const rank = (value: number) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : 0);
  return keys.map((_, row) => row).sort((a, b) => {
    const [x, y] = [keys[a] as number, keys[b] as number];
    if (Number.isNaN(x) || Number.isNaN(y)) return rank(x) === rank(y) ? a - b : rank(x) - rank(y);
    return (x === y ? 0 : x < y !== falling ? -1 : 1) || a - b;
  });
}

const numbers = fc.array(fc.oneof(fc.double(), fc.integer({ min: -3, max: 3 }), fc.constantFrom(Number.NaN, -0, 0, Infinity, -Infinity)), { maxLength: 60 });

function scores(values: readonly number[]): Columns {
  const items = new Columns();
  for (const value of values) append(items, value);
  return items;
}

function append(items: Columns, score: number): void {
  items.grow(items.length + 1);
  items.put("score", "f8", items.length - 1, score);
  items.put("call", "i4", items.length - 1, items.length);
  items.stamp++;
}

describe("order", () => {
  it("is that of a slow sort, whatever the numbers", () => {
    fc.assert(fc.property(numbers, fc.boolean(), (keys, falling) => {
      expect([...sorted(keys, keys.length, falling)]).toEqual(slow(keys, falling));
    }));
  });

  it("extended by new rows is the order of all", () => {
    fc.assert(fc.property(numbers, fc.nat(60), fc.boolean(), (keys, cut, falling) => {
      const before = sorted(keys, Math.min(cut, keys.length), falling);
      expect([...extended(before, keys, keys.length, falling)]).toEqual(slow(keys, falling));
    }));
  });

  it("of a million rows takes well under a second", () => {
    const keys = Float64Array.from({ length: 1_000_000 }, (_, i) => (Math.sin(i * 12.9898) * 43758.5453) % 1);
    const started = performance.now();
    const order = sorted(keys, keys.length, true);
    expect(performance.now() - started).toBeLessThan(2500);
    for (let i = 1; i < order.length; i++) if ((keys[order[i - 1] as number] as number) < (keys[order[i] as number] as number)) throw new Error(`row ${i}`);
  });

  it("by id or text is that of the kernel's places; what has none comes last", () => {
    const items = scores([3, 9, 1, 5, 7]);
    const order = new Order();
    const by = { key: "id", falling: false } as const;
    order.follow(items, new Columns(), by, []);
    expect([...order.rows]).toEqual([0, 1, 2, 3, 4]);
    const places = { by: "id", at: Int32Array.of(2, 0, -1, 1), version: 1 } as const;
    expect(order.follow(items, new Columns(), by, [], places)).toBe(true);
    expect([...order.rows]).toEqual([1, 3, 0, 2, 4]);
    expect(order.follow(items, new Columns(), by, [], places)).toBe(false);
    order.follow(items, new Columns(), { key: "id", falling: true }, [], places);
    expect([...order.rows]).toEqual([0, 3, 1, 2, 4]);
    order.follow(items, new Columns(), { key: "item", falling: false }, [], places);
    expect([...order.rows]).toEqual([0, 1, 2, 3, 4]);
    expect([...arranged([0, 1, 3], items, new Columns(), by, "maximize", [], places)]).toEqual([1, 3, 0]);
  });

  it("follows a table that grows and changes", () => {
    const items = scores([3, 9, Number.NaN, 5]);
    const order = new Order();
    const best = { key: "score", falling: true } as const;
    expect(order.follow(items, new Columns(), best, [])).toBe(true);
    expect([...order.rows]).toEqual([1, 3, 0, 2]);
    expect(order.follow(items, new Columns(), best, [])).toBe(false);
    append(items, 7);
    order.follow(items, new Columns(), best, []);
    expect([...order.rows]).toEqual([1, 4, 3, 0, 2]);
    items.put("score", "f8", 0, 8);
    items.stamp++;
    order.follow(items, new Columns(), best, []);
    expect([...order.rows]).toEqual([1, 0, 4, 3, 2]);
  });

  it("of found rows is best first until another is asked for", () => {
    const items = scores([3, 9, 1, 5]);
    const found = [1, 0, 2];
    expect([...arranged(found, items, new Columns(), { key: "score", falling: true }, "maximize", [])]).toEqual([1, 0, 2]);
    expect([...arranged(found, items, new Columns(), { key: "score", falling: false }, "maximize", [])]).toEqual([2, 0, 1]);
    expect([...arranged(found, items, new Columns(), { key: "call", falling: true }, "maximize", [])]).toEqual([2, 1, 0]);
  });

  it("of who found them is the alphabet's", () => {
    const [items, nodes] = [scores([1, 2, 3]), new Columns()];
    nodes.grow(3);
    [0, 1, 2].forEach((at) => {
      nodes.put("operator", "u1", at, at);
      items.put("node", "i4", at, at);
    });
    const order = new Order();
    order.follow(items, nodes, { key: "operator", falling: false }, ["start", "neighbours", "gradient"]);
    expect([...order.rows]).toEqual([2, 1, 0]);
    order.follow(items, nodes, { key: "operator", falling: false }, ["start", "neighbours", "Zoom"]);
    expect([...order.rows]).toEqual([1, 0, 2]);
  });

  it("turns when a head is pressed twice", () => {
    const best = sortBy("score", { key: "call", falling: true }, "minimize");
    expect(best).toEqual({ key: "score", falling: false });
    expect(sortBy("score", best, "minimize").falling).toBe(true);
  });
});

describe("texts", () => {
  it("are missing until they are whole, and are forgotten when there are too many", () => {
    const looks = new Looks(2);
    expect(looks.missing([1, 2, 3])).toEqual([1, 2, 3]);
    for (const row of [1, 2, 3]) looks.put(row, { id: `i${row}`, text: "", image: null, whole: true });
    expect(looks.get(1)).toBeNull();
    expect(looks.missing([1, 2, 3])).toEqual([1]);
  });

  it("of the top are there at once, and do not replace what was asked for", () => {
    const looks = new Looks();
    looks.putTop(4, "a", "cut");
    expect(looks.get(4)?.text).toBe("cut");
    expect(looks.missing([4])).toEqual([4]);
    looks.put(4, { id: "a", text: "whole", image: "data:image/png;base64,AA", whole: true });
    looks.putTop(4, "a", "cut");
    expect(looks.get(4)?.text).toBe("whole");
  });

  it("are copied so that no spreadsheet takes them for formulas", () => {
    const text = copied([{ id: "@x", score: -1.5, text: '=HYPERLINK("a")\n\tb', call: 2 }]);
    expect(text.split("\n")[1]).toBe("-1.5\t'@x\t'=HYPERLINK(\"a\") b\t3");
  });
});

describe("the active cell and the marks", () => {
  const size = { rows: 10, columns: 7, page: 4 };

  it("move by keys and stay inside", () => {
    expect(moved("PageDown", { row: 8, column: 2 }, size, false)).toEqual({ row: 9, column: 2 });
    expect(moved("ArrowUp", { row: 0, column: 0 }, size, false)).toEqual({ row: 0, column: 0 });
    expect(moved("End", { row: 0, column: 0 }, size, true)).toEqual({ row: 9, column: 6 });
    expect(moved("a", { row: 0, column: 0 }, size, false)).toBeNull();
  });

  it("mark one, one more, and all between", () => {
    const order = [5, 6, 7, 8];
    expect(marksAfter([5], order, 2, 0, "one")).toEqual([7]);
    expect(marksAfter([5], order, 2, 0, "toggle")).toEqual([5, 7]);
    expect(marksAfter([5, 7], order, 2, 0, "toggle")).toEqual([5]);
    expect(marksAfter([5], order, 3, 1, "range")).toEqual([6, 7, 8]);
    expect(marksAfter([5], order, 9, 1, "one")).toEqual([5]);
  });
});
