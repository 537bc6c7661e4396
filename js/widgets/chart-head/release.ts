/**
 * Has models let go of their views once they are closed. JupyterLab never lets go of a closed model; and a model holds
 * its last view, which `state_change` resolves with, and every view that listens to it by itself, as bqplot's do: whole
 * drawings. Knows ipywidgets' models only.
 */

export interface ClosingModel {
  state_change: Promise<unknown>;
  attributes: Record<string, unknown>;
  once(event: string, listener: () => void): unknown;
  off(): unknown;
}

const DEEPEST = 6;
const known = new WeakSet<ClosingModel>();

/** From here on, of a model and of all that its traits lead to. */
export function releaseOnceClosed(root: unknown): void {
  visit(root, DEEPEST);
}

function visit(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null || depth < 0 || ArrayBuffer.isView(value)) return;
  if (isModel(value)) {
    if (known.has(value)) return;
    known.add(value);
    value.once("destroy", () => setTimeout(() => release(value)));
    for (const inner of Object.values(value.attributes)) visit(inner, depth - 1);
  } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const inner of Object.values(value)) visit(inner, depth - 1);
  }
}

/** A task later than `destroy`, all have heard of it and the views are gone. */
function release(model: ClosingModel): void {
  model.off();
  model.state_change = model.state_change.then(() => undefined);
}

function isModel(value: object): value is ClosingModel {
  return "state_change" in value && value.state_change instanceof Promise && "attributes" in value;
}
