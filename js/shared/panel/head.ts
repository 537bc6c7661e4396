/** The head of a panel: state, name, what was spent, time left, the best, a bar. Knows how it looks, not what it means. */

import { h, setAttribute, setText } from "../dom";
import type { Status } from "../types";

export interface HeadLook {
  pill: string;
  tone: "ok" | "warn" | "bad" | "soft" | "accent";
  name: string;
  /** What was spent, large; the rest of the line after it. */
  spent: string;
  rest: string;
  /** Why it stands as it does: at the end of the line, so that nothing moves; a failure's in full below. */
  reason: string;
  best: string;
  bestId: string;
  bestText: string;
  /** From 0 to 1, or null without a goal. */
  progress: number | null;
  now: number;
  goal: number | null;
  valueText: string;
}

export const TONES: Record<Status, HeadLook["tone"]> = { ready: "soft", running: "ok", paused: "warn", finished: "accent", stopped: "soft", failed: "bad" };

/** `best` and `bar`: what the best and the bar are called for those who listen. */
export function createHead(labels: { best: string; bar: string }): { el: HTMLElement; draw(look: HeadLook, silence: string): void } {
  const pillText = h("span", {}, "Waiting for the kernel…");
  const pill = h("span", { class: "eow-pill", "data-tone": "soft" }, h("i", { "aria-hidden": "true" }), pillText);
  const name = h("span", { class: "eow-name" });
  const spent = h("b");
  const rest = document.createTextNode("");
  const why = h("span");
  const facts = h("div", { class: "eow-facts eow-num" }, spent, rest, why);
  const best = h("b");
  const bestId = h("span");
  const bestBox = h("div", { class: "eow-best eow-num" }, h("span", { class: "eow-unseen" }, `${labels.best} `), best, bestId);
  const fill = h("i");
  const bar = h("div", { class: "eow-bar", role: "progressbar", "aria-label": labels.bar, "aria-valuemin": "0" }, fill);
  const reason = h("div", { class: "eow-reason", hidden: true });
  const el = h("div", { class: "eow-head" }, h("div", { class: "eow-who" }, pill, name), facts, bestBox, reason, bar);
  return {
    el,
    draw(look, silence) {
      setText(pillText, look.pill);
      setAttribute(pill, "data-tone", look.tone);
      setText(name, look.name);
      setAttribute(name, "title", look.name);
      setText(spent, silence ? "" : look.spent);
      setText(rest, silence || look.rest);
      const failed = look.tone === "bad";
      const said = silence || failed || !look.reason ? "" : ` · ${look.reason}`;
      setText(why, said);
      setAttribute(facts, "title", silence || look.spent + look.rest + said);
      setAttribute(facts, "data-tone", silence ? "warn" : null);
      setText(best, look.best);
      setText(bestId, look.bestId);
      setAttribute(bestBox, "title", look.bestText || null);
      setText(reason, look.reason);
      reason.hidden = !failed || !look.reason;
      setAttribute(reason, "data-tone", look.tone);
      fill.style.width = `${((look.progress ?? 0) * 100).toFixed(2)}%`;
      setAttribute(bar, "aria-valuenow", look.now);
      setAttribute(bar, "aria-valuemax", look.goal);
      setAttribute(bar, "aria-valuetext", look.valueText);
    },
  };
}
