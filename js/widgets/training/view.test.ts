// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Columns } from "../../shared/columns";
import type { Change, Facts, Feed, Reply, View } from "../../shared/types";
import type { TrainingFacts } from "./facts";
import { create } from "./view";

const CAN = { start: true, pause: false, resume: false, step: true, stop: true, use_best: false };

class Fed implements Feed {
  marked: readonly number[] = [];
  link = true;
  known: Partial<TrainingFacts> | null = null;
  tables = new Map<string, Columns>();
  sent: [string, unknown][] = [];
  reply: Reply = { ok: true };
  listeners = new Set<(change: Change) => void>();
  get facts() {
    return this.known as unknown as Facts | null;
  }
  table = (name: string) => this.tables.get(name) ?? new Columns();
  selection = () => [];
  select() {}
  colorBy = () => "max" as const;
  setColorBy() {}
  mark() {}
  command(name: string, args?: Record<string, unknown>) {
    this.sent.push([name, args]);
    return Promise.resolve(this.reply);
  }
  ask = () => Promise.reject(new Error("no"));
  subscribe(listener: (change: Change) => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  tell(...tables: string[]) {
    for (const listener of this.listeners) listener({ tables: new Set(tables), facts: true, selection: false, colorBy: false, marked: false, link: true });
  }
}

const facts: Partial<TrainingFacts> = {
  name: "<img src=x onerror=alert(1)>", status: "ready", reason: "", step: 0, steps: 20, epoch: 0, epochs: 2, rate: 0, eta: null, loss: null, best: null, can: CAN, ks: [1, 10], monitor: 10,
  caches: [{ name: "a", step: null, rows: null, capacity: 5 }, { name: "<b>", step: null, rows: null, capacity: 5 }],
  settings: { batch_size: 4, accumulate: 1, precision: "float32", patience: null, seed: 0, device: "cpu", lr: 0.1, loss: "", pairs: 40, held_out: null, parameters: 1 },
};

let home: HTMLElement;
let feed: Fed;
let view: View;
const named = (name: string) => [...home.querySelectorAll("button")].find((one) => one.firstChild?.textContent === name);
const press = (key: string, target: Element = home) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "requestAnimationFrame", "cancelAnimationFrame", "performance"] });
  home = document.body.appendChild(document.createElement("div"));
  feed = new Fed();
  view = create(home, { feed });
});
afterEach(() => {
  view.destroy();
  home.remove();
  vi.useRealTimers();
});

describe("the panel of a training", () => {
  it("waits for the kernel, and then says who and what, as text", () => {
    expect(home.querySelector(".eow-pill")?.textContent).toBe("Waiting for the kernel…");
    expect(named("Start")?.getAttribute("aria-disabled")).toBe("true");
    feed.known = facts;
    feed.tell();
    expect(home.querySelector(".eow-pill")?.textContent).toBe("Ready");
    expect(home.querySelector(".eow-name")?.textContent).toBe("<img src=x onerror=alert(1)>");
    expect(home.querySelector("img, b > b")).toBeNull();
    expect([...home.querySelectorAll("option")].map((one) => one.text)).toEqual(["a", "<b>"]);
    expect([...home.querySelectorAll("[role=img]")].map((one) => one.getAttribute("aria-label")?.split(":")[0])).toEqual(["Loss", "Recall@k", "Staleness and learning rate", "Cache ages"]);
  });

  it("sends what is asked, with the mouse and with the keyboard", async () => {
    feed.known = facts;
    feed.tell();
    named("Start")?.click();
    expect(named("Starting…")?.getAttribute("aria-disabled")).toBe("true");
    named("Starting…")?.click();
    named("Use best")?.click();
    press("n");
    press("n", home.querySelector("select") as Element);
    expect(feed.sent.map(([name]) => name)).toEqual(["start", "step"]);
    await vi.advanceTimersByTimeAsync(2500);
    press(" ");
    expect(feed.sent.map(([name]) => name)).toEqual(["start", "step", "start"]);
  });

  it("shows what was refused until it is dismissed", async () => {
    feed.known = facts;
    feed.reply = { ok: false, error: { title: "There is nothing to stop.", hint: "Start it." } };
    feed.tell();
    named("Stop")?.click();
    await vi.advanceTimersByTimeAsync(0);
    expect(home.querySelector(".eow-problems li")?.textContent).toContain("There is nothing to stop.");
    home.querySelector<HTMLElement>(".eow-dismiss")?.click();
    expect(home.querySelector(".eow-problems li")).toBeNull();
  });

  it("leaves nothing behind", async () => {
    feed.known = facts;
    feed.tell("steps", "evaluations", "cache_ages", "events");
    named("Start")?.click();
    view.destroy();
    expect([feed.listeners.size, vi.getTimerCount(), home.childNodes.length]).toEqual([0, 0, 0]);
    await vi.advanceTimersByTimeAsync(5000);
    press("n");
    expect(feed.sent).toHaveLength(1);
  });
});
