/** Where each item stands in the order of ids or of texts, which only the kernel knows: asked for while it is needed. */

import { Disposer, whenQuiet } from "../../shared/disposer";
import { numbers } from "../../shared/mirror";
import type { Feed } from "../../shared/types";
import type { SortKey } from "./state";

/** While items keep coming their places are asked for at most so often, in milliseconds. */
const PAUSE = 1500;

export interface Places {
  readonly by: SortKey | null;
  /** `(n,)` of the first items; -1: not known. */
  readonly at: Int32Array;
  /** Another one whenever they change. */
  readonly version: number;
}

export const NO_PLACES: Places = { by: null, at: new Int32Array(0), version: 0 };

export function createPlaces(feed: Feed, came: () => void): { now(): Places; want(key: SortKey, length: number): void; destroy(): void } {
  const ends = new Disposer();
  let places = NO_PLACES;
  let wanted: { key: SortKey; length: number } = { key: "score", length: 0 };
  let asking = false;
  const later = whenQuiet(PAUSE, () => void fetch());
  ends.add(later.cancel);
  const fetch = async () => {
    const { key } = wanted;
    if (asking || ends.disposed || (key !== "id" && key !== "item")) return;
    if (places.by === key && places.at.length >= wanted.length) return;
    asking = true;
    try {
      const { buffers } = await feed.ask("places", { by: key });
      if (ends.disposed) return;
      places = { by: key, at: numbers("i4", buffers[0]) as Int32Array, version: places.version + 1 };
      came();
    } catch {
      /* As it was: what is missing stands last. */
    } finally {
      asking = false;
    }
    if (wanted.key !== key) void fetch();
    else if (places.at.length < wanted.length) later.ask();
  };
  return {
    now: () => places,
    want(key, length) {
      const turned = key !== wanted.key;
      const grown = length !== wanted.length;
      wanted = { key, length };
      if (turned) void fetch();
      else if (grown && !asking) later.ask();
    },
    destroy: () => ends.dispose(),
  };
}
