/** The row of buttons. Knows how they look, not what they do. */

import { button, h, setAttribute } from "../../shared/dom";
import { createNote } from "./note";
import { EDITING, STEERING, labelOf } from "./state";

const KEYS: Record<string, string> = { undo: "u", branch: "b", prune: "p", restore: "r" };

export interface Tools {
  el: HTMLElement;
  main: HTMLButtonElement;
  /** By the command's name. */
  commands: ReadonlyMap<string, HTMLButtonElement>;
  note: ReturnType<typeof createNote>;
  color: HTMLButtonElement;
  /** What colours now mean. */
  by: HTMLElement;
  settings: HTMLButtonElement;
  exports: HTMLButtonElement;
}

export function createTools(): Tools {
  const main = button("Start", { class: "eow-main", key: "space" });
  setAttribute(main, "aria-keyshortcuts", "Space");
  const commands = new Map([...STEERING, ...EDITING].map((name) => [name as string, button(labelOf(name), KEYS[name] ? { key: KEYS[name] } : {})]));
  const some = (...names: readonly string[]) => names.flatMap((name) => commands.get(name) ?? []);
  const note = createNote();
  const by = h("span", { class: "eow-value" });
  const color = button("Colour", { class: "eow-drop" });
  color.append(by);
  const settings = button("Settings");
  const exports = button("Export", { class: "eow-drop" });
  for (const opener of [color, exports]) setAttribute(opener, "aria-haspopup", "menu");
  setAttribute(settings, "aria-haspopup", "dialog");
  const gap = () => h("span", { class: "eow-gap" });
  const editing = h("span", { class: "eow-editing", role: "group", "aria-label": "Selected queries" }, gap(), ...some(...EDITING), note.button);
  const el = h(
    "div",
    { class: "eow-tools", role: "group", "aria-label": "Steer the search" },
    main, ...some("step", "stop"), gap(), ...some("undo", "redo"), editing, h("span", { class: "eow-push" }), color, settings, exports,
  );
  return { el, main, commands, note, color, by, settings, exports };
}
