import { describe, expect, it } from "vitest";
import { DEFAULTS, readPreferences } from "./commands";
import { readNews, readOverview, readSearch } from "./records";
import { Speed } from "./speed";

const SEARCH = {
  id: "a", cell: "c", created: 1, name: "<b>", status: "running", reason: "Running.", n_scored: 3, budget: 10, spent: 2.5, unit: "EUR", rounds: 1,
  best: 0.5, best_id: "7", file: null, can: ["pause", "stop", "eval"],
};

describe("what a kernel tells", () => {
  it("is read as it is, without verbs nobody knows", () => {
    const read = readOverview({ version: "1", process: "p", anywidget: null, searches: [SEARCH] });
    expect(read?.searches).toHaveLength(1);
    expect(read?.searches[0]).toMatchObject({ id: "a", name: "<b>", scored: 3, best: 0.5, can: ["pause", "stop"] });
  });

  it("is nothing where it is not what was asked for", () => {
    for (const odd of [null, 1, "x", [], {}, { process: 1, searches: [] }, { process: "p" }, { process: "p", searches: {} }])
      expect(readOverview(odd)).toBeNull();
    for (const odd of [null, {}, { ...SEARCH, id: "" }, { ...SEARCH, status: "dancing" }, { ...SEARCH, status: 3 }])
      expect(readSearch(odd)).toBeNull();
    expect(readNews({ process: "p", search: {} })).toBeNull();
  });

  it("keeps a line whose details are odd", () => {
    const read = readSearch({ id: "a", status: "paused", n_scored: "many", budget: Number.NaN, best: Infinity, can: "pause" });
    expect(read).toMatchObject({ scored: 0, spent: 0, unit: "calls", budget: null, best: null, can: [], name: "search" });
  });
});

describe("calls a second", () => {
  it("are those of the last seconds", () => {
    const speed = new Speed();
    expect(speed.perSecond()).toBe(0);
    for (let s = 0; s <= 100; s++) speed.note(s * 1000, s < 50 ? 0 : (s - 50) * 4);
    expect(speed.perSecond()).toBeCloseTo(4, 5);
    speed.note(101_000, 0);
    expect(speed.perSecond()).toBe(0);
    speed.reset();
    speed.note(102_000, 5);
    speed.note(104_000, 9);
    expect(speed.perSecond()).toBe(2);
  });
});

describe("settings", () => {
  it("have limits and defaults", () => {
    expect(readPreferences({})).toEqual(DEFAULTS);
    expect(readPreferences({ updateInterval: 0.01 }).interval).toBe(1000);
    expect(readPreferences({ updateInterval: 5, commandPalette: false, notifications: "none" })).toEqual({
      interval: 5000, inPalette: false, notifications: "none",
    });
    expect(readPreferences({ updateInterval: "x", notifications: "loud" })).toEqual(DEFAULTS);
  });
});
