/**
 * Questions to one kernel and their answers. On the control channel, so that a kernel answers while a cell runs and
 * its status does not change; where a kernel has no debugger that could take them, as an expression to evaluate: in a
 * subshell, or when the kernel is idle.
 */
import type { Kernel } from "@jupyterlab/services";
import type { JSONObject } from "@lumino/coreutils";
import type { IDisposable } from "@lumino/disposable";
import { isFields } from "./records";

const COMMAND = "embOptWidgets";
const PATIENCE = 5000;

export type Outcome =
  | { readonly kind: "answer"; readonly body: { readonly [key: string]: unknown } }
  /** It has no search, and never had. */
  | { readonly kind: "nothing" }
  /** It did not answer in time. */
  | { readonly kind: "silent" }
  /** It runs a cell, and is too old to answer meanwhile. */
  | { readonly kind: "too old" };

const SILENT: Outcome = { kind: "silent" };
const NOTHING: Outcome = { kind: "nothing" };

export class Link implements IDisposable {
  private sequence = 0;
  private own: Kernel.IKernelConnection | null = null;
  private subshell: Kernel.IKernelConnection | null = null;
  private over = false;

  /**
   * @param borrow the connection of an open notebook, where there is one: no second one is made then.
   * @param connect makes a connection of our own.
   */
  constructor(
    private readonly borrow: () => Kernel.IKernelConnection | null,
    private readonly connect: () => Kernel.IKernelConnection,
  ) {}

  get isDisposed(): boolean {
    return this.over;
  }

  dispose(): void {
    if (this.over) return;
    this.over = true;
    this.hangUp();
  }

  /** Closes what is open; the next question opens it again. */
  hangUp(): void {
    this.subshell?.dispose();
    this.own?.dispose();
    this.subshell = null;
    this.own = null;
  }

  /** @param patience milliseconds to wait for the answer. */
  async ask(request: JSONObject, patience = PATIENCE): Promise<Outcome> {
    if (this.over) return SILENT;
    try {
      const kernel = this.connection();
      const answer = await within(patience, this.askControl(kernel, request));
      if (answer !== NOTHING) return answer;
      const info = await within(PATIENCE, kernel.info.then((known) => known, () => null));
      if (!isFields(info) || hasDebugger(info)) return NOTHING;
      return await within(patience, this.evaluate(kernel, request));
    } catch {
      return SILENT;
    }
  }

  private connection(): Kernel.IKernelConnection {
    const borrowed = this.borrow();
    if (borrowed && !borrowed.isDisposed) {
      this.own?.dispose();
      this.own = null;
      return borrowed;
    }
    if (!this.own || this.own.isDisposed) this.own = this.connect();
    return this.own;
  }

  private async askControl(kernel: Kernel.IKernelConnection, request: JSONObject): Promise<Outcome> {
    const future = kernel.requestDebug({ seq: ++this.sequence, type: "request", command: COMMAND, arguments: request });
    const reply = await future.done;
    const content: unknown = reply?.content;
    const body = isFields(content) ? content.body : null;
    return isFields(body) && content && isFields(content) && content.command === COMMAND ? { kind: "answer", body } : NOTHING;
  }

  private async evaluate(kernel: Kernel.IKernelConnection, request: JSONObject): Promise<Outcome> {
    const connection = await this.evaluating(kernel);
    if (!connection) return { kind: "too old" };
    const future = connection.requestExecute({
      code: "",
      silent: true,
      store_history: false,
      stop_on_error: false,
      user_expressions: { answer: expression(request) },
    });
    const content: unknown = (await future.done).content;
    const results = isFields(content) ? content.user_expressions : null;
    const result = isFields(results) ? results.answer : null;
    const data = isFields(result) ? result.data : null;
    const body = isFields(data) ? data["application/json"] : null;
    return isFields(body) ? { kind: "answer", body } : NOTHING;
  }

  /** A connection on which an expression is evaluated soon, null where there is none while a cell runs. */
  private async evaluating(kernel: Kernel.IKernelConnection): Promise<Kernel.IKernelConnection | null> {
    if (this.subshell && !this.subshell.isDisposed) return this.subshell;
    if (kernel.supportsSubshells === true) {
      const reply = await kernel.requestCreateSubshell({}).done;
      const content: unknown = reply?.content;
      const id = isFields(content) ? content.subshell_id : null;
      if (typeof id === "string") {
        this.subshell = kernel.clone({ handleComms: false });
        this.subshell.subshellId = id;
        return this.subshell;
      }
    }
    return kernel.status === "idle" ? kernel : null;
  }
}

/** Python that asks, where the package is loaded, and imports it nowhere else. A JSON text of ASCII is a Python text too. */
export function expression(request: JSONObject): string {
  const json = JSON.stringify(JSON.stringify(request)).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return (
    `(lambda known: known and __import__("importlib").import_module("emb_opt_widgets.lab.kernel")` +
    `.answer(__import__("json").loads(${json})))(__import__("sys").modules.get("emb_opt_widgets.live.registry"))`
  );
}

function hasDebugger(info: { readonly [key: string]: unknown }): boolean {
  const features: unknown = info.supported_features;
  return info.debugger === true || (Array.isArray(features) && features.includes("debugger"));
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("late")), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
