/** The bar that says how many items are marked and offers to branch from them; errors stay there until the next deed. Knows no feed. */
import { button, h, setDisabled } from "../../shared/dom";
import { markedText } from "./state";

/** At most so many queries are made at once, one at each item. */
export const MOST_EACH = 50;

export interface Deeds {
  branch(): void;
  each(): void;
  queries(): void;
}

export class Bar {
  readonly element = h("div", { class: "eow-bar", role: "group", "aria-label": "Marked items", hidden: "" });
  private readonly line: HTMLElement;
  private readonly main = h("b", { class: "eow-num" });
  private readonly more = h("span", { class: "eow-bar-more" });
  private readonly error = h("div", { class: "eow-bar-error", role: "alert", hidden: "" });
  private readonly branch = button("Branch from selection", { class: "eow-main", key: "b" });
  private readonly each = button("One query each");
  private readonly queries = button("Select queries");

  constructor(deeds: Deeds, listen: (target: HTMLElement, run: () => void) => void) {
    this.branch.title = "One new query at the mean of the marked items";
    this.each.title = "A new query at each of the marked items";
    this.queries.title = "Select the queries that found the marked items";
    this.line = h("div", { class: "eow-bar-line" }, this.main, this.more, h("i", { class: "eow-push" }), this.queries, this.each, this.branch);
    this.element.append(this.line, this.error);
    listen(this.branch, deeds.branch);
    listen(this.each, deeds.each);
    listen(this.queries, deeds.queries);
  }

  show(rows: readonly number[], busy: boolean): void {
    this.element.hidden = !rows.length && this.error.hidden;
    this.line.hidden = !rows.length;
    this.main.textContent = markedText(rows);
    this.more.textContent = busy ? "Branching…" : "marked";
    this.each.hidden = rows.length < 2 || rows.length > MOST_EACH;
    for (const deed of [this.branch, this.each]) setDisabled(deed, busy || !rows.length);
  }

  fail(error: { title: string; hint: string } | null): void {
    this.error.hidden = !error;
    this.error.replaceChildren(...(error ? [h("b", {}, error.title), ` ${error.hint}`] : []));
    if (error) this.element.hidden = false;
  }
}
