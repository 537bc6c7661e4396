/** A chart as SVG: axes, lines or bars, and what is read off under the pointer or with the arrow keys. Knows plots, nothing of trainings. */

import { Disposer, oncePerFrame } from "../../shared/disposer";
import { h, setAttribute, setText, uniqueId } from "../../shared/dom";
import { compact } from "../../shared/format";
import { type Line, type Plot, brief } from "./plots";
import { type Scale, band, linear, logarithmic, nearest, path } from "./scales";

const HEIGHT = 156;
const EDGE = { left: 46, right: 12, top: 10, bottom: 22 };
const BESIDE = 46;
const SVG = "http://www.w3.org/2000/svg";

type Attributes = Record<string, string | number | undefined>;

function draw(tag: string, attributes: Attributes, text?: string): SVGElement {
  const el = document.createElementNS(SVG, tag);
  for (const name in attributes) if (attributes[name] !== undefined) el.setAttribute(name, String(attributes[name]));
  if (text !== undefined) el.textContent = text;
  return el;
}

/** Where things of a plot are, in pixels. */
interface Laid {
  x: Scale;
  left: Scale;
  right: Scale | null;
  /** Of every place of `xs`. */
  px: number[];
  end: number;
}

export class Chart {
  /** For what else belongs into the row above it. */
  readonly head = h("div", { class: "eow eow-chart-head" });
  readonly el: HTMLElement;
  private readonly title = h("span", { class: "eow-chart-title", role: "heading", "aria-level": "4", id: uniqueId("eow-chart") });
  private readonly says = h("span", { class: "eow-chart-says eow-num" });
  private readonly legend = h("span", { class: "eow-key-list", "aria-hidden": "true" });
  private readonly svg = draw("svg", { "aria-hidden": "true", height: HEIGHT }) as SVGSVGElement;
  private readonly cursor = draw("g", { class: "eow-cursor" });
  private readonly empty = h("div", { class: "eow-empty" });
  private readonly card = h("div", { class: "eow-read", hidden: true, "aria-hidden": "true" });
  private readonly box = h("div", { class: "eow-plot", role: "img", tabindex: "0" }, this.empty, this.card);
  private readonly spoken = h("div", { class: "eow-unseen", role: "status", "aria-live": "polite" });
  private readonly ends = new Disposer();
  private readonly frame = oncePerFrame(() => this.render());
  private plot: Plot | null = null;
  private laid: Laid | null = null;
  private width = 0;
  private place = -1;
  private drawn = "";

  constructor() {
    this.head.append(this.title, this.says, this.legend);
    this.box.prepend(this.svg);
    this.el = h("div", { class: "eow-chart", role: "group", "aria-labelledby": this.title.id }, this.head, this.box, this.spoken);
    const size = new ResizeObserver(() => {
      this.width = this.box.clientWidth;
      this.frame.ask();
    });
    size.observe(this.box);
    this.ends.add(() => size.disconnect());
    this.ends.add(this.frame.cancel);
    for (const type of ["pointermove", "pointerdown"] as const) this.ends.listen(this.box, type, (event) => this.point(event.clientX));
    this.ends.listen(this.box, "pointerleave", () => this.show(-1));
    this.ends.listen(this.box, "blur", () => this.show(-1));
    this.ends.listen(this.box, "keydown", (event) => this.press(event));
  }

  draw(plot: Plot): void {
    this.plot = plot;
    setText(this.title, plot.title);
    setText(this.says, plot.says);
    setAttribute(this.says, "title", plot.says || null);
    setAttribute(this.box, "aria-label", `${plot.title}: ${plot.summary}`);
    setText(this.empty, plot.empty);
    this.frame.ask();
  }

  destroy(): void {
    this.ends.dispose();
    this.el.remove();
  }

  private render(): void {
    const { plot, width } = this;
    if (!plot || width < 80) return;
    const blank = !plot.xs.length || !plot.range;
    this.empty.hidden = !blank;
    this.laid = blank ? null : layout(plot, width);
    this.svg.replaceChildren();
    setAttribute(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    setAttribute(this.svg, "width", width);
    this.key(blank ? [] : plot.lines);
    if (this.laid) {
      axes(this.svg, plot, this.laid);
      shapes(this.svg, plot, this.laid);
      this.svg.append(this.cursor);
    }
    this.show(Math.min(this.place, plot.xs.length - 1));
  }

  /** What the lines are, where there are several that are not named at their ends. */
  private key(lines: readonly Line[]): void {
    const named = lines.length > 1 && !lines.some((line) => line.label) ? lines : [];
    const text = named.map((line) => `${line.name} ${line.tone}`).join();
    if (text === this.drawn) return;
    this.drawn = text;
    this.legend.replaceChildren(...named.map((line) => h("span", { "data-tone": line.tone }, h("i"), line.name)));
  }

  private point(clientX: number): void {
    if (this.laid) this.show(nearest(this.laid.px, clientX - this.box.getBoundingClientRect().left));
  }

  private press(event: KeyboardEvent): void {
    const last = (this.plot?.xs.length ?? 0) - 1;
    const from = this.place < 0 ? last + 1 : this.place;
    const far = event.shiftKey ? 10 : 1;
    const to: Record<string, number> = { ArrowLeft: from - far, ArrowRight: this.place < 0 ? 0 : from + far, Home: 0, End: last, Escape: -1 };
    const wanted = to[event.key];
    if (wanted === undefined || event.ctrlKey || event.metaKey || event.altKey || !this.laid) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(event.key === "Escape" ? -1 : Math.max(0, Math.min(last, wanted)));
    const told = this.place < 0 ? null : this.plot?.read(this.place);
    setText(this.spoken, told ? `${told.head}: ${told.rows.map((row) => row.join(" ")).join(", ")}` : "");
  }

  /** Shows what is read off at a place; −1: nothing. */
  private show(place: number): void {
    const { plot, laid } = this;
    this.place = laid && plot ? place : -1;
    this.card.hidden = this.place < 0;
    this.cursor.replaceChildren();
    if (this.place < 0 || !plot || !laid) return;
    const x = laid.px[place] ?? 0;
    this.cursor.append(draw("path", { d: `M${x.toFixed(1)} ${EDGE.top}V${HEIGHT - EDGE.bottom}` }));
    for (const line of plot.lines) {
      const y = (line.right && laid.right ? laid.right : laid.left).at(line.ys[place] ?? Number.NaN);
      if (Number.isFinite(y) && line.tone !== "raw") this.cursor.append(draw("circle", { cx: x, cy: y, r: 3.5, "data-tone": line.tone }));
    }
    const { head, rows } = plot.read(place);
    this.card.replaceChildren(h("b", {}, head), ...rows.map(([name, value]) => h("div", {}, h("span", {}, name), h("span", { class: "eow-num" }, value))));
    const beside = x + 12 + this.card.offsetWidth <= this.width ? x + 12 : x - 12 - this.card.offsetWidth;
    this.card.style.transform = `translate(${Math.max(2, beside).toFixed(0)}px, ${EDGE.top}px)`;
  }
}

function layout(plot: Plot, width: number): Laid {
  const range = plot.range ?? [0, 1];
  const beside = plot.right || plot.lines.some((line) => line.label) ? BESIDE : EDGE.right;
  const [bottom, end] = [HEIGHT - EDGE.bottom, width - beside];
  const x = linear([0, plot.until], EDGE.left, end, Math.max(3, Math.min(8, Math.floor(width / 65))));
  const [low, high] = range;
  const room = plot.bars || low === 0 ? 0 : (high - low) * 0.04;
  const left = plot.log ? logarithmic(range, bottom, EDGE.top, 5) : linear([low - room, high + room], bottom, EDGE.top, 5);
  const right = plot.right ? linear(plot.right, bottom, EDGE.top, 4) : null;
  return { x, left, right, px: plot.xs.map(x.at), end };
}

function axes(svg: SVGElement, plot: Plot, { x, left, right, end }: Laid): void {
  for (const tick of left.ticks) {
    const y = left.at(tick);
    svg.append(draw("path", { class: "eow-grid", d: `M${EDGE.left} ${y.toFixed(1)}H${end}` }));
    svg.append(draw("text", { x: EDGE.left - 6, y: y + 3.5, "text-anchor": "end" }, brief(tick)));
  }
  for (const tick of right?.ticks ?? []) svg.append(draw("text", { x: end + 6, y: (right?.at(tick) ?? 0) + 3.5, "data-tone": "second" }, brief(tick)));
  const whole = x.ticks.filter(Number.isInteger);
  for (const tick of whole) {
    const at = x.at(tick);
    svg.append(draw("text", { x: at, y: HEIGHT - 6, "text-anchor": at > end - 12 ? "end" : "middle" }, tick >= 10_000 ? compact(tick) : brief(tick)));
  }
  svg.append(draw("path", { class: "eow-grid", d: `M${EDGE.left} ${HEIGHT - EDGE.bottom}H${end}` }));
  if (plot.bars) svg.append(draw("text", { x: EDGE.left - 12, y: HEIGHT - 6, "text-anchor": "end" }, "age"));
}

function shapes(svg: SVGElement, plot: Plot, laid: Laid): void {
  const { px, left, right, x } = laid;
  const low = HEIGHT - EDGE.bottom;
  if (plot.band) svg.append(draw("path", { class: "eow-band", d: band(px, plot.band.low.map(left.at), plot.band.high.map(left.at)) }));
  if (plot.bars) {
    const bars = plot.bars.filter((bar) => bar.count > 0).map((bar) => {
      const [from, to] = [x.at(bar.low), x.at(bar.high)];
      return `M${from.toFixed(1)} ${low}V${left.at(bar.count).toFixed(1)}H${Math.max(from + 1, to - 1).toFixed(1)}V${low}Z`;
    });
    svg.append(draw("path", { class: "eow-bars", d: bars.join("") }));
  }
  for (const line of plot.lines) {
    const by = line.right && right ? right : left;
    const ys = line.ys.map(by.at);
    svg.append(draw("path", { class: "eow-line", "data-tone": line.tone, d: path(px, ys), "stroke-dasharray": line.dash ? `${Math.max(2, 8 - 3 * line.dash)} 3` : undefined }));
    if (px.length === 1) svg.append(draw("circle", { cx: px[0], cy: ys[0], r: 2.5, "data-tone": line.tone }));
  }
  labels(svg, plot, laid);
  if (plot.mark) {
    const line = plot.lines[plot.mark.line];
    svg.append(draw("circle", { class: "eow-mark", cx: px[plot.mark.at], cy: left.at(line?.ys[plot.mark.at] ?? 0), r: 4.5 }));
  }
}

/** Names at the ends of lines, pushed apart where they would touch. */
function labels(svg: SVGElement, plot: Plot, { px, left, end }: Laid): void {
  const named = plot.lines.filter((line) => line.label).map((line) => ({ line, y: left.at(line.ys.at(-1) ?? 0) })).sort((a, b) => a.y - b.y);
  let free = EDGE.top - 6;
  for (const { line, y } of named) {
    const at = Math.max(free, y);
    free = at + 12;
    svg.append(draw("text", { x: Math.min(end, px.at(-1) ?? end) + 7, y: at + 3.5, "data-tone": line.tone }, line.label));
  }
}
