/** A camera that people move: it glides, keeps still when asked, and remembers whether it still shows everything. Knows frames, not pictures. */
import { type Camera, IDENTITY, between, ease, same } from "./camera";

const GLIDE_MS = 240;

export class Eye {
  camera: Camera = IDENTITY;
  /** Nobody has moved it since it was fitted: it may follow what grows. */
  fitted = true;
  private glide: { from: Camera; to: Camera; start: number } | null = null;

  /** @param moved Asked for after every move: a frame should be drawn. */
  constructor(
    private readonly moved: () => void,
    private readonly still: () => boolean,
  ) {}

  /** Where it is, or is on its way to. */
  get goal(): Camera {
    return this.glide?.to ?? this.camera;
  }

  get gliding(): boolean {
    return this.glide !== null;
  }

  /** Jumps. */
  set(camera: Camera): void {
    this.glide = null;
    this.camera = camera;
    this.moved();
  }

  /** Glides, or jumps where motion is unwanted. */
  go(camera: Camera): void {
    if (same(camera, this.goal)) return;
    if (this.still()) return this.set(camera);
    this.glide = { from: this.camera, to: camera, start: performance.now() };
    this.moved();
  }

  /** Moves on to a time; once a frame. */
  tick(now: number): void {
    if (!this.glide) return;
    const t = Math.max(0, Math.min(1, (now - this.glide.start) / GLIDE_MS));
    this.camera = t >= 1 ? this.glide.to : between(this.glide.from, this.glide.to, ease(t));
    if (t >= 1) this.glide = null;
    this.moved();
  }
}
