/** Calls a second, out of counts seen now and then. Pure. */

const WINDOW = 15_000;

export class Speed {
  private seen: { time: number; scored: number }[] = [];

  /** Takes a count at a time in milliseconds. */
  note(time: number, scored: number): void {
    const last = this.seen.at(-1);
    if (last && scored < last.scored) this.seen = [];
    this.seen.push({ time, scored });
    while (this.seen.length > 2 && (this.seen[1]?.time ?? time) < time - WINDOW) this.seen.shift();
  }

  /** Forgets what was before, as after a pause. */
  reset(): void {
    this.seen = [];
  }

  perSecond(): number {
    const first = this.seen[0];
    const last = this.seen.at(-1);
    if (!first || !last || last.time <= first.time) return 0;
    return ((last.scored - first.scored) * 1000) / (last.time - first.time);
  }
}
