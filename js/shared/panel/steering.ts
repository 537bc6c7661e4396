/** Sends commands, and keeps what came of them for a panel to show. Knows the feed, no elements. */

import { Disposer } from "../disposer";
import type { Feed, Reply } from "../types";
import { NOTHING, type PanelEvent, reduce } from "./asked";

export class Steering {
  state = NOTHING;
  private readonly ends = new Disposer();
  private lastId = 0;

  /** `changed` is called whenever `state` has changed. */
  constructor(private readonly feed: Feed, private readonly changed: () => void) {
    this.ends.every(500, () => this.dispatch({ type: "time", at: performance.now(), status: feed.facts?.status ?? null }));
  }

  run(name: string, args: Record<string, unknown> = {}, note = ""): void {
    const id = ++this.lastId;
    this.dispatch({ type: "asked", id, name });
    const answered = (reply: Reply) => this.answered(id, name, reply);
    this.feed.command(name, args, note).then(answered, (error: Error) => answered(refused(error)));
  }

  /** Something else than a command went wrong. */
  fail(name: string, error: Error): void {
    this.answered(++this.lastId, name, refused(error));
  }

  dismiss(id: number): void {
    this.dispatch({ type: "dismissed", id });
  }

  /** Why nothing moves, in words; empty while the kernel answers. */
  get silence(): string {
    if (this.feed.link) return "";
    return this.state.asked.length ? "The kernel is busy; the command is queued." : "The kernel is busy, or gone: it has not answered for a while.";
  }

  destroy(): void {
    this.ends.dispose();
  }

  private answered(id: number, name: string, reply: Reply): void {
    if (!this.ends.disposed) this.dispatch({ type: "answered", id, name, reply, at: performance.now() });
  }

  private dispatch(event: PanelEvent): void {
    const before = this.state;
    this.state = reduce(before, event);
    if (this.state !== before) this.changed();
  }
}

function refused(error: Error): Reply {
  return { ok: false, error: { title: error.message, hint: "" } };
}
