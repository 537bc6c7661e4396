/** Collects what must be undone, and undoes it once, last first. Knows nothing of what it holds. */

export type Dispose = () => void;

export class Disposer {
  private ends: Dispose[] = [];
  private over = false;

  get disposed(): boolean {
    return this.over;
  }

  /** Keeps `end` until `dispose`; runs it at once where that has been already. */
  add(end: Dispose): void {
    if (this.over) end();
    else this.ends.push(end);
  }

  listen<K extends keyof HTMLElementEventMap>(
    target: EventTarget,
    type: K,
    listener: (event: HTMLElementEventMap[K]) => void,
    options?: AddEventListenerOptions,
  ): void;
  listen(target: EventTarget, type: string, listener: (event: Event) => void, options?: AddEventListenerOptions): void;
  listen(target: EventTarget, type: string, listener: (event: never) => void, options?: AddEventListenerOptions): void {
    const heard = listener as (event: Event) => void;
    target.addEventListener(type, heard, options);
    this.add(() => target.removeEventListener(type, heard, options));
  }

  every(milliseconds: number, task: () => void): void {
    const timer = setInterval(task, milliseconds);
    this.add(() => clearInterval(timer));
  }

  dispose(): void {
    this.over = true;
    const ends = this.ends;
    this.ends = [];
    for (const end of ends.reverse()) end();
  }
}

/** A task that runs at most once a frame, however often it is asked for. */
export function oncePerFrame(task: () => void): { ask: () => void; cancel: Dispose } {
  let frame = 0;
  const run = () => {
    frame = 0;
    task();
  };
  return {
    ask: () => {
      frame ||= requestAnimationFrame(run);
    },
    cancel: () => {
      cancelAnimationFrame(frame);
      frame = 0;
    },
  };
}

/** A task that runs `milliseconds` after it was last asked for. */
export function whenQuiet(milliseconds: number, task: () => void): { ask: () => void; cancel: Dispose } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    ask: () => {
      clearTimeout(timer);
      timer = setTimeout(task, milliseconds);
    },
    cancel: () => clearTimeout(timer),
  };
}
