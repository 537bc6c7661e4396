import type { Kernel } from "@jupyterlab/services";
import { describe, expect, it, vi } from "vitest";
import { Link } from "./link";

type Reply = { content: unknown } | null;

interface Fake {
  debug: (command: string) => Promise<Reply>;
  features?: string[];
  subshells?: boolean;
  status?: string;
}

function connection(fake: Fake): { kernel: Kernel.IKernelConnection; executed: unknown[] } {
  const executed: unknown[] = [];
  const evaluated = { content: { user_expressions: { answer: { data: { "application/json": { from: "expression" } } } } } };
  const made = {
    isDisposed: false,
    status: fake.status ?? "idle",
    supportsSubshells: fake.subshells ?? false,
    subshellId: null as string | null,
    info: Promise.resolve({ supported_features: fake.features ?? ["debugger"] }),
    requestDebug: (content: { command: string }) => ({ done: fake.debug(content.command) }),
    requestCreateSubshell: () => ({ done: Promise.resolve({ content: { subshell_id: "sub" } }) }),
    requestExecute: (content: unknown) => {
      executed.push([content, made.subshellId]);
      return { done: Promise.resolve(evaluated) };
    },
    clone: () => made,
    dispose: vi.fn(),
  };
  return { kernel: made as unknown as Kernel.IKernelConnection, executed };
}

const answering = async (command: string): Promise<Reply> => ({ content: { command, body: { from: "control" } } });
const empty = async (): Promise<Reply> => ({ content: {} });

describe("a question to a kernel", () => {
  it("goes by the control channel, over an open notebook's connection", async () => {
    const { kernel, executed } = connection({ debug: answering });
    const connect = vi.fn();
    const link = new Link(() => kernel, connect);
    expect(await link.ask({ ask: "overview" })).toEqual({ kind: "answer", body: { from: "control" } });
    expect(executed).toEqual([]);
    expect(connect).not.toHaveBeenCalled();
  });

  it("executes nothing in a kernel that has a debugger and no search", async () => {
    const { kernel, executed } = connection({ debug: empty });
    expect(await new Link(() => kernel, () => kernel).ask({ ask: "overview" })).toEqual({ kind: "nothing" });
    expect(executed).toEqual([]);
  });

  it("is evaluated in a subshell where there is no debugger", async () => {
    const { kernel, executed } = connection({ debug: empty, features: [], subshells: true, status: "busy" });
    expect(await new Link(() => null, () => kernel).ask({ ask: "overview" })).toEqual({ kind: "answer", body: { from: "expression" } });
    expect(executed).toHaveLength(1);
    expect(executed[0]).toMatchObject([{ code: "", silent: true, store_history: false }, "sub"]);
  });

  it("says that a busy kernel is too old where there is neither", async () => {
    const busy = connection({ debug: empty, features: [], status: "busy" });
    expect(await new Link(() => null, () => busy.kernel).ask({ ask: "overview" })).toEqual({ kind: "too old" });
    expect(busy.executed).toEqual([]);
    const idle = connection({ debug: empty, features: [] });
    expect((await new Link(() => null, () => idle.kernel).ask({ ask: "overview" })).kind).toBe("answer");
  });

  it("gives up after a while", async () => {
    const { kernel } = connection({ debug: () => new Promise(() => undefined) });
    expect(await new Link(() => kernel, () => kernel).ask({ ask: "overview" }, 20)).toEqual({ kind: "silent" });
  });

  it("closes the connections of its own, and no others", async () => {
    const own = connection({ debug: answering });
    const link = new Link(() => null, () => own.kernel);
    await link.ask({ ask: "overview" });
    link.dispose();
    expect(own.kernel.dispose).toHaveBeenCalledOnce();
    expect(await link.ask({ ask: "overview" })).toEqual({ kind: "silent" });
    const borrowed = connection({ debug: answering });
    const other = new Link(() => borrowed.kernel, () => own.kernel);
    await other.ask({ ask: "overview" });
    other.dispose();
    expect(borrowed.kernel.dispose).not.toHaveBeenCalled();
  });
});
