/** Very many small marks and lines, drawn by hand into pixels: where a canvas would need a path each. Knows no canvas until asked for a picture. */

/** One colour as the pixel that a little-endian `ImageData` holds. */
export function pixelOf(red: number, green: number, blue: number, alpha = 255): number {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Half widths of the rows of a disc, from its middle down: `[2, 2, 1]` is 5 pixels wide and 5 high. */
export function discRows(radius: number): Int32Array {
  const rows = Math.max(0, Math.floor(radius));
  return Int32Array.from({ length: rows + 1 }, (_, y) => Math.floor(Math.sqrt(Math.max(0, radius * radius - y * y))));
}

/** Pixels beyond which a picture is drawn coarser than the screen, and enlarged. */
const MOST_PIXELS = 1_600_000;

export class Raster {
  width = 0;
  height = 0;
  pixels = new Uint32Array(0);
  private ink = new Float32Array(0);
  private bytes = new Uint8ClampedArray(0);
  private coarse: HTMLCanvasElement | null = null;

  resize(width: number, height: number): void {
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    const buffer = new ArrayBuffer(width * height * 4);
    this.pixels = new Uint32Array(buffer);
    this.bytes = new Uint8ClampedArray(buffer);
    this.ink = new Float32Array(width * height);
  }

  /** Takes the size for so many CSS pixels; returns its own pixels to each. */
  cover(width: number, height: number, dpr: number): number {
    const scale = Math.min(dpr, Math.max(1, Math.sqrt(MOST_PIXELS / (width * height))));
    this.resize(Math.round(width * scale), Math.round(height * scale));
    return scale;
  }

  clear(): void {
    this.pixels.fill(0);
    this.ink.fill(0);
  }

  /** A disc about a pixel, over what is there; what lies outside is cut off. */
  disc(x: number, y: number, rows: Int32Array, pixel: number): void {
    const { width, height, pixels } = this;
    const cx = Math.round(x);
    const cy = Math.round(y);
    const last = rows.length - 1;
    if (!(cx >= -last && cy >= -last && cx < width + last && cy < height + last)) return;
    for (let dy = -last; dy <= last; dy++) {
      const py = cy + dy;
      if (py < 0 || py >= height) continue;
      const half = rows[dy < 0 ? -dy : dy] as number;
      const from = Math.max(0, cx - half);
      const to = Math.min(width - 1, cx + half);
      for (let at = py * width + from, end = py * width + to; at <= end; at++) pixels[at] = pixel;
    }
  }

  /** Adds to the ink along a line, as long as it is on the picture. */
  line(x0: number, y0: number, x1: number, y1: number, amount: number): void {
    const { width, height, ink } = this;
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0))));
    const [dx, dy] = [(x1 - x0) / steps, (y1 - y0) / steps];
    let from = 0;
    let to = steps;
    [from, to] = within(x0, dx, width - 1, from, to);
    [from, to] = within(y0, dy, height - 1, from, to);
    let x = x0 + dx * from + 0.5;
    let y = y0 + dy * from + 0.5;
    for (let i = from; i <= to; i++, x += dx, y += dy) {
      const at = (y | 0) * width + (x | 0);
      ink[at] = (ink[at] as number) + amount;
    }
  }

  /** Turns ink into one colour, denser where there is more of it, under nothing that is drawn already. */
  develop(red: number, green: number, blue: number, strength = 0.55, most = 190): void {
    const { ink, pixels } = this;
    const base = pixelOf(red, green, blue, 0);
    const shades = Uint32Array.from({ length: 256 }, (_, i) => (base | (Math.round(most * (1 - Math.exp((-strength * i) / 8))) << 24)) >>> 0);
    for (let i = 0; i < ink.length; i++) {
      const amount = ink[i] as number;
      if (amount > 0) pixels[i] = shades[Math.min(255, Math.ceil(amount * 8))] as number;
    }
  }

  /** Puts the picture in place of what is on a canvas. */
  replace(context: CanvasRenderingContext2D): void {
    const { canvas } = context;
    const picture = new ImageData(this.bytes, this.width, this.height);
    if (this.width === canvas.width && this.height === canvas.height) return context.putImageData(picture, 0, 0);
    this.coarse ??= document.createElement("canvas");
    [this.coarse.width, this.coarse.height] = [this.width, this.height];
    this.coarse.getContext("2d")?.putImageData(picture, 0, 0);
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(this.coarse, 0, 0, canvas.width, canvas.height);
    context.restore();
  }
}

/** The steps from `from` to `to` whose place `start + d * step` lies in `0…last`. */
function within(start: number, d: number, last: number, from: number, to: number): [number, number] {
  if (Math.abs(d) < 1e-12) return start >= -0.5 && start < last + 0.5 ? [from, to] : [1, 0];
  const [a, b] = [(-0.49 - start) / d, (last + 0.49 - start) / d];
  return [Math.max(from, Math.ceil(Math.min(a, b))), Math.min(to, Math.floor(Math.max(a, b)))];
}
