/** Small windows and menus that belong to a button: above everything, closed by Escape or a press elsewhere, focus given back. */

import { Disposer, type Dispose } from "./disposer";
import { h, isDisabled, setAttribute } from "./dom";

export interface PopoverOptions {
  /** The button it belongs to; gets `aria-expanded`. */
  anchor: HTMLElement;
  content: HTMLElement;
  role: "menu" | "dialog";
  label: string;
  align?: "start" | "end";
  /** Where it stands in the document; beside the anchor where nothing is said. */
  home?: HTMLElement;
  /** What gets the focus back; the anchor where nothing is said. */
  back?: HTMLElement;
  onClose?: () => void;
}

const EDGE = 8;

/** Opens it beside its button; returns what closes it. */
export function openPopover({ anchor, content, role, label, align = "start", home, back = anchor, onClose }: PopoverOptions): Dispose {
  const ends = new Disposer();
  const pop = h("div", { class: "eow-pop", popover: "manual", role, "aria-label": label, tabindex: "-1" }, content);
  const close = () => {
    if (ends.disposed) return;
    const focused = pop.contains(document.activeElement) || document.activeElement === document.body;
    ends.dispose();
    if (focused) back.focus();
    onClose?.();
  };
  if (home) home.append(pop);
  else anchor.after(pop);
  pop.showPopover();
  if (!home) setAttribute(anchor, "aria-expanded", "true");
  const settle = () => (anchor.isConnected ? place(pop, anchor, align) : close());
  settle();
  ends.add(() => {
    if (!home) setAttribute(anchor, "aria-expanded", "false");
    pop.remove();
  });
  ends.listen(window, "scroll", settle, { capture: true, passive: true });
  ends.listen(window, "resize", settle);
  ends.listen(document, "pointerdown", (event) => {
    if (!event.composedPath().some((node) => node === pop || node === anchor)) close();
  }, { capture: true });
  ends.listen(pop, "keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    }
    event.stopPropagation();
  });
  ends.listen(pop, "focusout", (event) => {
    const next = event.relatedTarget;
    if (next instanceof Node && !pop.contains(next) && next !== anchor) close();
  });
  return close;
}

function place(pop: HTMLElement, anchor: HTMLElement, align: "start" | "end"): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = pop;
  const left = align === "end" ? at.right - width : at.left;
  const below = at.bottom + 4;
  const top = below + height <= innerHeight - EDGE || at.top < height + EDGE ? below : at.top - 4 - height;
  pop.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
  pop.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - height - EDGE))}px`;
}

export interface MenuItem {
  label: string;
  /** Given: one of several, chosen or not. */
  checked?: boolean;
  disabled?: boolean;
  run: () => void;
}

/** A menu of the button; arrows, Home, End, first letters, Enter and Escape. */
export function openMenu(anchor: HTMLElement, label: string, items: readonly MenuItem[], where: Pick<PopoverOptions, "align" | "home" | "back"> = {}): Dispose {
  const rows = items.map((item) =>
    h("div", { role: item.checked === undefined ? "menuitem" : "menuitemradio", "aria-checked": item.checked === undefined ? null : String(item.checked), "aria-disabled": item.disabled ? "true" : null, tabindex: "-1" }, item.label),
  );
  const list = h("div", { role: "presentation" }, ...rows);
  const close = openPopover({ anchor, content: list, role: "menu", label, ...where });
  const move = (to: number) => rows[(to + rows.length) % rows.length]?.focus();
  const activate = (target: EventTarget | null) => {
    const at = rows.findIndex((row) => row === target || row.contains(target as Node));
    const [row, item] = [rows[at], items[at]];
    if (!row || !item || isDisabled(row)) return;
    close();
    item.run();
  };
  list.addEventListener("click", (event) => activate(event.target));
  list.addEventListener("keydown", (event) => {
    const at = rows.indexOf(document.activeElement as HTMLDivElement);
    if (event.key === "ArrowDown") move(at + 1);
    else if (event.key === "ArrowUp") move(at < 0 ? -1 : at - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(-1);
    else if (event.key === "Enter" || event.key === " ") activate(event.target);
    else if (event.key === "Tab") close();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) byLetter(rows, at, event.key);
    else return;
    event.preventDefault();
  });
  const chosen = items.findIndex((item) => item.checked);
  move(chosen < 0 ? 0 : chosen);
  return close;
}

function byLetter(rows: readonly HTMLElement[], from: number, letter: string): void {
  for (let i = 1; i <= rows.length; i++) {
    const row = rows[(from + i) % rows.length];
    if (row?.textContent?.toLowerCase().startsWith(letter.toLowerCase())) return row.focus();
  }
}
