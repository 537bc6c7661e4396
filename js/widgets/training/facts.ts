/** What pages know of a training: `docs/wire.md`, "A training's facts and tables". */

import type { Feed, Notice, Status } from "../../shared/types";

export const COMMANDS = ["start", "pause", "resume", "step", "stop", "use_best"] as const;

export interface TrainingFacts {
  name: string;
  status: Status;
  reason: string;
  notices: Notice[];
  step: number;
  steps: number | null;
  epoch: number;
  epochs: number | null;
  rate: number;
  eta: number | null;
  loss: number | null;
  best: { step: number; accuracy: number; k: number } | null;
  can: Record<(typeof COMMANDS)[number], boolean>;
  ks: number[];
  monitor: number;
  settings: {
    batch_size: number;
    accumulate: number;
    precision: string;
    patience: number | null;
    seed: number;
    device: string;
    lr: number | null;
    loss: string;
    pairs: number | null;
    held_out: number | null;
    parameters: number | null;
  };
  /** In the order of the numbers in `cache_ages`; `step` and `rows` null before their first look. */
  caches: { name: string; step: number | null; rows: number | null; capacity: number }[];
  file: string | null;
  trouble?: string;
}

/** The facts of a feed of kind "training"; the feed itself is the same for all live things. */
export function factsOf(feed: Feed): TrainingFacts | null {
  return feed.facts as unknown as TrainingFacts | null;
}
