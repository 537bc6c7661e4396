/** Where on the screen a point of a plane is. Pure: knows nothing of what is drawn, nor of events. */

/** `screen = plane * k + t`, in CSS pixels; the axes have scales of their own, and a negative one points the other way. */
export interface Camera {
  readonly kx: number;
  readonly ky: number;
  readonly tx: number;
  readonly ty: number;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export const IDENTITY: Camera = { kx: 1, ky: 1, tx: 0, ty: 0 };

export function pan(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, tx: camera.tx + dx, ty: camera.ty + dy };
}

/** Zooms by `factor` about a point of the screen, which keeps what is under it; `|kx|` stays within `limits`. */
export function zoomAt(camera: Camera, x: number, y: number, factor: number, limits: readonly [number, number]): Camera {
  const wanted = Math.abs(camera.kx) * factor;
  const kept = Math.max(limits[0], Math.min(limits[1], wanted)) / Math.abs(camera.kx);
  return {
    kx: camera.kx * kept,
    ky: camera.ky * kept,
    tx: x - (x - camera.tx) * kept,
    ty: y - (y - camera.ty) * kept,
  };
}

/** Shows `what` in the middle of `where` as large as it goes, up to the scales `most`; `equal`: both axes alike, the second one up. */
export function fit(what: Box, where: Box, most: { kx: number; ky: number }, equal = false): Camera {
  const [width, height] = [Math.max(1, where.right - where.left), Math.max(1, where.bottom - where.top)];
  const scale = (room: number, span: number, cap: number) => (span > 0 ? Math.min(cap, room / span) : cap);
  let kx = scale(width, what.right - what.left, most.kx);
  let ky = scale(height, what.bottom - what.top, most.ky);
  if (equal) [kx, ky] = [Math.min(kx, ky), -Math.min(kx, ky)];
  return {
    kx,
    ky,
    tx: (where.left + where.right) / 2 - ((what.left + what.right) / 2) * kx,
    ty: (where.top + where.bottom) / 2 - ((what.top + what.bottom) / 2) * ky,
  };
}

/** Moves the camera as little as needed for a point of the plane to lie within `where`. */
export function reveal(camera: Camera, x: number, y: number, where: Box): Camera {
  const [sx, sy] = [x * camera.kx + camera.tx, y * camera.ky + camera.ty];
  const inside = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
  return pan(camera, inside(sx, where.left, where.right) - sx, inside(sy, where.top, where.bottom) - sy);
}

/** A camera between two: `t` 0 is `from`, 1 is `to`. */
export function between(from: Camera, to: Camera, t: number): Camera {
  const mix = (a: number, b: number) => a + (b - a) * t;
  return { kx: mix(from.kx, to.kx), ky: mix(from.ky, to.ky), tx: mix(from.tx, to.tx), ty: mix(from.ty, to.ty) };
}

export function same(a: Camera, b: Camera): boolean {
  return a.kx === b.kx && a.ky === b.ky && a.tx === b.tx && a.ty === b.ty;
}

/** The part of the plane that a part of the screen shows, with `left < right` and `top < bottom`. */
export function shown(camera: Camera, screen: Box): Box {
  const x = [(screen.left - camera.tx) / camera.kx, (screen.right - camera.tx) / camera.kx].sort((a, b) => a - b);
  const y = [(screen.top - camera.ty) / camera.ky, (screen.bottom - camera.ty) / camera.ky].sort((a, b) => a - b);
  return { left: x[0] ?? 0, right: x[1] ?? 0, top: y[0] ?? 0, bottom: y[1] ?? 0 };
}

/** Slow, fast, slow. */
export function ease(t: number): number {
  return t < 0.5 ? 4 * t * t * t : 1 - (2 - 2 * t) ** 3 / 2;
}
