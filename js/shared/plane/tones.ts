/** From values to the colours of a drawing. Pure. */
import { type Rgb, categorical, rgb, sequential } from "../colors";
import type { ColorBy } from "../types";

/** Shades of a colour scale; the one after the last is for what has no value. */
export const SHADES = 48;

/** Ends of the finite values of a column; null: there are none. */
export function rangeOf(values: ArrayLike<number>, length: number): [number, number] | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < length; i++) {
    const value = values[i] as number;
    if (value < low && value > Number.NEGATIVE_INFINITY) low = value;
    if (value > high && value < Number.POSITIVE_INFINITY) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** The colours that tones point at. */
export function paletteOf(by: ColorBy | "score", dark: boolean, none: Rgb): Rgb[] {
  if (by === "operator") return Array.from({ length: 256 }, (_, code) => rgb(categorical(code, dark)));
  const table = sequential(dark);
  const shades = Array.from({ length: SHADES }, (_, i): Rgb => {
    const at = Math.round((i / (SHADES - 1)) * 255) * 3;
    return [table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0];
  });
  return [...shades, none];
}

