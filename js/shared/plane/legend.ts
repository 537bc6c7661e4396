/** What the colours mean, in a corner above the drawing. Knows no feed. */
import { categorical, gradient } from "../colors";
import { h } from "../dom";
import { decimals, line, score } from "../format";
import type { ColorBy } from "../types";

const MOST_NAMES = 6;

export interface Scale {
  readonly by: ColorBy | "score";
  readonly ends: readonly [number, number] | null;
  /** Names of the operators by code, and the codes that are in the tree. */
  readonly operators: readonly string[];
  readonly present: readonly number[];
  readonly dark: boolean;
}

const TITLES: Record<ColorBy | "score", string> = {
  score: "Colour: an item’s score",
  max: "Colour: a query’s best score",
  mean: "Colour: the mean score of a query’s items",
  round: "Colour: the round",
  operator: "Colour: what made the query",
};

export function paintLegend(element: HTMLElement, scale: Scale): void {
  const { by, ends, dark } = scale;
  element.title = TITLES[by];
  if (by === "operator") {
    element.replaceChildren(...names(scale));
    return;
  }
  if (!ends) {
    element.replaceChildren();
    return;
  }
  const places = by === "round" ? 0 : Math.max(1, decimals([Math.min(...ends), Math.max(...ends)]) - 1);
  const strip = h("i", { class: "eow-strip" });
  strip.style.background = gradient(dark);
  const [from, to] = endTexts(ends, places);
  element.replaceChildren(from, strip, to);
}

/** The ends of a scale, with as many decimals more as it takes to tell them apart. */
export function endTexts(ends: readonly [number, number], places: number): [string, string] {
  const texts = (digits: number): [string, string] => [score(ends[0], digits), score(ends[1], digits)];
  let digits = places;
  while (digits < 8 && ends[0] !== ends[1] && texts(digits)[0] === texts(digits)[1]) digits++;
  return texts(digits);
}

function names({ operators, present, dark }: Scale): HTMLElement[] {
  const shown = present.slice(0, MOST_NAMES).map((code) => {
    const dot = h("i", { class: "eow-dot" });
    dot.style.background = categorical(code, dark);
    return h("span", { class: "eow-name" }, dot, line(operators[code] ?? `operator ${code}`, 18));
  });
  const rest = present.length - MOST_NAMES;
  return rest > 0 ? [...shown, h("span", {}, `+${rest}`)] : shown;
}
