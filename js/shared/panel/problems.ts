/** What went wrong, one under the other, until each is dismissed. */

import { h } from "../dom";
import { block, line, plural } from "../format";
import type { Problem } from "./asked";

export function createProblems(dismiss: (id: number) => void): { el: HTMLElement; draw(problems: readonly Problem[]): void } {
  const rows = new Map<number, HTMLElement>();
  const count = h("p", { class: "eow-problem-count", hidden: true });
  const list = h("ul", { "aria-label": "Problems" });
  const el = h("div", { class: "eow-problems", hidden: true }, count, h("div", { role: "alert" }, list));
  const make = ({ id, title, hint }: Problem) => {
    const end = h("button", { type: "button", class: "eow-dismiss", "aria-label": "Dismiss", title: "Dismiss" }, "×");
    end.addEventListener("click", () => {
      const next = rows.get(id)?.nextElementSibling ?? rows.get(id)?.previousElementSibling;
      next?.querySelector("button")?.focus();
      dismiss(id);
    });
    return h("li", {}, h("div", {}, h("b", {}, line(title, 1000)), hint ? h("span", {}, block(hint, 2000)) : null), end);
  };
  return {
    el,
    draw(problems) {
      const wanted = new Set(problems.map((one) => one.id));
      for (const [id, row] of rows) {
        if (wanted.has(id)) continue;
        row.remove();
        rows.delete(id);
      }
      for (const problem of problems) {
        if (rows.has(problem.id)) continue;
        const row = make(problem);
        rows.set(problem.id, row);
        list.prepend(row);
      }
      el.hidden = !problems.length;
      count.hidden = problems.length < 2;
      count.textContent = plural(problems.length, "problem");
    },
  };
}
