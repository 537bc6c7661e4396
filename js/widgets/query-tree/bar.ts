/** The bar that says what is selected and offers what can be done with it; errors stay there until the next deed. Knows no feed. */
import { button, h, setDisabled } from "../../shared/dom";
import { chosenText, type Chosen } from "./state";

export interface Deeds {
  branch(): void;
  prune(): void;
  restore(): void;
}

/** The same said at length and, where there is little room, in short. */
function sized(): readonly [HTMLElement, HTMLElement] {
  return [h("span", { class: "eow-long" }), h("span", { class: "eow-short" })];
}

export class Bar {
  readonly element = h("div", { class: "eow-bar", role: "group", "aria-label": "Selection", hidden: "" });
  private readonly line: HTMLElement;
  private readonly main = sized();
  private readonly more = sized();
  private readonly error = h("div", { class: "eow-bar-error", role: "alert", hidden: "" });
  private readonly branch = button("Branch", { key: "b", class: "eow-main" });
  private readonly prune = button("Prune", { key: "p" });
  private readonly restore = button("Restore", { key: "r" });

  constructor(deeds: Deeds, listen: (target: HTMLElement, run: () => void) => void) {
    this.line = h("div", { class: "eow-bar-line" }, h("b", { class: "eow-num" }, ...this.main), h("span", { class: "eow-num eow-bar-more" }, ...this.more), h("i", { class: "eow-push" }), this.branch, this.prune, this.restore);
    this.element.append(this.line, this.error);
    listen(this.branch, deeds.branch);
    listen(this.prune, deeds.prune);
    listen(this.restore, deeds.restore);
  }

  /** @param busy The command that waits for an answer, if any. */
  show(chosen: Chosen, busy: string | null): void {
    const { nodes, pruned } = chosen;
    this.element.hidden = !nodes.length && this.error.hidden;
    this.line.hidden = !nodes.length;
    if (!nodes.length) return;
    const text = chosenText(chosen);
    const doing = busy ? `${busy}…` : null;
    for (const [[long, short], say, brief] of [[this.main, text.main, text.short.main], [this.more, doing ?? text.more, doing ?? text.short.more]] as const) {
      long.textContent = say;
      short.textContent = brief;
    }
    this.prune.hidden = pruned === nodes.length;
    this.restore.hidden = pruned === 0;
    for (const deed of [this.branch, this.prune, this.restore]) setDisabled(deed, busy !== null);
  }

  /** Shows what went wrong, or nothing. */
  fail(error: { title: string; hint: string } | null): void {
    this.error.hidden = !error;
    this.error.replaceChildren(...(error ? [h("b", {}, error.title), ` ${error.hint}`] : []));
    if (error) this.element.hidden = false;
  }
}
