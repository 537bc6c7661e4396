/** A feed that is silent while nobody looks: for views on tabs. Told of everything at once when it opens again. */

import type { Change, Feed } from "./types";

export interface Gate {
  feed: Feed;
  open(): void;
  shut(): void;
  /** Ends what views have subscribed to. */
  destroy(): void;
}

export function gated(feed: Feed): Gate {
  const listeners = new Set<(change: Change) => void>();
  const missed = { tables: new Set<string>(), facts: false, selection: false, colorBy: false, marked: false };
  let opened = true;
  const tell = (change: Change) => {
    for (const listener of [...listeners]) listener(change);
  };
  const end = feed.subscribe((change) => {
    if (opened) return tell(change);
    for (const table of change.tables) missed.tables.add(table);
    for (const key of ["facts", "selection", "colorBy", "marked"] as const) missed[key] ||= change[key];
  });
  return {
    feed: {
      get facts() { return feed.facts; },
      get marked() { return feed.marked; },
      get link() { return feed.link; },
      table: (name) => feed.table(name),
      selection: () => feed.selection(),
      select: (nodes) => feed.select(nodes),
      colorBy: () => feed.colorBy(),
      setColorBy: (by) => feed.setColorBy(by),
      command: (name, args, note) => feed.command(name, args, note),
      ask: (what, args) => feed.ask(what, args),
      mark: (rows) => feed.mark(rows),
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    open() {
      if (opened) return;
      opened = true;
      tell({ ...missed, tables: new Set(missed.tables), link: feed.link });
      missed.tables.clear();
      missed.facts = missed.selection = missed.colorBy = missed.marked = false;
    },
    shut: () => {
      opened = false;
    },
    destroy() {
      end();
      listeners.clear();
    },
  };
}
