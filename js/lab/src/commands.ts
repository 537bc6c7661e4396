/** Ids of commands and names of settings, as the schema and the tests have them. */

export const PLUGIN = "emb_opt_widgets:searches";

export const Commands = {
  show: "emb-opt-widgets:show-searches",
  begin: "emb-opt-widgets:new-search",
  pauseAll: "emb-opt-widgets:pause-all",
  dismissAll: "emb-opt-widgets:dismiss-ended",
  dashboard: "emb-opt-widgets:open-dashboard",
} as const;

export type Told = "all" | "failures" | "none";

export interface Preferences {
  readonly interval: number;
  readonly inPalette: boolean;
  readonly notifications: Told;
}

export const DEFAULTS: Preferences = { interval: 1000, inPalette: true, notifications: "all" };

/** Settings as a person may have written them. */
export function readPreferences(given: { readonly [key: string]: unknown }): Preferences {
  const seconds = typeof given.updateInterval === "number" ? given.updateInterval : 1;
  const told = given.notifications;
  return {
    interval: Math.min(60, Math.max(1, seconds)) * 1000,
    inPalette: given.commandPalette !== false,
    notifications: told === "failures" || told === "none" ? told : "all",
  };
}
