/** How numbers, times and foreign text are written. Pure; English, as all labels are. */

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const DECIMALS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** `12,345`. */
export function count(value: number): string {
  return Number.isFinite(value) ? WHOLE.format(value) : "–";
}

/** So much of a unit: whole where it is, else with two decimals. */
export function amount(value: number): string {
  return Number.isInteger(value) ? count(value) : Number.isFinite(value) ? DECIMALS.format(value) : "–";
}

/** `12.3K`, where there is little room. */
export function compact(value: number): string {
  return Number.isFinite(value) ? COMPACT.format(value) : "–";
}

/** `1 query`, `2 queries`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** How many decimals tell scores of this range apart: 9.84 for 5…10, 0.8312 for 0.7…0.9. */
export function decimals(range: readonly [number, number] | null): number {
  const span = range ? Math.abs(range[1] - range[0]) : 0;
  if (!(span > 0) || !Number.isFinite(span)) return 2;
  return Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(span))));
}

/** A score with `places` decimals; very large and very small ones in powers of ten. */
export function score(value: number | null | undefined, places = 2): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-6)) return value.toExponential(3).replace("-", "−");
  return value.toFixed(size >= 1e5 ? 0 : places).replace("-", "−");
}

/** `3.2 calls/s`, or calls a minute or an hour where they are slow. */
export function rate(perSecond: number): string {
  if (!(perSecond > 0)) return "";
  if (perSecond >= 100) return `${count(perSecond)} calls/s`;
  if (perSecond >= 0.1) return `${perSecond.toFixed(1)} calls/s`;
  if (perSecond * 60 >= 0.1) return `${(perSecond * 60).toFixed(1)} calls/min`;
  return `${(perSecond * 3600).toFixed(1)} calls/h`;
}

/** `about 8 min`. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 8) return "a few seconds";
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 90 * 60) return `about ${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds < 36 * 3600) return `about ${Math.round(seconds / 3600)} h`;
  return `about ${Math.round(seconds / 86400)} days`;
}

/** Time of day of a Unix time in seconds. */
export function clock(seconds: number): string {
  return Number.isFinite(seconds) ? CLOCK.format(seconds * 1000) : "–";
}

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

function seen(character: string): string {
  if (character === "\n" || character === "\r") return "↵";
  if (character === "\t") return "→";
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
}

/**
 * Foreign text as one safe line: cut, with control and direction characters made visible.
 * Costs the same however long the text is.
 */
export function line(text: unknown, limit = 200): string {
  const whole = typeof text === "string" ? text : text === null || text === undefined ? "" : String(text);
  const part = whole.length > limit ? `${whole.slice(0, limit).replace(/[\ud800-\udbff]$/, "")}…` : whole;
  return part.replace(UNSEEN, seen);
}

/** Foreign text of several lines: like `line`, but line ends and tabs stay. */
export function block(text: unknown, limit = 4000): string {
  return String(text ?? "")
    .slice(0, limit)
    .split(/\r?\n/)
    .map((part) => part.split("\t").map((cell) => line(cell, limit)).join("\t"))
    .join("\n");
}

/** A data URL of a picture, or null: nothing else may become the `src` of an `<img>`. */
export function picture(url: unknown): string | null {
  return typeof url === "string" && /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i.test(url) ? url : null;
}
