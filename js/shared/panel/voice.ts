/** Says what changed to those who listen: states at once, progress now and then, with the numbers of that moment. */

import { h, setText } from "../dom";

const SPEAK_EVERY = 10_000;

export interface Voice {
  el: HTMLElement;
  /** `sentence` is asked for when it is said, which may be later. */
  say(silence: string, status: string | null, sentence: () => string): void;
  destroy(): void;
}

export function createVoice(): Voice {
  const el = h("div", { class: "eow-unseen", role: "status", "aria-live": "polite" });
  let said = "";
  let latest = () => "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const speak = () => {
    setText(el, latest());
    timer = said === "running" ? setTimeout(speak, SPEAK_EVERY) : undefined;
  };
  return {
    el,
    say(silence, status, sentence) {
      latest = sentence;
      const now = silence || status === null ? "" : status;
      if (now && now === said) return;
      said = now;
      clearTimeout(timer);
      if (now) speak();
      else setText(el, silence);
    },
    destroy: () => clearTimeout(timer),
  };
}
