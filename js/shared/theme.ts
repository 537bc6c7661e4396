/** The tokens of `tokens.css` as resolved colours, for canvas and WebGL, and word of their change. Knows only the DOM. */

import type { Dispose } from "./disposer";
import type { Rgb } from "./colors";

const NAMES = ["bg", "ink", "soft", "faint", "line", "edge", "fill", "hover", "ghost", "accent", "on-accent", "sel", "sel-fill", "ok", "warn", "bad"] as const;

export type TokenName = (typeof NAMES)[number];

export interface Theme {
  dark: boolean;
  /** The person asked for more contrast, or the system forces its colours. */
  contrast: boolean;
  reducedMotion: boolean;
  /** Each token as CSS that a canvas takes. */
  css: Readonly<Record<TokenName, string>>;
  /** Each token as red, green, blue from 0 to 255. */
  rgb: Readonly<Record<TokenName, Rgb>>;
  font: string;
  mono: string;
}

const QUERIES = ["(forced-colors: active)", "(prefers-contrast: more)", "(prefers-reduced-motion: reduce)", "(prefers-color-scheme: dark)"];

function parse(color: string): Rgb {
  const numbers = (color.match(/-?[\d.]+(?:e-?\d+)?/gi) ?? []).map(Number);
  const [r = 0, g = 0, b = 0] = color.startsWith("color(") ? numbers.map((n) => n * 255) : numbers;
  return [Math.round(r), Math.round(g), Math.round(b)];
}

function probeIn(el: HTMLElement): HTMLElement {
  const probe = document.createElement("i");
  probe.className = "eow-probe";
  probe.setAttribute("aria-hidden", "true");
  el.append(probe);
  return probe;
}

function read(probe: HTMLElement): Theme {
  const css = {} as Record<TokenName, string>;
  const rgb = {} as Record<TokenName, Rgb>;
  probe.style.transition = "none";
  for (const name of NAMES) {
    probe.style.color = `var(--eow-${name})`;
    const value = parse(getComputedStyle(probe).color);
    rgb[name] = value;
    css[name] = `rgb(${value.join(" ")})`;
  }
  probe.style.color = "";
  const style = getComputedStyle(probe);
  const [r, g, b] = rgb.bg;
  const theme = {
    dark: 0.299 * r + 0.587 * g + 0.114 * b < 128,
    contrast: matchMedia("(forced-colors: active), (prefers-contrast: more)").matches,
    reducedMotion: matchMedia("(prefers-reduced-motion: reduce)").matches,
    css,
    rgb,
    font: style.getPropertyValue("--eow-font").trim() || "sans-serif",
    mono: style.getPropertyValue("--eow-mono").trim() || "monospace",
  };
  void probe.offsetWidth;
  probe.style.transition = "";
  return theme;
}

/** The theme where `el` (inside an element of class `eow`) stands. */
export function readTheme(el: HTMLElement): Theme {
  const probe = probeIn(el);
  const theme = read(probe);
  probe.remove();
  return theme;
}

/** When a host changes its theme, its style sheets come later than its attributes; after a change we look again, in milliseconds. */
const LOOKS = [0, 100, 400, 1200];

/** Calls `look` at each of `LOOKS` after the page's attributes or style sheets changed. */
function watchHost(look: () => void): Dispose {
  let timers: ReturnType<typeof setTimeout>[] = [];
  const observer = new MutationObserver(() => {
    for (const timer of timers) clearTimeout(timer);
    timers = LOOKS.map((wait) => setTimeout(look, wait));
  });
  const attributes = { attributes: true, attributeFilter: ["class", "style", "data-jp-theme-light", "data-jp-theme-name", "data-eow-theme"] };
  observer.observe(document.documentElement, attributes);
  observer.observe(document.body, attributes);
  observer.observe(document.head, { childList: true });
  return () => {
    observer.disconnect();
    for (const timer of timers) clearTimeout(timer);
  };
}

/**
 * Tells of the theme now and of every change, whatever caused it: the host's attributes and style sheets are watched, and
 * a hidden element with a transition of 1 ms on its colours hears of new values that come by any other way.
 */
export function watchTheme(el: HTMLElement, listener: (theme: Theme) => void): Dispose {
  const probe = probeIn(el);
  let last = "";
  const look = () => {
    const theme = read(probe);
    const key = JSON.stringify(theme);
    if (key === last) return;
    last = key;
    listener(theme);
  };
  const lists = QUERIES.map((query) => matchMedia(query));
  probe.addEventListener("transitionend", look);
  for (const list of lists) list.addEventListener("change", look);
  const unwatch = watchHost(look);
  look();
  return () => {
    unwatch();
    probe.removeEventListener("transitionend", look);
    for (const list of lists) list.removeEventListener("change", look);
    probe.remove();
  };
}
