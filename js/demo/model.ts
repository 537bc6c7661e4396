/** A widget model without Jupyter: it speaks `docs/wire.md` for a made-up search, so that the page runs the real feed. */

import { askOf, type FeedOptions } from "../shared/fake";
import { FAKE, FakeSearch } from "../shared/fake_search";
import { Stamped, delta } from "../shared/fake_kernel";
import { textOf } from "../shared/fake_text";
import type { FeedModel, WidgetModel } from "../shared/feed";
import type { Facts } from "../shared/types";

interface Page {
  /** Stamps: what was sent, and what the page has said to have. */
  sent: Record<string, number>;
  have: Record<string, number>;
  /** When it was last heard of. */
  at: number;
  /** Messages on their way: at most two. */
  flying: number;
  facts: string;
}

const ROWS_A_MESSAGE = 20_000;
const RETRY = 2000;

export class DemoModel implements FeedModel {
  /** A kernel that is busy answers nothing. */
  busy = false;
  /** Share of the messages to pages that get lost. */
  loss = 0;
  readonly search: FakeSearch;
  private readonly stamped: Record<string, Stamped> = {};
  private readonly traits: Record<string, unknown> = { selection: [], color_by: "max", kind: "search", version: "demo" };
  private readonly listeners = new Map<string, Set<(...args: never[]) => void>>();
  private readonly pages = new Map<string, Page>();
  private readonly replies = new Map<string, Record<string, unknown>>();
  private queue: Record<string, unknown>[] = [];
  private timers: ReturnType<typeof setInterval>[] = [];
  private n = 0;

  constructor(private readonly options: FeedOptions) {
    this.search = new FakeSearch({ ...FAKE, ...options });
    for (const name in this.search.tables) {
      const columns = this.search.tables[name];
      if (columns) this.stamped[name] = new Stamped(columns);
      for (let row = 0; row < (columns?.length ?? 0); row++) this.stamped[name]?.touch(row);
    }
    this.search.touched = (table, row) => this.stamped[table]?.touch(row);
    if (options.live) this.search.status = "running";
    const nodesASecond = options.live ?? 12;
    this.timers.push(setInterval(() => this.live(), 1000 / nodesASecond), setInterval(() => this.publish(), 100), setInterval(() => this.work(), options.delay ?? 50));
  }

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {}

  on(event: string, callback: (...args: never[]) => void): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(callback));
  }

  off(event: string, callback: (...args: never[]) => void): void {
    this.listeners.get(event)?.delete(callback);
  }

  /** How many listeners are left; 0 once every view is gone. */
  get heard(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  send(content: unknown): void {
    this.queue.push(structuredClone(content) as Record<string, unknown>);
  }

  end(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  private emit(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) (listener as (...all: unknown[]) => void)(...args);
  }

  private live(): void {
    if (this.busy || this.search.status !== "running") return;
    if (!this.search.advance()) this.search.status = "finished";
  }

  private work(): void {
    if (this.busy) return;
    for (const message of this.queue.splice(0)) this.handle(message);
  }

  private handle(message: Record<string, unknown>): void {
    const client = String(message.client);
    const page = this.pages.get(client);
    if (message.type === "hello") this.pages.set(client, { sent: message.have as Page["have"], have: message.have as Page["have"], at: performance.now(), flying: 0, facts: "" });
    else if (message.type === "bye") this.pages.delete(client);
    else if (message.type === "ack" && page) {
      page.have = message.have as Page["have"];
      page.at = performance.now();
      page.flying = Math.max(0, page.flying - 1);
    } else if (message.type === "command") this.reply(message);
    else if (message.type === "ask") this.answer(message);
  }

  private reply({ id, client, name, arguments: args, note }: Record<string, unknown>): void {
    const known = this.replies.get(String(id));
    const reply = known ?? { type: "reply", id, client, ...this.search.command(String(name), args as Record<string, unknown>, String(note)) };
    this.replies.set(String(id), reply);
    this.emit("msg:custom", reply, []);
  }

  private answer({ id, client, what, arguments: args }: Record<string, unknown>): void {
    try {
      const { data, buffers } = askOf(this.search, String(what), args as Record<string, unknown>, this.options);
      this.emit("msg:custom", { type: "answer", id, client, ok: true, data }, buffers);
    } catch (error) {
      this.emit("msg:custom", { type: "answer", id, client, ok: false, error: { title: (error as Error).message, hint: "" } }, []);
    }
  }

  private publish(): void {
    if (this.busy) return;
    for (const page of this.pages.values()) {
      if (page.flying && performance.now() - page.at > RETRY) Object.assign(page, { sent: page.have, flying: 0, facts: "", at: performance.now() });
      while (page.flying < 2 && this.publishTo(page));
    }
  }

  private publishTo(page: Page): boolean {
    const facts = this.facts();
    const written = JSON.stringify(facts);
    const { content, buffers } = delta(this.stamped, page.sent, { n: ++this.n, epoch: "demo", most: ROWS_A_MESSAGE, ...(written === page.facts ? {} : { facts }) });
    if (!content.parts.length && !content.facts) return false;
    page.facts = written;
    page.flying++;
    page.sent = { ...page.sent, ...Object.fromEntries(content.parts.map((part) => [part.table, part.to])) };
    if (Math.random() >= this.loss) this.emit("msg:custom", content, buffers);
    return content.parts.some((part) => part.to < part.clock);
  }

  private facts(): Facts {
    const facts = this.search.facts();
    const hostile = this.options.hostile ?? false;
    if (hostile) facts.name = "<img src=x onerror=window.__hit=20>\u202eeman";
    if (facts.best) facts.best.text = textOf(facts.best.row, hostile).slice(0, 4000);
    return facts;
  }
}

/** A widget's own model, that names the feed. */
export function widgetModel(feed: FeedModel, traits: Record<string, unknown> = {}): WidgetModel {
  const held: Record<string, unknown> = { feed: "IPY_MODEL_demo", ...traits };
  const listeners = new Map<string, Set<() => void>>();
  return {
    get: (name) => held[name],
    set(name, value) {
      held[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener();
    },
    save_changes() {},
    on: (event, callback) => void listeners.set(event, (listeners.get(event) ?? new Set()).add(callback as () => void)),
    off: (event, callback) => void listeners.get(event)?.delete(callback as () => void),
    widget_manager: { get_model: async () => feed },
  };
}
