/** Making and changing elements. Text only ever becomes text nodes. */

type Attributes = Record<string, string | number | boolean | null | undefined>;

/** An element with attributes (true: empty, false or null: left out) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: (Node | string | null)[]): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const name in attributes) setAttribute(el, name, attributes[name]);
  for (const child of children) if (child !== null) el.append(child);
  return el;
}

/** A button in our dress; `key` is shown as its shortcut. */
export function button(label: string, options: { class?: string; key?: string; title?: string } = {}): HTMLButtonElement {
  const el = h("button", { type: "button", class: `eow-button ${options.class ?? ""}`.trim(), title: options.title, "aria-keyshortcuts": options.key }, label);
  if (options.key) el.append(h("kbd", { class: "eow-key", "aria-hidden": "true" }, options.key));
  return el;
}

export function setAttribute(el: Element, name: string, value: Attributes[string]): void {
  if (value === false || value === null || value === undefined) {
    if (el.hasAttribute(name)) el.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (el.getAttribute(name) !== text) el.setAttribute(name, text);
}

/** Sets text where it differs, so that nothing is announced or laid out anew for nothing. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes a button unusable without taking the focus from it. */
export function setDisabled(el: HTMLElement, disabled: boolean): void {
  setAttribute(el, "aria-disabled", disabled ? "true" : null);
}

export function isDisabled(el: HTMLElement): boolean {
  return el.getAttribute("aria-disabled") === "true";
}

/** Whether keys pressed there are typed text. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox], [type=radio], [type=button]), textarea, select"));
}

let last = 0;

/** An id that no other element of this page has, also none of another bundle. */
export function uniqueId(prefix: string): string {
  return `${prefix}-${(++last).toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Gives the person a file. */
export function download(name: string, mime: string, content: DataView): void {
  const bytes = new Uint8Array(content.buffer as ArrayBuffer, content.byteOffset, content.byteLength);
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
  const link = h("a", { href: url, download: name.replace(/[^\w.\- ]+/g, "_").replace(/^\.+/, "").slice(0, 120) || "export" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
