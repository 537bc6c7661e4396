/** Buttons that move the view. */
import { h } from "../dom";

const ICONS = {
  closer: "M8 3v10M3 8h10",
  farther: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  tidy: "M2.5 8h3l3-4.5h5M5.5 8h8M5.5 8l3 4.5h5",
  lasso: "M8 2.5c3.2 0 5.5 1.7 5.5 4s-2.3 4-5.5 4-5.5-1.7-5.5-4 2.3-4 5.5-4M5 10c-1.6.8-1.4 3 .3 3 1.5 0 1.2-1.6 0-1.6",
} as const;

export type Tool = keyof typeof ICONS;

const NAMES: Record<Tool, [string, string]> = {
  closer: ["Zoom in", "+"],
  farther: ["Zoom out", "-"],
  fit: ["Fit", "f"],
  tidy: ["Tidy up", "t"],
  lasso: ["Lasso", "l"],
};

export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export function toolbox<T extends Tool>(tools: readonly T[], listen: (target: HTMLElement, run: () => void) => void, use: (tool: T) => void): HTMLElement {
  const box = h("div", { class: "eow-tools", role: "group", "aria-label": "View" });
  for (const tool of tools) {
    const [name, key] = NAMES[tool];
    const made = h("button", { type: "button", "aria-label": name, "aria-keyshortcuts": key, title: `${name} (${key})` });
    made.append(icon(ICONS[tool]));
    made.dataset.tool = tool;
    listen(made, () => use(tool));
    box.append(made);
  }
  return box;
}
