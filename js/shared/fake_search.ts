/**
 * A made-up search of the same shape as a real one (`docs/wire.md`): from a seed it grows node by node, and takes the
 * same commands. Knows nothing of feeds or messages. Only for the dev page and for tests.
 */

import { Columns, type ColumnType } from "./columns";
import { PRUNES, UPDATES } from "./fake_offers";
import { idOf, mix } from "./fake_text";
import type { Facts, Reply, Status } from "./types";

export interface FakeOptions {
  /** How many nodes there are at the start. */
  nodes: number;
  seed: number;
  budget: number;
  direction: "maximize" | "minimize";
}

export const FAKE: FakeOptions = { nodes: 63, seed: 7, budget: 2000, direction: "maximize" };

export const COLUMNS: Record<string, Record<string, ColumnType>> = {
  nodes: { parent: "i4", round: "i4", made: "i4", status: "u1", operator: "u1", by: "u1", n_hits: "i4", n_new: "i4", calls: "i4", mean: "f8", max: "f8", x: "f4", y: "f4" },
  items: { call: "i4", score: "f8", node: "i4", round: "i4", x: "f4", y: "f4" },
  rounds: { round: "i4", n_scored: "i4", best: "f8", mean: "f8", n_new: "i4" },
  events: { seq: "i4", time: "f8", kind: "json", node: "i4", text: "json", who: "json", note: "json", n_scored: "i4" },
  top: { row: "i4", id: "json", text: "json" },
};

const OPERATORS = ["start", "kernel model", "neighbours", "gradient", "linear model", "person"];
const PEAKS = [[0.7, 0.3, 4.4, 0.22], [-0.5, 0.6, 3.7, 0.3], [-0.3, -0.7, 3.9, 0.25], [0.5, -0.5, 3.1, 0.4]] as const;
const START = 1_790_000_000;

type Undo = { text: string; back: () => void; again: () => void };

export class FakeSearch {
  readonly tables: Record<string, Columns> = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, new Columns()]));
  readonly counts = { scored: 0, rounds: 0, failed: 0 };
  status: Status = "paused";
  settings: Facts["settings"] = {
    k: 24, budget: 2000, batch_size: 16,
    update: { name: "portfolio", parameters: { n_active: 9, explore: 0.15, dry: false }, title: "Portfolio (default)" },
    prune: { name: "topk", parameters: { k: 9 }, title: "TopKPrune" },
  };
  /** Called with every row that changed. */
  touched: (table: string, row: number) => void = () => {};
  private waiting: number[] = [];
  private frontier: number[] = [];
  private best: number[] = [];
  private undos: Undo[] = [];
  private redos: Undo[] = [];
  private round = { scored: 0, sum: 0, fresh: 0 };
  private range: [number, number] | null = null;
  private random: () => number;

  constructor(readonly options: FakeOptions = FAKE) {
    let state = options.seed || 1;
    this.random = () => (state = (state * 48271) % 2147483647) / 2147483647;
    this.settings.budget = options.budget;
    for (let i = 0; i < 5; i++) this.add(-1, (this.random() - 0.5) * 2.4, (this.random() - 0.5) * 2.4, 0);
    this.note("run", -1, "The search began.", "ada");
    const marks = [Math.floor(options.nodes * 0.35), Math.floor(options.nodes * 0.7)];
    while (this.nodes.length < options.nodes) {
      this.advance();
      if (marks.length && this.nodes.length > (marks[0] ?? 0)) this.intervene(marks.splice(0, 1).length === 1 && marks.length === 1);
    }
    while (this.waiting.length > 3) this.advance();
    this.undos = this.undos.slice(-1);
  }

  get nodes(): Columns {
    return this.tables.nodes as Columns;
  }
  get items(): Columns {
    return this.tables.items as Columns;
  }

  /** Looks at one waiting node, or closes the round and makes the next one's nodes. False: the budget is spent. */
  advance(): boolean {
    const node = this.waiting.shift();
    if (node === undefined) this.closeRound();
    else if (this.nodes.u1("status")[node] === 0) this.look(node);
    return this.settings.budget === null || this.counts.scored < this.settings.budget || this.nodes.length < this.options.nodes;
  }

  facts(): Facts {
    const { settings, status, counts } = this;
    const left = settings.budget === null ? null : Math.max(0, settings.budget - counts.scored);
    const running = status === "running";
    const rows = this.nodes.u1("status").subarray(0, this.nodes.length);
    const row = this.best[0];
    return {
      name: "kinase-docking", status, reason: status === "finished" ? "The budget is spent. Raise it under Settings to go on." : "", activity: running ? "scoring" : "resting", notices: [], direction: this.options.direction,
      n_scored: counts.scored, n_failed: counts.failed, budget: settings.budget, spent: counts.scored, unit: "calls", n_rounds: counts.rounds, calls_left: left,
      rate: running ? 3.2 : 0, eta: running && left !== null ? left / 3.2 : null,
      best: row === undefined ? null : { row, id: idOf(row), score: this.items.f8("score")[row] ?? 0, text: "" },
      settings, updates: UPDATES, prunes: PRUNES,
      can: { start: status === "ready", pause: running, resume: status === "paused" || status === "stopped", step: !running && status !== "finished", stop: running || status === "paused", undo: this.undos.length > 0, redo: this.redos.length > 0 },
      undo: this.undos.at(-1)?.text ?? null, redo: this.redos.at(-1)?.text ?? null, operators: OPERATORS,
      n_active: this.waiting.length + this.frontier.length, n_pruned: tally(rows, 1), score_range: this.range, file: "kinase.eow",
    };
  }

  /** Applies one command as the kernel would. */
  command(name: string, args: Record<string, unknown>, note = "", who = "you"): Reply {
    const nodes = (args.nodes as number[] | undefined) ?? [];
    if (nodes.some((n) => !(n >= 0 && n < this.nodes.length))) return refused("There is no such node.", "The tree lists them.");
    if (name === "pause" || name === "stop") this.status = name === "pause" ? "paused" : "stopped";
    else if (name === "start" || name === "resume") this.status = "running";
    else if (name === "step") while (this.waiting.length ? this.advance() : (this.closeRound(), false));
    else if (name === "undo" || name === "redo") return this.turn(name);
    else if (name === "prune" || name === "restore") return this.prune(nodes, name === "restore", args.subtree !== false, note, who);
    else if (name === "branch") return this.branch(nodes, (args.rows as number[]) ?? (args.center as number[]) ?? [], "center" in args, note, who);
    else if (name === "set") return this.set(args.settings as Partial<Facts["settings"]>, who);
    else return refused(`There is no command ${name}.`, "");
    this.note(name, -1, `${name[0]?.toUpperCase()}${name.slice(1)} was asked for.`, who, note);
    return { ok: true };
  }

  private add(parent: number, x: number, y: number, operator: number): number {
    const row = this.nodes.length;
    const values = { parent, round: -1, made: this.counts.rounds, status: 0, operator, by: operator === 5 ? 1 : 0, n_hits: 0, n_new: 0, calls: 0, mean: Number.NaN, max: Number.NaN, x, y };
    this.append("nodes", values);
    this.waiting.push(row);
    return row;
  }

  private append(table: string, values: Record<string, unknown>): number {
    const into = this.tables[table] as Columns;
    const row = into.length;
    into.grow(row + 1);
    this.put(table, row, values);
    return row;
  }

  private put(table: string, row: number, values: Record<string, unknown>): void {
    const into = this.tables[table] as Columns;
    for (const name in values) into.put(name, COLUMNS[table]?.[name] ?? "json", row, values[name]);
    into.stamp++;
    this.touched(table, row);
  }

  private look(node: number): void {
    const x = this.nodes.f4("x")[node] ?? 0;
    const y = this.nodes.f4("y")[node] ?? 0;
    const fresh = 2 + Math.floor(this.random() * 10);
    const sign = this.options.direction === "minimize" ? -1 : 1;
    let sum = 0;
    let max = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < fresh; i++) {
      const value = sign * this.score(node, x + this.bell() * 0.12, y + this.bell() * 0.12);
      sum += value;
      max = Math.max(max, value);
    }
    this.counts.scored += fresh;
    this.round.scored += fresh;
    this.round.sum += sum;
    this.round.fresh += fresh;
    this.put("nodes", node, { round: this.counts.rounds, n_hits: 24, n_new: fresh, calls: fresh, mean: (sign * sum) / fresh, max: sign * max });
    this.frontier.push(node);
  }

  private score(node: number, x: number, y: number): number {
    let value = 5 + this.bell() * 0.35;
    for (const [px, py, height, width] of PEAKS) value += height * Math.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * width * width + 0.3));
    const scored = this.options.direction === "minimize" ? -value : value;
    const row = this.append("items", { call: this.items.length, score: scored, node, round: this.counts.rounds, x, y });
    this.range = this.range ? [Math.min(this.range[0], scored), Math.max(this.range[1], scored)] : [scored, scored];
    this.rank(row, value);
    return scored;
  }

  private rank(row: number, value: number): void {
    const scores = this.items.f8("score");
    const sign = this.options.direction === "minimize" ? -1 : 1;
    const at = (r: number) => sign * (scores[r] ?? 0);
    if (this.best.length === 100 && value <= at(this.best[99] ?? 0)) return;
    let low = 0;
    let high = this.best.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(this.best[middle] ?? 0) >= value) low = middle + 1;
      else high = middle;
    }
    this.best.splice(low, 0, row);
    this.best.length = Math.min(100, this.best.length);
  }

  private closeRound(): void {
    const sign = this.options.direction === "minimize" ? -1 : 1;
    const max = this.nodes.f8("max");
    const best = this.best[0];
    this.append("rounds", { round: this.counts.rounds, n_scored: this.counts.scored, best: best === undefined ? Number.NaN : this.items.f8("score")[best], mean: (sign * this.round.sum) / Math.max(1, this.round.scored), n_new: this.round.fresh });
    this.best.forEach((row, place) => this.top(place, row));
    this.round = { scored: 0, sum: 0, fresh: 0 };
    this.counts.rounds++;
    const width = Math.max(5, Math.round(Math.sqrt(this.options.nodes) * 0.75));
    const ranked = this.frontier.filter((n) => this.nodes.u1("status")[n] === 0).sort((a, b) => sign * ((max[b] ?? 0) - (max[a] ?? 0)));
    ranked.forEach((node, place) => {
      if (place >= width || (place > 2 && this.random() < 0.12)) this.put("nodes", node, { status: 1 });
    });
    this.frontier = [];
    for (const node of ranked.slice(0, width)) if (this.nodes.u1("status")[node] === 0) this.children(node);
  }

  private children(node: number): void {
    const [x, y] = this.toward(this.nodes.f4("x")[node] ?? 0, this.nodes.f4("y")[node] ?? 0);
    for (let i = this.random() < 0.4 ? 2 : 1; i > 0; i--) this.add(node, x + this.bell() * 0.09, y + this.bell() * 0.09, 1 + (mix(this.nodes.length) % 4));
  }

  private toward(x: number, y: number): [number, number] {
    const [px, py] = [...PEAKS].sort((a, b) => Math.hypot(x - a[0], y - a[1]) - Math.hypot(x - b[0], y - b[1]))[0] ?? [0, 0];
    return [x + (px - x) * 0.1, y + (py - y) * 0.1];
  }

  private top(place: number, row: number): void {
    const table = this.tables.top as Columns;
    if (place < table.length && table.i4("row")[place] === row) return;
    table.grow(place + 1);
    this.put("top", place, { row, id: idOf(row), text: null });
  }

  private intervene(first: boolean): void {
    const node = this.frontier[0] ?? 0;
    if (first) this.command("branch", { nodes: [node] }, "this arm looks promising", "ada");
    else this.command("prune", { nodes: [this.frontier.at(-1) ?? node] }, "known scaffold", "ada");
  }

  private branch(nodes: number[], rows: number[], center: boolean, note: string, who: string): Reply {
    const places = nodes.map((n) => [n, this.nodes.f4("x")[n] ?? 0, this.nodes.f4("y")[n] ?? 0] as const);
    for (const row of center ? rows.slice(0, 1) : rows.slice(0, 50)) places.push([this.items.i4("node")[row] ?? -1, this.items.f4("x")[row] ?? 0, this.items.f4("y")[row] ?? 0]);
    const made = places.map(([parent, x, y]) => this.add(parent, x + this.bell() * 0.05, y + this.bell() * 0.05, 5));
    this.note("branch", made[0] ?? -1, `Branched ${made.length === 1 ? `query ${made[0]}` : `${made.length} queries`}.`, who, note);
    this.done("branch", made, 0, 3);
    return { ok: true, nodes: made };
  }

  private prune(nodes: number[], restore: boolean, subtree: boolean, note: string, who: string): Reply {
    const hit = new Set(nodes);
    const parent = this.nodes.i4("parent");
    if (subtree) for (let n = 0; n < this.nodes.length; n++) if (hit.has(parent[n] ?? -1)) hit.add(n);
    const status = this.nodes.u1("status");
    const changed = [...hit].filter((n) => (restore ? status[n] === 1 : status[n] === 0));
    if (!changed.length) return refused(restore ? "Nothing here was pruned." : "Everything here is pruned already.", "Select another query.");
    for (const n of changed) this.put("nodes", n, { status: restore ? 0 : 1 });
    if (restore) this.frontier.push(...changed);
    this.note(restore ? "restore" : "prune", nodes[0] ?? -1, `${restore ? "Restored" : "Pruned"} query ${nodes[0]}${changed.length > 1 ? ` and ${changed.length - 1} more` : ""}.`, who, note);
    this.done(restore ? "restore" : "prune", changed, restore ? 0 : 1, restore ? 1 : 0);
    return { ok: true, nodes: changed };
  }

  private set(settings: Partial<Facts["settings"]>, who: string): Reply {
    if (typeof settings.k === "number" && settings.k > 500) return refused("k must be at most 500.", "A source gives up to 500 hits a query.");
    this.settings = { ...this.settings, ...settings };
    this.note("set", -1, `Set ${Object.keys(settings).join(", ")}.`, who);
    return { ok: true };
  }

  private done(text: string, nodes: number[], now: number, before: number): void {
    const to = (status: number) => () => nodes.forEach((n) => this.put("nodes", n, { status }));
    this.undos.push({ text, back: to(before), again: to(now) });
    this.redos = [];
  }

  private turn(name: "undo" | "redo"): Reply {
    const entry = (name === "undo" ? this.undos : this.redos).pop();
    if (!entry) return refused(`There is nothing to ${name}.`, "");
    if (name === "undo") entry.back();
    else entry.again();
    (name === "undo" ? this.redos : this.undos).push(entry);
    this.note(name, -1, `${name === "undo" ? "Undid" : "Redid"} ${entry.text}.`, "you");
    return { ok: true };
  }

  private note(kind: string, node: number, text: string, who: string, note = ""): void {
    const seq = this.tables.events?.length ?? 0;
    this.append("events", { seq, time: START + this.counts.scored * 0.31, kind, node, text, who, note, n_scored: this.counts.scored });
  }

  private bell(): number {
    return Math.sqrt(-2 * Math.log(this.random() + 1e-12)) * Math.cos(6.283185 * this.random());
  }
}

function refused(title: string, hint: string): Reply {
  return { ok: false, error: { title, hint } };
}

function tally(values: Uint8Array, wanted: number): number {
  let n = 0;
  for (const value of values) if (value === wanted) n++;
  return n;
}
