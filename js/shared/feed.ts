/**
 * The one copy a page has of a live object, over the feed's widget model. Every widget's bundle is evaluated by itself, so
 * feeds are shared through a registry on `globalThis`, counted by their users. `docs/wire.md` says what is spoken.
 */

import { EMPTY } from "./columns";
import { Disposer, oncePerFrame } from "./disposer";
import { type Delta, Mirror } from "./mirror";
import { type Answer, Requests, newId } from "./requests";
import type { Change, ColorBy, Facts, Feed, Reply, Table } from "./types";

/** What is used of an ipywidgets model. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
}

export interface FeedModel extends Model {
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

/** A widget's own model, as anywidget hands it to `render`. */
export interface WidgetModel extends Model {
  widget_manager: { get_model(id: string): Promise<unknown> };
}

export interface Lease {
  feed: Feed;
  release: () => void;
}

const REGISTRY = Symbol.for("emb_opt_widgets.feeds");
const PROTOCOL = 1;
/** A page that hears nothing for so long asks whether it was taken for gone, in milliseconds. */
const QUIET = 15_000;

type Entry = { feed: LiveFeed; users: number };
type Registry = Map<number, WeakMap<object, Entry>>;

function entries(): WeakMap<object, Entry> {
  const page = globalThis as { [REGISTRY]?: Registry };
  const registry = (page[REGISTRY] ??= new Map());
  const known = registry.get(PROTOCOL) ?? new WeakMap<object, Entry>();
  registry.set(PROTOCOL, known);
  return known;
}

/** The feed that a widget's model names, shared with all others that name it; `release` when the view goes. */
export async function acquireFeed(model: WidgetModel): Promise<Lease> {
  const reference = String(model.get("feed") ?? "");
  if (!reference.startsWith("IPY_MODEL_")) throw new Error("This widget has lost its search.");
  return leaseFeed((await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length))) as FeedModel);
}

export function leaseFeed(model: FeedModel): Lease {
  const known = entries();
  const entry = known.get(model) ?? { feed: new LiveFeed(model), users: 0 };
  known.set(model, entry);
  entry.users++;
  let released = false;
  const release = () => {
    if (released) return;
    released = true;
    if (--entry.users > 0) return;
    known.delete(model);
    entry.feed.destroy();
  };
  return { feed: entry.feed, release };
}

class LiveFeed implements Feed {
  marked: readonly number[] = [];
  private readonly client = newId().slice(0, 12);
  private readonly mirror = new Mirror();
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly ends = new Disposer();
  private readonly requests: Requests;
  private pending = nothing();
  private unacknowledged: number[] = [];
  private readonly frame = oncePerFrame(() => this.draw());
  private heardLately = true;

  constructor(private readonly model: FeedModel) {
    this.requests = new Requests((message) => this.post(message), () => this.frame.ask());
    this.hear("msg:custom", (content: Record<string, unknown>, buffers?: (DataView | ArrayBuffer)[]) => this.receive(content, (buffers ?? []).map(viewOf)));
    this.hear("change:selection", () => this.changed("selection"));
    this.hear("change:color_by", () => this.changed("colorBy"));
    this.ends.listen(document, "visibilitychange", () => this.wakeOrSleep());
    this.ends.listen(window, "pagehide", () => this.sleep());
    this.ends.listen(window, "pageshow", () => this.wakeOrSleep());
    this.ends.every(QUIET, () => this.wonder());
    if (document.visibilityState === "visible") this.hello();
  }

  get facts(): Facts | null {
    return this.mirror.facts;
  }

  get link(): boolean {
    return this.requests.link;
  }

  table(name: string): Table {
    return this.mirror.tables.get(name) ?? EMPTY;
  }

  selection(): readonly number[] {
    return (this.model.get("selection") as number[] | null) ?? [];
  }

  select(nodes: readonly number[]): void {
    this.synced("selection", [...new Set(nodes)].sort((a, b) => a - b));
  }

  colorBy(): ColorBy {
    return (this.model.get("color_by") as ColorBy | null) ?? "max";
  }

  setColorBy(by: ColorBy): void {
    this.synced("color_by", by);
  }

  async command(name: string, args: Record<string, unknown> = {}, note = ""): Promise<Reply> {
    const { content } = await this.requests.ask({ type: "command", client: this.client, name, arguments: args, note });
    return content as unknown as Reply;
  }

  async ask<T = Record<string, unknown>>(what: string, args: Record<string, unknown> = {}): Promise<{ data: T; buffers: DataView[] }> {
    const { content, buffers } = await this.requests.ask({ type: "ask", client: this.client, what, arguments: args });
    const { ok, error } = content as unknown as Answer;
    if (!ok) throw new Error([error?.title ?? "The kernel gave no answer.", error?.hint].filter(Boolean).join(" "));
    return { data: content.data as T, buffers };
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  mark(rows: readonly number[]): void {
    this.marked = [...rows];
    this.changed("marked");
  }

  destroy(): void {
    this.sleep();
    this.requests.end();
    this.frame.cancel();
    this.listeners.clear();
    this.ends.dispose();
  }

  private hear(event: string, callback: (...args: never[]) => void): void {
    this.model.on(event, callback);
    this.ends.add(() => this.model.off(event, callback));
  }

  private receive(content: Record<string, unknown>, buffers: DataView[]): void {
    if (content.type === "delta") this.apply(content as unknown as Delta, buffers);
    else if (content.client === this.client && content.type === "taken") this.requests.taken(content);
    else if (content.client === this.client) this.requests.answered(content, buffers);
  }

  private apply(message: Delta, buffers: DataView[]): void {
    if (message.to && message.to !== this.client) return;
    this.requests.heard();
    this.heardLately = true;
    const done = this.mirror.apply(message, buffers);
    for (const table of done.tables) this.pending.tables.add(table);
    this.pending.facts ||= done.facts;
    this.unacknowledged.push(message.n);
    if (done.gap) this.hello();
    this.frame.ask();
  }

  private draw(): void {
    const change: Change = { ...this.pending, link: this.link };
    this.pending = nothing();
    for (const listener of [...this.listeners]) {
      try {
        listener(change);
      } catch (error) {
        console.error("A view failed to follow its search.", error);
      }
    }
    const have = this.mirror.have();
    for (const n of this.unacknowledged.splice(0)) this.post({ type: "ack", client: this.client, epoch: this.mirror.epoch, n, have });
  }

  private changed(what: "selection" | "colorBy" | "marked"): void {
    this.pending[what] = true;
    this.frame.ask();
  }

  private synced(trait: string, value: unknown): void {
    if (JSON.stringify(this.model.get(trait)) === JSON.stringify(value)) return;
    this.model.set(trait, value);
    this.model.save_changes();
  }

  private hello(): void {
    this.requests.greet(() => ({ type: "hello", client: this.client, epoch: this.mirror.epoch, have: this.mirror.have() }));
  }

  private wonder(): void {
    if (!this.heardLately && document.visibilityState === "visible") this.hello();
    this.heardLately = false;
  }

  private wakeOrSleep(): void {
    if (document.visibilityState === "visible") this.hello();
    else this.sleep();
  }

  private sleep(): void {
    this.requests.sleep();
    this.post({ type: "bye", client: this.client });
  }

  private post(message: Record<string, unknown>): void {
    try {
      this.model.send(message);
    } catch {
      /* A dead comm: the request stays unanswered, and `link` says so. */
    }
  }
}

function nothing() {
  return { tables: new Set<string>(), facts: false, selection: false, colorBy: false, marked: false };
}

function viewOf(buffer: DataView | ArrayBuffer): DataView {
  return ArrayBuffer.isView(buffer) ? new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new DataView(buffer);
}
