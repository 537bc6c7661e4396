import { describe, expect, it } from "vitest";
import { FAKE, FakeSearch } from "./fake_search";

describe("the made-up search", () => {
  it("is the same for the same seed", () => {
    const [a, b] = [new FakeSearch(), new FakeSearch()];
    expect([...a.items.f8("score").subarray(0, a.items.length)]).toEqual([...b.items.f8("score").subarray(0, b.items.length)]);
    expect(a.nodes.length).toBeGreaterThanOrEqual(63);
  });

  it("keeps the best first and the tree a tree", () => {
    const search = new FakeSearch({ ...FAKE, nodes: 500 });
    const scores = [...search.items.f8("score").subarray(0, search.items.length)].sort((a, b) => b - a);
    const rows = search.tables.top?.i4("row").subarray(0, 100) ?? [];
    const worst = Math.min(...[...rows].map((row) => search.items.f8("score")[row] ?? 0));
    expect(rows.length).toBe(100);
    expect(worst).toBeGreaterThanOrEqual(scores[120] ?? 0);
    const parent = search.nodes.i4("parent");
    for (let n = 0; n < search.nodes.length; n++) expect(parent[n]).toBeLessThan(n);
  });

  it("prunes a subtree and undoes it", () => {
    const search = new FakeSearch();
    const node = [...search.nodes.u1("status").subarray(0, search.nodes.length)].lastIndexOf(0);
    expect(search.command("prune", { nodes: [node] }).ok).toBe(true);
    expect(search.nodes.u1("status")[node]).toBe(1);
    expect(search.command("undo", {}).ok).toBe(true);
    expect(search.nodes.u1("status")[node]).toBe(0);
  });

  it("grows to 100,000 nodes in seconds", () => {
    const search = new FakeSearch({ ...FAKE, nodes: 100_000 });
    expect(search.nodes.length).toBeGreaterThanOrEqual(100_000);
  }, 30_000);
});
