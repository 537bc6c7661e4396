/** What every `index.ts` does: takes the feed, makes the view, and gives both back when the widget goes. */

import { h } from "./dom";
import { acquireFeed, type WidgetModel } from "./feed";
import type { Feed, View } from "./types";

export interface RenderProps {
  model: WidgetModel;
  el: HTMLElement;
}

/** An anywidget definition of a view of a feed. */
export function widget(create: (el: HTMLElement, props: { feed: Feed; model: WidgetModel }) => View): { render: (props: RenderProps) => Promise<() => void> } {
  return {
    async render({ model, el }) {
      const home = h("div");
      el.append(home);
      try {
        const { feed, release } = await acquireFeed(model);
        const view = create(home, { feed, model });
        return () => {
          view.destroy();
          release();
          home.remove();
        };
      } catch (error) {
        console.error(error);
        home.className = "eow";
        home.append(h("p", { class: "eow-empty", role: "status" }, "This view has lost its search: run its cell again to see it."));
        return () => home.remove();
      }
    },
  };
}
