/** Gives a command's button its present look. */

import { setAttribute, setDisabled, setText } from "../dom";
import type { ButtonLook } from "./asked";

export function dress(el: HTMLButtonElement, look: ButtonLook): void {
  if (el.firstChild) setText(el.firstChild, look.label);
  setDisabled(el, look.disabled);
  setAttribute(el, "aria-busy", look.busy ? "true" : null);
  setAttribute(el, "title", look.title || null);
}
