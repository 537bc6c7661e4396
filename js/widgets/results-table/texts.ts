/** Fetches texts of the rows in sight: one request on its way, the latest wish wins. */

import { Disposer, whenQuiet } from "../../shared/disposer";
import type { Feed } from "../../shared/types";
import { Looks } from "./state";

interface Items {
  rows: number[];
  id: string[];
  text: string[];
  image: (string | null)[];
}

const CALM = 60;
const PAUSE_AFTER_ERROR = 3000;

export function createTexts(feed: Feed, wished: () => Iterable<number>, came: () => void): { looks: Looks; ask(): void; destroy(): void } {
  const ends = new Disposer();
  const looks = new Looks();
  let asking = false;
  const soon = whenQuiet(CALM, () => void fetch());
  const later = whenQuiet(PAUSE_AFTER_ERROR, soon.ask);
  ends.add(soon.cancel);
  ends.add(later.cancel);
  const fetch = async () => {
    if (asking || ends.disposed) return;
    const rows = looks.missing(wished());
    if (!rows.length) return;
    asking = true;
    try {
      const { data } = await feed.ask<Items>("items", { rows });
      if (ends.disposed) return;
      data.rows.forEach((row, i) => looks.put(row, { id: data.id[i] ?? "", text: data.text[i] ?? "", image: data.image[i] ?? null, whole: true }));
      came();
      soon.ask();
    } catch {
      if (!ends.disposed) later.ask();
    } finally {
      asking = false;
    }
  };
  return { looks, ask: soon.ask, destroy: () => ends.dispose() };
}
