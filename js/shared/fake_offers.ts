/** What a made-up search offers under Settings. */

import type { Strategy } from "./types";

export const UPDATES: Strategy[] = [
  {
    name: "portfolio", title: "Portfolio (default)",
    parameters: [
      { name: "n_active", type: "int", default: 9, doc: "How many queries are looked at in a round." },
      { name: "explore", type: "float", default: 0.15, doc: "Share of calls spent away from the best." },
      { name: "dry", type: "bool", default: false, doc: "Look further away where nothing new is found." },
    ],
  },
  {
    name: "rl", title: "RLUpdate",
    parameters: [
      { name: "lrs", type: "floats", default: [0.05, 0.1, 0.2], doc: "Step sizes: one new query for each." },
      { name: "distance_penalty", type: "float", default: 0, doc: "How much to stay near the query." },
      { name: "advantage", type: "choice", default: "norm", choices: ["norm", "center", "rank"], doc: "How scores become weights." },
    ],
  },
];

export const PRUNES: Strategy[] = [{ name: "topk", title: "TopKPrune", parameters: [{ name: "k", type: "int", default: 9, doc: "Queries that stay." }] }];
