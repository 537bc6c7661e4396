/** A feed without a kernel: a made-up search, told of and steered like a real one. For the dev page and for tests. */

import { Disposer, oncePerFrame } from "./disposer";
import { EMPTY } from "./columns";
import { FAKE, FakeSearch, type FakeOptions } from "./fake_search";
import { idOf, imageOf, textOf } from "./fake_text";
import type { Change, ColorBy, Facts, Feed, Reply } from "./types";

export interface FeedOptions extends Partial<FakeOptions> {
  /** Items of texts that try to break out. */
  hostile?: boolean;
  /** Items with pictures. */
  pictures?: boolean;
  /** Runs by itself: nodes a second. */
  live?: number;
  /** Milliseconds until a command or an ask is answered. */
  delay?: number;
}

export interface FakeFeed extends Feed {
  readonly search: FakeSearch;
  /** Tells all views that everything may have changed. */
  tell(change?: Partial<Change>): void;
  setLink(link: boolean): void;
  destroy(): void;
}

export function askOf(search: FakeSearch, what: string, args: Record<string, unknown>, options: FeedOptions): { data: Record<string, unknown>; buffers: DataView[] } {
  const text = (row: number) => textOf(row, options.hostile ?? false).slice(0, 4000);
  const scores = search.items.f8("score");
  if (what === "items") {
    const rows = args.rows as number[];
    const looks = rows.map((row) => (options.pictures ? imageOf(row, options.hostile ?? false) : { kind: "text", image: null }));
    return { data: { rows, id: rows.map(idOf), text: rows.map(text), kind: looks.map((l) => l.kind), image: looks.map((l) => l.image), data: rows.map(() => ({})) }, buffers: [] };
  }
  if (what === "node") {
    const node = args.node as number;
    const owner = search.items.i4("node");
    const rows = [...Array(search.items.length).keys()].filter((row) => owner[row] === node).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
    const path = [node];
    for (let n = node; n >= 0; n = search.nodes.i4("parent")[n] ?? -1) if (n !== node) path.unshift(n);
    const best = rows.slice(0, 3).map((row) => ({ row, id: idOf(row), score: scores[row], text: text(row) }));
    return { data: { node, operator: search.facts().operators[search.nodes.u1("operator")[node] ?? 0], reason: `neighbours of ${idOf(rows[0] ?? 0)}`, status: "active", status_reason: "", propensity: 0.3, best, path }, buffers: [] };
  }
  if (what === "find") {
    const wanted = String(args.text).toLowerCase();
    const rows = [...Array(Math.min(20000, search.items.length)).keys()].filter((row) => `${idOf(row)} ${text(row)}`.toLowerCase().includes(wanted));
    rows.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
    return { data: { rows: rows.slice(0, 200), more: rows.length > 200 }, buffers: [] };
  }
  if (what === "places") {
    const words = [...Array(search.items.length).keys()].map((row) => (args.by === "id" ? idOf(row) : text(row)).toLowerCase());
    const alphabet = new Map([...new Set(words)].sort().map((word, place) => [word, place]));
    const places = Int32Array.from(words, (word) => alphabet.get(word) ?? -1);
    return { data: { n: places.length, more: false }, buffers: [new DataView(places.buffer)] };
  }
  if (what === "export") {
    const body = new TextEncoder().encode(`id,score\n${idOf(0)},${scores[0]}\n`);
    return { data: { name: `kinase-docking.${args.format}`, mime: "text/plain" }, buffers: [new DataView(body.buffer)] };
  }
  throw new Error(`Nothing is known of ${what}.`);
}

export function fakeFeed(options: FeedOptions = {}): FakeFeed {
  const search = new FakeSearch({ ...FAKE, ...options });
  const ends = new Disposer();
  const listeners = new Set<(change: Change) => void>();
  const pending = { tables: new Set<string>(), facts: false, selection: false, colorBy: false, marked: false };
  let facts: Facts = complete(search, options);
  let selection: readonly number[] = [];
  let by: ColorBy = "max";
  let marked: readonly number[] = [];
  let link = true;
  const frame = oncePerFrame(() => {
    const change = { ...pending, tables: new Set(pending.tables), link };
    pending.tables.clear();
    pending.facts = pending.selection = pending.colorBy = pending.marked = false;
    for (const listener of listeners) listener(change);
  });
  const tell = (change: Partial<Change> = { tables: new Set(Object.keys(search.tables)), facts: true }) => {
    for (const table of change.tables ?? []) pending.tables.add(table);
    for (const key of ["facts", "selection", "colorBy", "marked"] as const) pending[key] ||= change[key] ?? false;
    facts = complete(search, options);
    frame.ask();
  };
  search.touched = (table) => pending.tables.add(table);
  const answered = <T>(make: () => T) => new Promise<T>((resolve, reject) => setTimeout(() => {
    if (ends.disposed) return reject(new Error("The page was closed."));
    try {
      resolve(make());
    } catch (error) {
      reject(error);
    }
    tell({ facts: true });
  }, options.delay ?? 120));
  if (options.live) {
    search.status = "running";
    ends.every(1000 / options.live, () => {
      if (search.status !== "running") return;
      if (!search.advance()) search.status = "finished";
      tell({ facts: true });
    });
  }
  ends.add(frame.cancel);
  tell();
  return {
    search, tell,
    get facts() { return facts; },
    get marked() { return marked; },
    get link() { return link; },
    table: (name) => search.tables[name] ?? EMPTY,
    selection: () => selection,
    select(nodes) {
      selection = [...new Set(nodes)].sort((a, b) => a - b);
      tell({ selection: true });
    },
    colorBy: () => by,
    setColorBy(next) {
      by = next;
      tell({ colorBy: true });
    },
    command: (name, args = {}, note = "") => answered<Reply>(() => search.command(name, args, note)),
    ask: <T>(what: string, args: Record<string, unknown> = {}) => answered(() => askOf(search, what, args, options) as { data: T; buffers: DataView[] }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    mark(rows) {
      marked = [...rows];
      tell({ marked: true });
    },
    setLink(next) {
      link = next;
      tell({});
    },
    destroy: () => ends.dispose(),
  };
}

function complete(search: FakeSearch, options: FeedOptions): Facts {
  const facts = search.facts();
  if (options.hostile) facts.name = "<img src=x onerror=window.__hit=20>\u202eeman";
  if (facts.best) facts.best.text = textOf(facts.best.row, options.hostile ?? false).slice(0, 4000);
  return facts;
}
