/** Says what changed to those who listen: states at once, progress now and then. */

import { h, setText } from "../dom";

const SPEAK_EVERY = 10_000;

export function createVoice(): { el: HTMLElement; say(silence: string, status: string | null, sentence: () => string): void } {
  const el = h("div", { class: "eow-unseen", role: "status", "aria-live": "polite" });
  const said = { at: Number.NEGATIVE_INFINITY, status: "" };
  return {
    el,
    say(silence, status, sentence) {
      if (silence || status === null) {
        said.status = "";
        return setText(el, silence);
      }
      const now = performance.now();
      if (status === said.status && (status !== "running" || now - said.at < SPEAK_EVERY)) return;
      Object.assign(said, { at: now, status });
      setText(el, sentence());
    },
  };
}
