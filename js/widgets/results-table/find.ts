/** The find field: asks the kernel, latest wins. */

import { Disposer, whenQuiet } from "../../shared/disposer";
import { h, setText } from "../../shared/dom";
import { count } from "../../shared/format";
import type { Feed } from "../../shared/types";

const LIMIT = 200;

export function createFind(feed: Feed, found: (rows: number[] | null) => void): { el: HTMLElement; destroy(): void } {
  const ends = new Disposer();
  const field = h("input", { class: "eow-field eow-find-field", type: "search", placeholder: "Find…", "aria-label": "Find items by id or text", maxlength: "200", spellcheck: "false", autocomplete: "off" });
  const says = h("span", { class: "eow-found eow-num", role: "status" });
  const el = h("div", { class: "eow-find", role: "search" }, says, field);
  let turn = 0;
  const look = async () => {
    const mine = ++turn;
    const text = field.value.trim();
    if (!text) {
      setText(says, "");
      return found(null);
    }
    try {
      const { data } = await feed.ask<{ rows: number[]; more: boolean }>("find", { text, limit: LIMIT });
      if (mine !== turn || ends.disposed) return;
      setText(says, data.more ? `best ${count(data.rows.length)} of more` : `${count(data.rows.length)} found`);
      found(data.rows);
    } catch (error) {
      if (mine === turn && !ends.disposed) setText(says, (error as Error).message.slice(0, 120));
    }
  };
  const soon = whenQuiet(200, () => void look());
  ends.add(soon.cancel);
  ends.listen(field, "input", () => (field.value.trim() ? soon.ask() : void look()));
  ends.listen(field, "keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape" && field.value) {
      field.value = "";
      event.preventDefault();
      void look();
    } else if (event.key === "Enter") void look();
  });
  return {
    el,
    destroy() {
      ends.dispose();
      el.remove();
    },
  };
}
