/** The head: state, name, calls, time left, the best, a bar. */

import { h, setAttribute, setText } from "../../shared/dom";
import type { Facts } from "../../shared/types";
import { headOf } from "./state";

export function createHead(): { el: HTMLElement; draw(facts: Facts, silence: string): void } {
  const pillText = h("span", {}, "Waiting for the kernel…");
  const pill = h("span", { class: "eow-pill", "data-tone": "soft" }, h("i", { "aria-hidden": "true" }), pillText);
  const name = h("span", { class: "eow-name" });
  const calls = h("b");
  const rest = document.createTextNode("");
  const facts = h("div", { class: "eow-facts eow-num" }, calls, rest);
  const best = h("b");
  const bestId = h("span");
  const bestBox = h("div", { class: "eow-best eow-num" }, h("span", { class: "eow-unseen" }, "Best score "), best, bestId);
  const fill = h("i");
  const bar = h("div", { class: "eow-bar", role: "progressbar", "aria-label": "Calls spent", "aria-valuemin": "0" }, fill);
  const reason = h("div", { class: "eow-reason", hidden: true });
  const el = h("div", { class: "eow-head" }, h("div", { class: "eow-who" }, pill, name), facts, bestBox, reason, bar);
  return {
    el,
    draw(now, silence) {
      const look = headOf(now);
      setText(pillText, look.pill);
      setAttribute(pill, "data-tone", look.tone);
      setText(name, look.name);
      setAttribute(name, "title", look.name);
      setText(calls, silence ? "" : look.calls);
      setText(rest, silence || look.rest);
      setAttribute(facts, "title", silence || look.calls + look.rest);
      setAttribute(facts, "data-tone", silence ? "warn" : null);
      setText(best, look.best);
      setText(bestId, look.bestId);
      setAttribute(bestBox, "title", look.bestText || null);
      setText(reason, look.reason);
      reason.hidden = !look.reason;
      setAttribute(reason, "data-tone", look.tone);
      fill.style.width = `${((look.progress ?? 0) * 100).toFixed(2)}%`;
      setAttribute(bar, "aria-valuenow", now.n_scored);
      setAttribute(bar, "aria-valuemax", now.budget);
      setAttribute(bar, "aria-valuetext", look.valueText);
    },
  };
}
