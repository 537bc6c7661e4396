import { describe, expect, it } from "vitest";
import { Columns } from "../../shared/columns";
import { NOTHING, reduce } from "../../shared/panel/asked";
import type { TrainingFacts } from "./facts";
import { agesPlot, brief, lossPlot, pacePlot, recallPlot } from "./plots";
import { band, linear, logarithmic, nearest, path, ticks } from "./scales";
import { latest, rowsOf, smoothed } from "./series";
import { buttonOf, commandOfKey, eventAt, headOf, mainCommand, settingsLine, speed, spoken } from "./state";

const CAN = { start: true, pause: false, resume: false, step: true, stop: true, use_best: false };
const facts = (more: Partial<TrainingFacts> = {}): TrainingFacts => ({
  name: "two towers", status: "ready", reason: "Not started.", notices: [], step: 0, steps: null, epoch: 0, epochs: null, rate: 0, eta: null, loss: null, best: null, can: CAN,
  ks: [1, 10], monitor: 10, caches: [], file: null,
  settings: { batch_size: 64, accumulate: 2, precision: "bf16", patience: null, seed: 0, device: "cpu", lr: 0.001, loss: "CacheLoss", pairs: 500, held_out: 100, parameters: 3 },
  ...more,
});

type Row = Record<string, number>;
const NONE = { many: 1, interpretable_loss: Number.NaN, staleness: Number.NaN, lr: 0.01, skipped: 0 };

function stepsTable(rows: Row[]): Columns {
  const table = new Columns();
  table.grow(rows.length);
  rows.forEach((row, i) => {
    const whole: Row = { ...NONE, low: row.loss ?? 0, high: row.loss ?? 0, ...row };
    for (const name in whole) table.put(name, ["step", "many", "skipped"].includes(name) ? "i4" : "f8", i, whole[name]);
  });
  return table;
}

describe("thinned rows", () => {
  it("are read in order, without empty ones and without what was of before", () => {
    const table = stepsTable([
      { step: 2, many: 2, loss: 1 }, { step: 4, many: 2, loss: 2 }, { step: 3, many: 1, loss: 9 }, { step: 4, many: 1, loss: 9 }, { step: 5, many: 1, loss: 3 }, { step: 6, many: 0, loss: 9 },
    ]);
    const rows = rowsOf(table, true);
    expect([rows.from, rows.to, rows.column("loss")]).toEqual([[1, 3, 5], [2, 4, 5], [1, 2, 3]]);
  });

  it("of evaluations stand at their steps, however many they stand for", () => {
    const rows = rowsOf(stepsTable([{ step: 10, many: 2, loss: 0 }, { step: 11, many: 2, loss: 0 }]), false);
    expect(rows.to).toEqual([10, 11]);
  });
});

describe("smoothing", () => {
  it("is the moving mean of what there is so far, and passes over gaps", () => {
    const [a, b, gap, c] = smoothed([2, 4, Number.NaN, 4], 3);
    expect(a).toBe(2);
    expect(b).toBeCloseTo((2 * 0.5 + 4) / 1.5);
    expect(gap).toBeNaN();
    expect(c).toBeCloseTo((2 * 0.25 + 4 * 0.5 + 4) / 1.75);
    expect(smoothed(Array(50).fill(7), 10).at(-1)).toBeCloseTo(7);
    expect(latest([1, 2, Number.NaN])).toBe(2);
  });
});

describe("scales", () => {
  it("place values, and round numbers beside them", () => {
    const scale = linear([0, 10], 100, 0, 5);
    expect([scale.at(0), scale.at(10), scale.ticks]).toEqual([100, 0, [0, 2, 4, 6, 8, 10]]);
    expect(ticks(0.1, 0.35, 5)).toEqual([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
    expect(linear([3, 3], 0, 10, 4).at(3)).toBe(5);
  });

  it("in powers of ten have no place for zero", () => {
    const scale = logarithmic([0.01, 100], 0, 40, 5);
    expect([scale.at(0.01), scale.at(1), scale.at(100)].map(Math.round)).toEqual([0, 20, 40]);
    expect(scale.at(0)).toBeNaN();
    expect(scale.ticks).toEqual([0.01, 0.1, 1, 10, 100]);
    expect(logarithmic([3, 4], 0, 10, 4).ticks.length).toBeGreaterThan(1);
  });

  it("draw lines with gaps", () => {
    expect(path([0, 1, 2, 3], [5, Number.NaN, 7, 8])).toBe("M0.0 5.0h.01M2.0 7.0L3.0 8.0");
    expect(band([0, 1], [1, 2], [3, 4])).toBe("M0.0 3.0L1.0 4.0L1.0 2.0L0.0 1.0Z");
  });

  it("find the nearest", () => {
    expect([-5, 1, 4, 6, 99].map((x) => nearest([0, 5, 10], x))).toEqual([0, 0, 1, 1, 2]);
    expect(nearest([], 3)).toBe(-1);
  });
});

describe("the charts", () => {
  const steps = stepsTable([{ step: 1, loss: 8, interpretable_loss: 4, low: 4, high: 4, staleness: 0 }, { step: 2, loss: 6, interpretable_loss: 2, low: 2, high: 2, staleness: 3, skipped: 1 }]);

  it("show the loss that can be compared, and all that is known of a step", () => {
    const plot = lossPlot(steps, facts({ step: 2 }), false);
    expect(plot.lines[0]?.ys).toEqual([4, 2]);
    expect(plot.range).toEqual([2, 4]);
    expect(plot.band).toBeUndefined();
    expect(plot.says).toContain("1 step skipped");
    expect(plot.read(1)).toEqual({ head: "Step 2", rows: [["smoothed", "2.667"], ["this step", "2"], ["descended on", "6"]] });
    expect(plot.summary).toBe("Loss from 4 to 2.667, smoothed, in 2 steps.");
  });

  it("show the loss itself where it tells nothing else, and ranges where rows stand for several", () => {
    const plot = lossPlot(stepsTable([{ step: 4, many: 4, loss: 5, low: 1, high: 9 }]), facts({ step: 4 }), false);
    expect(plot.lines[0]?.ys).toEqual([5]);
    expect(plot.band).toEqual({ low: [1], high: [9] });
    expect(plot.read(0)).toEqual({ head: "Steps 1–4", rows: [["smoothed", "5"], ["mean", "5"], ["range", "1 – 9"]] });
  });

  it("are logarithmic where anything is above zero", () => {
    expect(lossPlot(stepsTable([{ step: 1, loss: 0 }, { step: 2, loss: 3 }, { step: 3, loss: 5 }]), facts(), true)).toMatchObject({ log: true, range: [3, 5] });
    const plot = lossPlot(stepsTable([{ step: 1, loss: -1 }]), facts(), true);
    expect([plot.log, plot.says]).toEqual([false, "not above zero: no log"]);
  });

  it("have a line for each k, the watched one in full, and mark the best", () => {
    const table = new Columns();
    table.grow(2);
    for (const [row, step, one, ten] of [[0, 10, 0.1, 0.5], [1, 20, 0.2, 0.4]] as const) {
      table.put("step", "i4", row, step);
      table.put("many", "i4", row, 1);
      table.put("accuracy@1", "f8", row, one);
      table.put("accuracy@10", "f8", row, ten);
    }
    const plot = recallPlot(table, facts({ step: 20, best: { step: 10, accuracy: 0.5, k: 10 } }));
    expect(plot.lines.map((line) => [line.label, line.tone, line.ys])).toEqual([["@1", "soft", [0.1, 0.2]], ["@10", "main", [0.5, 0.4]]]);
    expect(plot.mark).toEqual({ line: 1, at: 0 });
    expect(plot.summary).toBe("recall@1 0.2, recall@10 0.4 after 2 evaluations; the best recall@10 0.5, at step 10.");
    expect(recallPlot(new Columns(), facts({ settings: { ...facts().settings, held_out: null } })).empty).toMatch(/^No held-out pairs/);
  });

  it("show staleness only where there are caches", () => {
    expect(pacePlot(steps, facts()).lines.map((line) => [line.name, line.right ?? false])).toEqual([["staleness", false], ["learning rate", true]]);
    const alone = pacePlot(stepsTable([{ step: 1, loss: 1 }]), facts());
    expect([alone.title, alone.lines.map((line) => line.name)]).toEqual(["Learning rate", ["learning rate"]]);
    expect(alone.summary).toBe("Learning rate 0.01.");
  });

  it("count the rows of one cache by age", () => {
    const table = new Columns();
    const rows = [[1, 0, 2, 7], [0, 2, 4, 5], [0, 0, 2, 15], [0, 0, 0, 0]] as const;
    table.grow(rows.length);
    rows.forEach(([cache, low, high, count], row) => {
      table.put("cache", "u1", row, cache);
      for (const [name, value] of [["low", low], ["high", high], ["count", count]] as const) table.put(name, "i4", row, value);
    });
    const plot = agesPlot(table, facts({ caches: [{ name: "a", step: 9, rows: 20, capacity: 30 }, { name: "b", step: 9, rows: 7, capacity: 7 }] }), 0);
    expect(plot.bars).toEqual([{ low: 0, high: 2, count: 15 }, { low: 2, high: 4, count: 5 }]);
    expect(plot.says).toBe("20 of 30 rows, at step 9");
    expect(plot.read(1)).toEqual({ head: "2–3 steps old", rows: [["rows", "5"], ["share", "25.0 %"]] });
    expect(agesPlot(new Columns(), facts(), 0).empty).toMatch(/^No caches/);
  });
});

describe("the panel", () => {
  it("says how far it is", () => {
    const running = facts({ status: "running", step: 1200, steps: 5000, epoch: 2, epochs: 10, rate: 45.25, eta: 84, loss: 1.23456, best: { step: 900, accuracy: 0.5125, k: 10 } });
    const head = headOf(running);
    expect(head.spent + head.rest).toBe("1,200 of 5,000 steps · epoch 2 of 10 · loss 1.235 · 45.3 steps/s · about 1 min left");
    expect([head.best, head.bestId, head.progress, head.reason]).toEqual(["0.5125", "recall@10", 0.24, ""]);
    expect(headOf(facts({ step: 1 })).rest).toBe(" step · epoch 0");
    expect(headOf(facts({ epoch: 1, epochs: 4 })).progress).toBe(0.25);
    expect(headOf(facts({ status: "failed", reason: "Step 3 failed\u202e" })).reason).toBe("Step 3 failed‹U+202E›");
    expect(spoken(running)).toBe("Running, 1,200 of 5,000 steps, loss 1.235, best recall@10 0.5125.");
  });

  it("says what it is trained with", () => {
    expect(settingsLine(facts())).toBe("500 pairs · batch 64 × 2 · bf16 · cpu · learning rate 0.001");
    expect([speed(0), speed(250.4), speed(3), speed(0.01)]).toEqual(["", "250 steps/s", "3.0 steps/s", "0.6 steps/min"]);
    expect([brief(1234.567), brief(0.00001), brief(Number.NaN), brief(-2.5), brief(3e7)]).toEqual(["1234.57", "1e−5", "–", "−2.5", "3e7"]);
  });

  it("offers what can be done", () => {
    expect(mainCommand(facts(), NOTHING)).toBe("start");
    expect(buttonOf("start", facts(), NOTHING)).toMatchObject({ label: "Start", disabled: false });
    expect(buttonOf("use_best", facts(), NOTHING)).toMatchObject({ label: "Use best", disabled: true, title: "No evaluation yet" });
    expect(buttonOf("step", null, NOTHING).disabled).toBe(true);
    const asked = reduce(NOTHING, { type: "asked", id: 1, name: "use_best" });
    expect(buttonOf("use_best", facts({ can: { ...CAN, use_best: true } }), asked)).toMatchObject({ label: "Going back…", disabled: true, busy: true });
    expect([commandOfKey(" ", "pause"), commandOfKey("n", "pause"), commandOfKey("x", "pause")]).toEqual(["pause", "step", null]);
  });

  it("lists events, latest first", () => {
    const table = new Columns();
    table.grow(2);
    const put = (row: number, kind: string, who: string, text: string, step: number) => {
      for (const [name, value] of [["kind", kind], ["who", who], ["text", text], ["note", ""]] as const) table.put(name, "json", row, value);
      table.put("step", "i4", row, step);
      table.put("time", "f8", row, 0);
    };
    put(0, "pause", "browser", "Pause asked for.", 3);
    put(1, "failure", "", "Step 1,500 failed\u0007.", 1499);
    expect(eventAt(table, 0)).toMatchObject({ text: "Step 1,500 failed␇.", step: "1,499", tone: "bad" });
    expect(eventAt(table, 1)).toMatchObject({ who: "browser", tone: "person" });
  });
});
