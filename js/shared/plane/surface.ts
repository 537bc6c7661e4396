/** Canvases that fill an element at the screen's resolution, whatever happens to either. Knows nothing of what is drawn. */
import type { Disposer } from "../disposer";

export interface Size {
  readonly width: number;
  readonly height: number;
  /** Device pixels a CSS pixel. */
  readonly dpr: number;
}

const MOST_DPR = 2;

export class Surface {
  size: Size = { width: 0, height: 0, dpr: 1 };
  private readonly contexts: CanvasRenderingContext2D[] = [];

  constructor(
    private readonly host: HTMLElement,
    layers: number,
    private readonly resized: () => void,
    disposer: Disposer,
  ) {
    for (let i = 0; i < layers; i++) {
      const canvas = document.createElement("canvas");
      canvas.className = "eow-layer";
      canvas.setAttribute("aria-hidden", "true");
      const context = canvas.getContext("2d");
      if (!context) throw new Error("This browser draws no canvas.");
      host.append(canvas);
      this.contexts.push(context);
    }
    const observer = new ResizeObserver(() => this.measure());
    observer.observe(host);
    disposer.add(() => {
      observer.disconnect();
      for (const { canvas } of this.contexts) {
        canvas.width = canvas.height = 0;
        canvas.remove();
      }
    });
    this.measure(true);
    this.watchResolution(disposer);
  }

  /** A layer, lowest first, in CSS pixels. */
  layer(index: number): CanvasRenderingContext2D {
    return this.contexts[index] as CanvasRenderingContext2D;
  }

  clear(index: number): CanvasRenderingContext2D {
    const context = this.layer(index);
    const { width, height, dpr } = this.size;
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  private watchResolution(disposer: Disposer): void {
    let list: MediaQueryList | null = null;
    const look = () => {
      list?.removeEventListener("change", look);
      list = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
      list.addEventListener("change", look);
      this.measure();
    };
    look();
    disposer.add(() => list?.removeEventListener("change", look));
  }

  private measure(first = false): void {
    const [width, height] = [this.host.clientWidth, this.host.clientHeight];
    const dpr = Math.min(MOST_DPR, Math.max(1, devicePixelRatio));
    const { size } = this;
    if (width === size.width && height === size.height && dpr === size.dpr) return;
    this.size = { width, height, dpr };
    for (const { canvas } of this.contexts) {
      canvas.width = Math.round(width * dpr);
      canvas.height = Math.round(height * dpr);
    }
    if (!first) this.resized();
  }
}
