/** What keys mean on the map. Pure. */
import type { Side } from "./find";

export type Action = { step: Side } | { pan: Side } | "mark" | "add" | "clear" | "branch" | "undo" | "turn" | "fit" | "closer" | "farther" | "lasso" | "best";

const SIDES = new Map<string, Side>([["ArrowUp", "up"], ["ArrowDown", "down"], ["ArrowLeft", "left"], ["ArrowRight", "right"]]);
const KEYS = new Map<string, Action>([
  ["Escape", "clear"], ["Home", "best"], ["b", "branch"], ["u", "undo"], [" ", "turn"], ["f", "fit"], ["l", "lasso"],
  ["+", "closer"], ["=", "closer"], ["-", "farther"], ["_", "farther"],
]);

/** The action of a key, or null: the page's. */
export function actionOf(event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">): Action | null {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  const side = SIDES.get(event.key);
  if (side) return event.shiftKey ? { pan: side } : { step: side };
  if (event.key === "Enter") return event.shiftKey ? "add" : "mark";
  return KEYS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key) ?? null;
}
