// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { acquireFeed, leaseFeed, type FeedModel, type WidgetModel } from "./feed";
import type { Change, Facts } from "./types";

type Sent = { type: string; id?: string; n?: number; epoch?: string | null; have?: unknown; client?: string; name?: string };

class Model implements FeedModel {
  sent: Sent[] = [];
  traits: Record<string, unknown> = { selection: [], color_by: "max" };
  heard = new Map<string, Set<(...args: never[]) => void>>();
  saved = 0;
  get = (name: string) => this.traits[name];
  set(name: string, value: unknown) {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }
  save_changes() {
    this.saved++;
  }
  on(event: string, callback: (...args: never[]) => void) {
    this.heard.set(event, (this.heard.get(event) ?? new Set()).add(callback));
  }
  off(event: string, callback: (...args: never[]) => void) {
    this.heard.get(event)?.delete(callback);
  }
  send(content: unknown) {
    this.sent.push(content as Sent);
  }
  emit(event: string, ...args: unknown[]) {
    for (const listener of [...(this.heard.get(event) ?? [])]) (listener as (...all: unknown[]) => void)(...args);
  }
  of(type: string) {
    return this.sent.filter((message) => message.type === type);
  }
  listeners() {
    return [...this.heard.values()].reduce((sum, set) => sum + set.size, 0);
  }
}

const rows = (n: number, base: number, values: number[], epoch = "e") => {
  const bytes = new Uint8Array(3 + values.length * 8);
  bytes.set(new Uint8Array(Float64Array.from(values).buffer), 3);
  const part = { table: "items", base, to: base + values.length, clock: base + values.length, length: 0, rows: { first: base, count: values.length }, columns: { score: ["f8", 0] } };
  return [{ type: "delta", n, epoch, to: null, parts: [part] }, [new DataView(bytes.buffer, 3)]] as const;
};

let model: Model;
const visible = (state: "visible" | "hidden") => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "requestAnimationFrame", "cancelAnimationFrame", "performance"] });
  Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
  model = new Model();
});
afterEach(() => vi.useRealTimers());

describe("a page's feed", () => {
  it("is one for all widgets that name it, and lets go of everything with the last", async () => {
    const widget: WidgetModel = { get: () => "IPY_MODEL_abc", set() {}, save_changes() {}, on() {}, off() {}, widget_manager: { get_model: vi.fn(async () => model) } };
    const [a, b] = await Promise.all([acquireFeed(widget), acquireFeed(widget)]);
    expect(widget.widget_manager.get_model).toHaveBeenCalledWith("abc");
    expect(a.feed).toBe(b.feed);
    expect(model.of("hello")).toHaveLength(1);
    a.release();
    a.release();
    expect(model.listeners()).toBeGreaterThan(0);
    b.release();
    expect(model.listeners()).toBe(0);
    expect(model.of("bye")).toHaveLength(1);
    const again = leaseFeed(model);
    expect(again.feed).not.toBe(a.feed);
    again.release();
  });

  it("of a widget that names none is refused", async () => {
    const lost = { get: () => null } as unknown as WidgetModel;
    await expect(acquireFeed(lost)).rejects.toThrow(/lost its search/);
  });

  it("asks again when it hears nothing for long, and only then", () => {
    const { release } = leaseFeed(model);
    model.emit("msg:custom", ...rows(1, 0, [1]));
    expect(model.of("hello")).toHaveLength(1);
    vi.advanceTimersByTime(16_000);
    expect(model.of("hello")).toHaveLength(1);
    vi.advanceTimersByTime(15_000);
    expect(model.of("hello")).toHaveLength(2);
    release();
    vi.advanceTimersByTime(60_000);
    expect(model.of("hello")).toHaveLength(2);
  });

  it("tells its views once a frame and then acknowledges every message", () => {
    const { feed, release } = leaseFeed(model);
    const changes: Change[] = [];
    feed.subscribe((change) => {
      expect(model.of("ack")).toHaveLength(0);
      changes.push(change);
    });
    model.emit("msg:custom", ...rows(1, 0, [5, 6]));
    model.emit("msg:custom", ...rows(2, 2, [7]));
    expect(changes).toHaveLength(0);
    vi.advanceTimersByTime(20);
    expect(changes).toHaveLength(1);
    expect([...(changes[0]?.tables ?? [])]).toEqual(["items"]);
    expect([...feed.table("items").f8("score").subarray(0, 3)]).toEqual([5, 6, 7]);
    expect(model.of("ack").map(({ n, have, epoch }) => [n, have, epoch])).toEqual([[1, { items: 3 }, "e"], [2, { items: 3 }, "e"]]);
    release();
  });

  it("says hello at a gap, with what it has", () => {
    const { release } = leaseFeed(model);
    model.emit("msg:custom", ...rows(1, 0, [5]));
    model.emit("msg:custom", ...rows(3, 4, [9]));
    expect(model.of("hello").map(({ have, epoch }) => [have, epoch])).toEqual([[{}, null], [{ items: 1 }, "e"]]);
    release();
  });

  it("leaves what is for another page alone", () => {
    const { feed, release } = leaseFeed(model);
    const [content, buffers] = rows(1, 0, [5]);
    model.emit("msg:custom", { ...content, to: "another" }, buffers);
    vi.advanceTimersByTime(20);
    expect(feed.table("items").length).toBe(0);
    expect(model.of("ack")).toHaveLength(0);
    release();
  });

  it("sleeps while the page is hidden", () => {
    const { release } = leaseFeed(model);
    visible("hidden");
    expect(model.of("bye")).toHaveLength(1);
    visible("visible");
    expect(model.of("hello").length).toBeGreaterThanOrEqual(2);
    window.dispatchEvent(new Event("pagehide"));
    expect(model.of("bye")).toHaveLength(2);
    release();
  });

  it("keeps telling the other views when one of them fails", () => {
    const { feed, release } = leaseFeed(model);
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const told = vi.fn();
    feed.subscribe(() => {
      throw new Error("broken");
    });
    feed.subscribe(told);
    model.emit("msg:custom", ...rows(1, 0, [5]));
    vi.advanceTimersByTime(20);
    expect(told).toHaveBeenCalledOnce();
    expect(error).toHaveBeenCalledOnce();
    expect(model.of("ack")).toHaveLength(1);
    error.mockRestore();
    release();
  });

  it("shares the selection through the model's trait", () => {
    const { feed, release } = leaseFeed(model);
    const changes: Change[] = [];
    feed.subscribe((change) => changes.push(change));
    feed.select([7, 3, 7]);
    feed.select([3, 7]);
    expect([model.traits.selection, model.saved]).toEqual([[3, 7], 1]);
    vi.advanceTimersByTime(20);
    model.set("selection", [1]);
    model.set("color_by", "round");
    vi.advanceTimersByTime(20);
    expect(changes.map(({ selection, colorBy }) => [selection, colorBy])).toEqual([[true, false], [true, true]]);
    expect([feed.selection(), feed.colorBy()]).toEqual([[1], "round"]);
    release();
  });
});

describe("commands", () => {
  const facts = { n_scored: 1 } as Facts;
  const answer = (request: Sent | undefined, more: object) => model.emit("msg:custom", { id: request?.id, client: request?.client, ...more }, []);

  it("are answered by their id, refusals too", async () => {
    const { feed, release } = leaseFeed(model);
    const pause = feed.command("pause");
    const prune = feed.command("prune", { nodes: [1] }, "why");
    const [first, second] = model.of("command");
    expect(second).toMatchObject({ name: "prune", arguments: { nodes: [1] }, note: "why" });
    answer(second, { type: "reply", ok: false, error: { title: "No.", hint: "" } });
    answer(first, { type: "reply", ok: true });
    expect(await pause).toMatchObject({ ok: true });
    expect(await prune).toMatchObject({ ok: false, error: { title: "No." } });
    release();
  });

  it("that nobody answers for three seconds show as a lost link, until an answer comes", async () => {
    const { feed, release } = leaseFeed(model);
    model.emit("msg:custom", { type: "delta", n: 1, epoch: "e", to: null, facts, parts: [] }, []);
    const links: boolean[] = [];
    feed.subscribe((change) => links.push(change.link));
    const reply = feed.command("pause");
    vi.advanceTimersByTime(2400);
    expect(feed.link).toBe(true);
    vi.advanceTimersByTime(1200);
    expect(feed.link).toBe(false);
    expect(links.at(-1)).toBe(false);
    answer(model.of("command")[0], { type: "reply", ok: true });
    vi.advanceTimersByTime(20);
    expect(feed.link).toBe(true);
    expect(links.at(-1)).toBe(true);
    await reply;
    release();
  });

  it("are sent again under the same id when a later one was answered before them", async () => {
    const { feed, release } = leaseFeed(model);
    const lost = feed.command("pause");
    vi.advanceTimersByTime(3500);
    const asked = feed.ask("node", { node: 1 });
    answer(model.of("ask")[0], { type: "answer", ok: true, data: { node: 1 } });
    expect((await asked).data).toEqual({ node: 1 });
    const [first, second] = model.of("command");
    expect(second?.id).toBe(first?.id);
    answer(second, { type: "reply", ok: true });
    expect((await lost).ok).toBe(true);
    release();
  });

  it("reject when the page goes, and asks when the kernel refuses", async () => {
    const { feed, release } = leaseFeed(model);
    const refused = feed.ask("find", { text: "x" });
    answer(model.of("ask")[0], { type: "answer", ok: false, error: { title: "Too long.", hint: "Shorten it." } });
    await expect(refused).rejects.toThrow("Too long. Shorten it.");
    const open = feed.command("pause");
    release();
    await expect(open).rejects.toThrow("The page was closed.");
    await expect(feed.command("pause")).rejects.toThrow("The page was closed.");
  });

  it("say hello again and again, ever more seldom, to a kernel that is silent", () => {
    const { release } = leaseFeed(model);
    vi.advanceTimersByTime(60_000);
    const hellos = model.of("hello").length;
    expect(hellos).toBeGreaterThan(2);
    expect(hellos).toBeLessThan(8);
    release();
  });
});
