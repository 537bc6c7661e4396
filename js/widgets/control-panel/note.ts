/** A note for the next command: why it is given; it goes to the search's log. */

import { button, h, setAttribute, setText } from "../../shared/dom";
import { openPopover } from "../../shared/popover";

const LIMIT = 2000;

export function createNote(): { button: HTMLButtonElement; take(): string; destroy(): void } {
  let text = "";
  let close: (() => void) | null = null;
  const opener = button("Note", { title: "Say why: kept in the log with the next command" });
  setAttribute(opener, "aria-haspopup", "dialog");
  const draw = () => {
    setText(opener, text ? "Note ✓" : "Note");
    setAttribute(opener, "aria-label", text ? "Note, written" : "Note");
  };
  const open = () => {
    const field = h("input", { class: "eow-field", maxlength: String(LIMIT), "aria-label": "Note for the next command", placeholder: "Why? Kept with the next command", value: text });
    const content = h("div", { class: "eow-note" }, field);
    close = openPopover({ anchor: opener, content, role: "dialog", label: "Note", onClose: draw });
    field.addEventListener("input", () => {
      text = field.value;
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) close?.();
    });
    field.focus();
  };
  opener.addEventListener("click", () => (opener.getAttribute("aria-expanded") === "true" ? close?.() : open()));
  return {
    button: opener,
    take() {
      const taken = text.trim();
      text = "";
      draw();
      return taken;
    },
    destroy: () => close?.(),
  };
}
