/** What a person asks of the search from the tree: sent at once, shown at once, taken back with a word where the kernel refuses. Knows no DOM. */
import type { Feed, Reply } from "../../shared/types";
import { below } from "../../shared/plane/lineage";
import { STATUS, nodesOf } from "./state";

export interface Failure {
  title: string;
  hint: string;
}

export class Deeder {
  /** Statuses asked for and not confirmed. */
  readonly asked = new Map<number, number>();
  /** What is waited for, as a word. */
  busy: string | null = null;
  private answered = false;

  /** @param changed Called when `asked` or `busy` did. @param failed Called with what went wrong, and with null when a new deed begins. */
  constructor(
    private readonly feed: Feed,
    private readonly changed: () => void,
    private readonly failed: (failure: Failure | null) => void,
  ) {}

  branch(nodes: readonly number[]): Promise<void> {
    return this.does("Branching", "branch", { nodes: [...nodes] });
  }

  prune(roots: readonly number[]): Promise<void> {
    const nodes = nodesOf(this.feed);
    const inside = below(nodes.parent, nodes.length, roots, true);
    const hit: number[] = [];
    for (let node = 0; node < nodes.length; node++) if (inside[node] && nodes.status[node] === STATUS.active) hit.push(node);
    return this.does("Pruning", "prune", { nodes: [...roots], subtree: true }, hit, STATUS.pruned);
  }

  restore(roots: readonly number[]): Promise<void> {
    const nodes = nodesOf(this.feed);
    const hit = roots.filter((node) => nodes.status[node] === STATUS.pruned);
    return this.does("Restoring", "restore", { nodes: hit }, hit, STATUS.active);
  }

  undo(): Promise<void> {
    return this.does("Undoing", "undo", {});
  }

  /** Pause where it runs, else on with it. */
  turn(): Promise<void> {
    const can = this.feed.facts?.can;
    const name = can?.pause ? "pause" : can?.resume ? "resume" : can?.start ? "start" : null;
    return name ? this.does({ pause: "Pausing", resume: "Resuming", start: "Starting" }[name], name, {}) : Promise.resolve();
  }

  /** The nodes changed: what was asked for shows in them, or will not come. */
  settle(): void {
    if (this.answered) this.asked.clear();
  }

  private async does(word: string, name: string, args: Record<string, unknown>, nodes: readonly number[] = [], status = 0): Promise<void> {
    if (this.busy) return;
    this.busy = word;
    this.answered = false;
    this.asked.clear();
    for (const node of nodes) this.asked.set(node, status);
    this.failed(null);
    this.changed();
    const failure = failureOf(await this.feed.command(name, args).catch((error: unknown) => refusal(error)));
    this.busy = null;
    this.answered = true;
    if (failure) {
      this.asked.clear();
      this.failed(failure);
    }
    this.changed();
  }
}

function refusal(error: unknown): Reply {
  return { ok: false, error: { title: error instanceof Error ? error.message : String(error), hint: "" } };
}

function failureOf(reply: Reply): Failure | null {
  return reply.ok ? null : (reply.error ?? { title: "The search refused this.", hint: "" });
}
