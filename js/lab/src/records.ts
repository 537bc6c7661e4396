/** What a kernel tells of its searches, checked. Pure. */

export type Verb = "pause" | "resume" | "step" | "stop";
export type Status = "ready" | "running" | "paused" | "finished" | "stopped" | "failed";

export interface SearchRecord {
  readonly id: string;
  readonly cell: string | null;
  readonly created: number;
  readonly name: string;
  readonly status: Status;
  readonly reason: string;
  readonly scored: number;
  readonly budget: number | null;
  readonly spent: number;
  readonly unit: string;
  readonly rounds: number;
  readonly best: number | null;
  readonly bestId: string | null;
  readonly file: string | null;
  readonly can: readonly Verb[];
}

export interface Overview {
  readonly version: string | null;
  readonly process: string;
  readonly anywidget: string | null;
  readonly searches: readonly SearchRecord[];
}

export interface News {
  readonly process: string;
  readonly kind: string;
  readonly search: SearchRecord;
}

const STATUSES: readonly string[] = ["ready", "running", "paused", "finished", "stopped", "failed"];
const VERBS: readonly string[] = ["pause", "resume", "step", "stop"];

type Fields = { readonly [key: string]: unknown };

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function readSearch(value: unknown): SearchRecord | null {
  if (!isFields(value)) return null;
  const id = text(value.id);
  const status = text(value.status);
  if (!id || !status || !STATUSES.includes(status)) return null;
  const can = Array.isArray(value.can) ? value.can : [];
  return {
    id,
    cell: text(value.cell),
    created: number(value.created) ?? 0,
    name: text(value.name) ?? "search",
    status: status as Status,
    reason: text(value.reason) ?? "",
    scored: number(value.n_scored) ?? 0,
    budget: number(value.budget),
    spent: number(value.spent) ?? number(value.n_scored) ?? 0,
    unit: text(value.unit) ?? "calls",
    rounds: number(value.rounds) ?? 0,
    best: number(value.best),
    bestId: text(value.best_id),
    file: text(value.file),
    can: can.filter((verb): verb is Verb => VERBS.includes(verb as string)),
  };
}

export function readOverview(value: unknown): Overview | null {
  if (!isFields(value)) return null;
  const process = text(value.process);
  if (!process || !Array.isArray(value.searches)) return null;
  return {
    version: text(value.version),
    process,
    anywidget: text(value.anywidget),
    searches: value.searches.map(readSearch).filter((search) => search !== null),
  };
}

export function readNews(value: unknown): News | null {
  if (!isFields(value)) return null;
  const search = readSearch(value.search);
  const process = text(value.process);
  return search && process ? { process, kind: text(value.kind) ?? "", search } : null;
}

/** Whether a search has come to an end by itself or by a person. */
export function isOver(status: Status): boolean {
  return status === "finished" || status === "stopped" || status === "failed";
}
