/** The row above a bqplot chart as a widget; keeps the feed alive where a chart is shown alone. */

import type { WidgetModel } from "../../shared/feed";
import { widget } from "../../shared/mount";
import { releaseOnceClosed } from "./release";
import "./style.css";
import { type HeadProps, type Scale, create } from "./view";

/** The model's trait as the view wants it. */
export function scaleOf(model: WidgetModel): HeadProps["scale"] {
  return {
    get: () => (model.get("scale") as Scale | null) ?? "linear",
    set(scale) {
      model.set("scale", scale);
      model.save_changes();
    },
    subscribe(listener) {
      model.on("change:scale", listener);
      return () => model.off("change:scale", listener);
    },
  };
}

/** The model of the chart below, once there is one. */
async function figureOf(model: WidgetModel): Promise<unknown> {
  const reference = String(model.get("figure") ?? "");
  return reference.startsWith("IPY_MODEL_") ? model.widget_manager.get_model(reference.slice("IPY_MODEL_".length)) : null;
}

export default widget((el, { feed, model }) => {
  void figureOf(model).then(releaseOnceClosed, () => {});
  return create(el, { feed, chart: model.get("chart") === "trace" ? "trace" : "histogram", scale: scaleOf(model) });
});
