import { describe, expect, it } from "vitest";
import { FakeSearch } from "../../shared/fake_search";
import { EMPTY } from "../../shared/columns";
import { eventAt } from "./state";

describe("the log", () => {
  it("has the latest first, with who, why and where", () => {
    const search = new FakeSearch();
    search.command("prune", { nodes: [2] }, "known\u0000scaffold", "ada");
    const events = search.tables.events ?? EMPTY;
    const row = eventAt(events, 0);
    expect(row).toMatchObject({ who: "ada", note: "known␀scaffold", node: 2, tone: "person", calls: search.counts.scored.toLocaleString("en-US") });
    expect(row.text).toMatch(/^Pruned query 2/);
    expect(eventAt(events, events.length - 1)).toMatchObject({ node: -1, tone: "plain" });
  });
});
