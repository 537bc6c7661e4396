/** What views know of a live object. Knows nothing of models, comms or the DOM; `docs/wire.md` says what the words mean. */

export type Column = Float64Array | Float32Array | Int32Array | Uint8Array | unknown[];

/** A table as a view reads it. Columns may be longer than `length`; they are replaced when they grow, so never keep them. */
export interface Table {
  readonly length: number;
  /** Newest stamp this copy has; changes whenever a row does. */
  readonly stamp: number;
  f8(name: string): Float64Array;
  f4(name: string): Float32Array;
  i4(name: string): Int32Array;
  u1(name: string): Uint8Array;
  json(name: string): unknown[];
}

export type Status = "ready" | "running" | "paused" | "finished" | "stopped" | "failed";

export interface Strategy {
  name: string;
  title: string;
  parameters: { name: string; type: "int" | "float" | "floats" | "bool" | "choice"; default: unknown; doc: string; choices?: string[]; minimum?: number }[];
}

/** What the search does just now. */
export type Activity = "retrieving" | "scoring" | "thinking" | "waiting" | "resting";

/** Something that a person should know; `number` is its own. */
export interface Notice {
  number: number;
  source: string;
  text: string;
  count: number;
}

export interface Facts {
  name: string;
  status: Status;
  reason: string;
  activity: Activity;
  notices: Notice[];
  direction: "maximize" | "minimize";
  n_scored: number;
  n_failed: number;
  budget: number | null;
  /** Of the budget, in its unit: "calls", or what a cost names. */
  spent: number;
  unit: string;
  n_rounds: number;
  calls_left: number | null;
  rate: number;
  eta: number | null;
  best: { row: number; id: string; score: number; text: string } | null;
  settings: {
    k: number | null;
    budget: number | null;
    batch_size: number | null;
    update: { name: string; parameters: Record<string, unknown>; title: string };
    prune: { name: string; parameters: Record<string, unknown>; title: string } | null;
  };
  updates: Strategy[];
  prunes: Strategy[];
  can: Record<"start" | "pause" | "resume" | "step" | "stop" | "undo" | "redo", boolean>;
  undo: string | null;
  redo: string | null;
  operators: string[];
  n_active: number;
  n_pruned: number;
  score_range: [number, number] | null;
  file: string | null;
  /** Why the kernel cannot keep this page up to date just now, in words; missing while it can. */
  trouble?: string;
}

export type ColorBy = "max" | "mean" | "round" | "operator";

export interface Reply {
  ok: boolean;
  nodes?: number[];
  error?: { title: string; hint: string };
}

/** One live object, one copy a page, shared by all its views. Real: `feed.ts`; for tests and the dev page: `fake.ts`. */
export interface Feed {
  /** null until the first delta. */
  readonly facts: Facts | null;
  /** An empty table (length 0) where there is none yet. */
  table(name: "nodes" | "items" | "rounds" | "events" | "top" | (string & {})): Table;
  selection(): readonly number[];
  select(nodes: readonly number[]): void;
  colorBy(): ColorBy;
  setColorBy(by: ColorBy): void;
  /** Resolves when the kernel answered (never rejects for what the kernel refused: see `ok`); rejects when the page is closed. */
  command(name: string, args?: Record<string, unknown>, note?: string): Promise<Reply>;
  /** Rejects with an Error whose message a person can read. */
  ask<T = Record<string, unknown>>(what: string, args?: Record<string, unknown>): Promise<{ data: T; buffers: DataView[] }>;
  /** Called at most once a frame after something changed. Returns what ends it. */
  subscribe(listener: (change: Change) => void): () => void;
  /** Items a lasso or the table points at, shared between views of one page only (never sent): rows of `items`. */
  readonly marked: readonly number[];
  /** false: something sent to the kernel has not been answered for 3 s (it is busy, or gone). Also in every `Change`. */
  readonly link: boolean;
  mark(rows: readonly number[]): void;
}

export interface Change {
  tables: ReadonlySet<string>;
  facts: boolean;
  selection: boolean;
  colorBy: boolean;
  marked: boolean;
  /** false: the kernel has not answered lately (busy, gone). */
  link: boolean;
}

/** Every view: made once, told of changes by itself through the feed, destroyed once. */
export interface View {
  destroy(): void;
}
