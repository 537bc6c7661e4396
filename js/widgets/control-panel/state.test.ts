import { describe, expect, it } from "vitest";
import { FakeSearch } from "../../shared/fake_search";
import type { Facts } from "../../shared/types";
import { check, draftOf, labelOf } from "./settings";
import { NOTHING, buttonOf, commandOfKey, headOf, mainCommand, problemsOf, reduce, spoken } from "./state";

const facts = (more: Partial<Facts> = {}): Facts => ({ ...new FakeSearch().facts(), ...more });

describe("commands on their way", () => {
  it("show at once, and until the facts agree", () => {
    const running = facts({ status: "running", can: { ...facts().can, pause: true } });
    let state = reduce(NOTHING, { type: "asked", id: 1, name: "pause" });
    expect(buttonOf("pause", running, state, 0)).toMatchObject({ label: "Pausing…", disabled: true, busy: true });
    state = reduce(state, { type: "answered", id: 1, name: "pause", reply: { ok: true }, at: 1000 });
    state = reduce(state, { type: "time", at: 1100, status: "running" });
    expect(mainCommand(running, state)).toBe("pause");
    expect(buttonOf("pause", running, state, 0).busy).toBe(true);
    state = reduce(state, { type: "time", at: 1200, status: "paused" });
    expect(state.asked).toEqual([]);
    expect(mainCommand(facts({ status: "paused" }), state)).toBe("resume");
  });

  it("stop waiting for facts that never agree", () => {
    let state = reduce(NOTHING, { type: "asked", id: 1, name: "pause" });
    state = reduce(state, { type: "answered", id: 1, name: "pause", reply: { ok: true }, at: 0 });
    expect(reduce(state, { type: "time", at: 1400, status: "running" }).asked).toHaveLength(1);
    expect(reduce(state, { type: "time", at: 1600, status: "running" }).asked).toHaveLength(0);
  });

  it("that fail leave every problem until it is dismissed", () => {
    let state = NOTHING;
    for (const id of [1, 2]) {
      state = reduce(state, { type: "asked", id, name: "prune" });
      state = reduce(state, { type: "answered", id, name: "prune", reply: { ok: false, error: { title: `No ${id}.`, hint: "Try." } }, at: 0 });
    }
    expect(state.problems.map((one) => one.title)).toEqual(["No 1.", "No 2."]);
    expect(state.asked).toEqual([]);
    expect(reduce(state, { type: "dismissed", id: 1 }).problems.map((one) => one.id)).toEqual([2]);
  });
});

describe("notices", () => {
  const notices = [{ number: 1, source: "subscriber", text: "It failed.", count: 1 }, { number: 2, source: "source", text: "No scan.", count: 3 }];

  it("stand among the problems until they are dismissed, also while they are counted on", () => {
    let state = reduce(NOTHING, { type: "answered", id: 1, name: "prune", reply: { ok: false, error: { title: "No.", hint: "" } }, at: 0 });
    expect(problemsOf(state, notices).map((one) => [one.id, one.title, one.hint])).toEqual([[-1, "Subscriber:", "It failed."], [-2, "Source:", "No scan."], [1, "No.", ""]]);
    state = reduce(state, { type: "dismissed", id: -1 });
    expect(problemsOf(state, [{ ...notices[0]!, count: 9 }, notices[1]!]).map((one) => one.id)).toEqual([-2, 1]);
    expect(problemsOf(reduce(state, { type: "dismissed", id: 1 }), undefined)).toEqual([]);
  });
});

describe("buttons", () => {
  it("follow what the search can do", () => {
    const idle = facts({ status: "ready", can: { ...facts().can, start: true, resume: false } });
    expect(mainCommand(idle, NOTHING)).toBe("start");
    expect(mainCommand(null, NOTHING)).toBe("start");
    expect(buttonOf("start", null, NOTHING, 0).disabled).toBe(true);
    expect(buttonOf("prune", idle, NOTHING, 0)).toMatchObject({ disabled: true, title: "Select a query first" });
    expect(buttonOf("prune", idle, NOTHING, 3).disabled).toBe(false);
  });

  it("have keys", () => {
    expect(["u", "U", "b", "p", "r", "n", " ", "x"].map((key) => commandOfKey(key, key === "U", "pause"))).toEqual(["undo", "redo", "branch", "prune", "restore", "step", "pause", null]);
    expect(commandOfKey("P", true, "pause")).toBeNull();
  });
});

describe("the head", () => {
  it("says where a running search stands", () => {
    const head = headOf(facts({ status: "running", n_scored: 412, spent: 412, budget: 2000, n_rounds: 14, rate: 3.2, eta: 480, activity: "scoring", score_range: [5, 9.84], best: { row: 0, id: "Z1", score: 9.84, text: "" } }));
    expect(head.spent + head.rest).toBe("412 of 2,000 calls · round 14 · scoring · 3.2 calls/s · about 8 min left");
    expect(head).toMatchObject({ pill: "Running", best: "9.84", bestId: "Z1", progress: 0.206 });
  });

  it("counts in the unit of the cost", () => {
    const now = facts({ status: "running", n_scored: 12, spent: 37.5, unit: "EUR", budget: 300, n_rounds: 2, rate: 0, activity: "scoring", best: null });
    const head = headOf(now);
    expect([head.spent, head.rest, head.progress]).toEqual(["37.50", " of 300 EUR · round 2 · 12 scored · scoring", 0.125]);
    expect(check({ ...draftOf(now), budget: "400.5" }, now).settings).toEqual({ budget: 400.5 });
    expect(check({ ...draftOf(now), budget: "20" }, now).wrong.budget).toBe("37.50 EUR are spent already.");
    expect(check({ ...draftOf(now), budget: "-1" }, now).wrong.budget).toBe("A number above 0.");
  });

  it("does without a budget, and says why a search ended", () => {
    const head = headOf(facts({ status: "finished", n_scored: 1, spent: 1, budget: null, n_rounds: 2, n_failed: 3, reason: "Nothing new.\u202e" }));
    expect(head.spent + head.rest).toBe("1 call · round 2 · 3 failed");
    expect(head.progress).toBeNull();
    expect(head.reason).toBe("Nothing new.‹U+202E›");
    expect(spoken(facts({ status: "paused", n_scored: 7, spent: 5, budget: 10, best: null, reason: "" }))).toBe("Paused, 5 of 10 calls.");
  });
});

describe("settings", () => {
  it("send only what changed", () => {
    const now = facts();
    expect(check(draftOf(now), now)).toEqual({ settings: {}, wrong: {} });
    expect(check({ ...draftOf(now), k: "32", budget: "3,000" }, now).settings).toEqual({ k: 32, budget: 3000 });
    expect(check({ ...draftOf(now), budget: "", prune: "" }, now).settings).toEqual({ budget: null, prune: null });
  });

  it("take another update with its parameters", () => {
    const now = facts();
    const draft = { ...draftOf(now), update: "rl", parameters: { "update.lrs": "0.1, 0.5", "update.distance_penalty": "0", "update.advantage": "rank", "prune.k": "9" } };
    expect(check(draft, now).settings).toEqual({ update: { name: "rl", parameters: { lrs: [0.1, 0.5], distance_penalty: 0, advantage: "rank" } } });
  });

  it("keep numbers above their least", () => {
    const now = facts();
    const wrong = check({ ...draftOf(now), update: "rl", parameters: { "update.lrs": "0, 0.5", "update.distance_penalty": "0", "update.advantage": "rank", "prune.k": "0" } }, now).wrong;
    expect(wrong).toEqual({ "update.lrs": "Numbers above 0.", "prune.k": "A whole number from 1." });
  });

  it("call parameters by words", () => {
    expect([labelOf("update", "lrs"), labelOf("prune", "k"), labelOf("update", "distance_penalty")]).toEqual(["Learning rates (lrs)", "How many stay (k)", "Distance penalty"]);
  });

  it("say what is wrong, field by field", () => {
    const now = facts({ n_scored: 428, spent: 428 });
    const draft = { ...draftOf(now), k: "0", budget: "12", batch_size: "x", parameters: { "update.n_active": "1.5", "update.explore": "", "update.dry": "true", "prune.k": "" } };
    expect(check(draft, now)).toEqual({
      settings: null,
      wrong: { k: "A whole number from 1.", budget: "428 calls are spent already.", batch_size: "A whole number from 1.", "update.n_active": "A whole number.", "update.explore": "A value is needed.", "prune.k": "A value is needed." },
    });
  });
});
