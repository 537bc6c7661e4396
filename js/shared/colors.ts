/** Colour maps that colour-blind people can read, for light and dark grounds. Pure. */

export type Rgb = readonly [number, number, number];

const LIGHT = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];
const DARK = ["#7f52d6", "#7562de", "#6575e2", "#528bdb", "#3fa0cd", "#33b1b8", "#30bf9f", "#4ccb84", "#7fd765", "#bde245", "#fde725"];

/** Okabe and Ito's colours; the first is for roots and what a person asked for nothing else. */
const OPERATORS_LIGHT = ["#7b8794", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800"];
const OPERATORS_DARK = ["#9aa7b4", "#3d9be0", "#e69f00", "#1fbf92", "#e08fbd", "#7cc8f5", "#f07a2b", "#f0e442"];

export function rgb(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function stops(dark: boolean): readonly string[] {
  return dark ? DARK : LIGHT;
}

const tables = new Map<boolean, Uint8Array>();

/** 256 colours (`256 × 3`) from worst to best: viridis; on dark grounds its dark end is lifted so that it stays visible. */
export function sequential(dark: boolean): Uint8Array {
  const known = tables.get(dark);
  if (known) return known;
  const anchors = stops(dark).map(rgb);
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (anchors.length - 1);
    const low = Math.min(anchors.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) {
      const from = anchors[low]?.[c] ?? 0;
      const to = anchors[low + 1]?.[c] ?? 0;
      table[i * 3 + c] = Math.round(from + (to - from) * (at - low));
    }
  }
  tables.set(dark, table);
  return table;
}

/** Index into `sequential` of a place from 0 to 1 (not a number: 0). */
export function step(place: number): number {
  return place > 0 ? Math.min(255, Math.floor(place * 255.999)) : 0;
}

/** The colour of a place from 0 to 1, as CSS. */
export function sequentialCss(place: number, dark: boolean): string {
  const table = sequential(dark);
  const at = step(place) * 3;
  return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
}

/** The whole map as a CSS gradient, for legends. */
export function gradient(dark: boolean): string {
  return `linear-gradient(90deg, ${stops(dark).join(", ")})`;
}

/** The colour of an operator's code. */
export function categorical(code: number, dark: boolean): string {
  const list = dark ? OPERATORS_DARK : OPERATORS_LIGHT;
  return list[code % list.length] ?? "#7b8794";
}

/** Where a score stands between worst (0) and best (1) of a range. */
export function placeOf(value: number, range: readonly [number, number] | null, direction: "maximize" | "minimize"): number {
  if (!range || Number.isNaN(value)) return 0;
  const span = range[1] - range[0];
  const place = span > 0 ? (value - range[0]) / span : 0.5;
  return Math.max(0, Math.min(1, direction === "minimize" ? 1 - place : place));
}
