/** What the log's rows say. Pure. */

import { clock, count, line } from "../../shared/format";
import type { Table } from "../../shared/types";

export interface EventRow {
  time: string;
  calls: string;
  who: string;
  text: string;
  note: string;
  /** −1: of no node. */
  node: number;
  tone: "person" | "bad" | "plain";
}

const BY_PERSONS = new Set(["branch", "prune", "prune_node", "restore", "undo", "redo", "set", "pause", "resume", "stop", "start", "step"]);

/** The row of the log's place `at`, latest first. */
export function eventAt(events: Table, at: number): EventRow {
  const row = events.length - 1 - at;
  const kind = String(events.json("kind")[row] ?? "");
  return {
    time: clock(events.f8("time")[row] ?? Number.NaN),
    calls: count(events.i4("n_scored")[row] ?? 0),
    who: line(events.json("who")[row], 40),
    text: line(events.json("text")[row], 400),
    note: line(events.json("note")[row], 400),
    node: events.i4("node")[row] ?? -1,
    tone: /fail|error/.test(kind) ? "bad" : BY_PERSONS.has(kind) ? "person" : "plain",
  };
}
