import { describe, expect, it } from "vitest";
import { Columns } from "../../shared/columns";
import type { Feed, Reply } from "../../shared/types";
import { Deeder, type Failure } from "./deeds";
import { STATUS } from "./state";

function setting(reply: () => Promise<Reply>, can: Partial<Record<"pause" | "resume" | "start", boolean>> = {}) {
  const nodes = new Columns();
  nodes.grow(4);
  [-1, 0, 1, -1].forEach((parent, row) => nodes.put("parent", "i4", row, parent));
  [0, 0, 1, 0].forEach((status, row) => nodes.put("status", "u1", row, status));
  const sent: [string, Record<string, unknown>][] = [];
  const failures: (Failure | null)[] = [];
  const feed = {
    facts: { can },
    table: () => nodes,
    command: (name: string, args: Record<string, unknown>) => {
      sent.push([name, args]);
      return reply();
    },
  } as unknown as Feed;
  const deeds = new Deeder(feed, () => {}, (failure) => failures.push(failure));
  return { deeds, sent, failures };
}

describe("Deeder", () => {
  it("shows a pruned subtree before the kernel has answered, until the nodes say so", async () => {
    const { deeds, sent } = setting(() => Promise.resolve({ ok: true }));
    const done = deeds.prune([0]);
    expect([...deeds.asked]).toEqual([[0, STATUS.pruned], [1, STATUS.pruned]]);
    expect(deeds.busy).toBe("Pruning");
    expect(sent).toEqual([["prune", { nodes: [0], subtree: true }]]);
    deeds.settle();
    expect(deeds.asked.size).toBe(2);
    await done;
    expect([deeds.busy, deeds.asked.size]).toEqual([null, 2]);
    deeds.settle();
    expect(deeds.asked.size).toBe(0);
  });

  it("takes back what was refused, and says why", async () => {
    const error = { title: "Not now.", hint: "Wait." };
    const { deeds, failures } = setting(() => Promise.resolve({ ok: false, error }));
    await deeds.prune([3]);
    expect([deeds.asked.size, failures]).toEqual([0, [null, error]]);
  });

  it("says so when the page lost the kernel", async () => {
    const { deeds, failures } = setting(() => Promise.reject(new Error("The page was closed.")));
    await deeds.branch([1, 2]);
    expect(failures.at(-1)).toEqual({ title: "The page was closed.", hint: "" });
  });

  it("sends one thing at a time", async () => {
    const { deeds, sent } = setting(() => Promise.resolve({ ok: true }));
    await Promise.all([deeds.branch([0]), deeds.branch([0]), deeds.undo()]);
    expect(sent).toEqual([["branch", { nodes: [0] }]]);
  });

  it("restores only what was pruned, and pauses or goes on as the search can", async () => {
    const { deeds, sent } = setting(() => Promise.resolve({ ok: true }), { resume: true });
    await deeds.restore([0, 2]);
    await deeds.turn();
    expect(sent).toEqual([["restore", { nodes: [2] }], ["resume", {}]]);
    const idle = setting(() => Promise.resolve({ ok: true }));
    await idle.deeds.turn();
    expect(idle.sent).toEqual([]);
  });
});
