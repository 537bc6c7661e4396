/**
 * What a page has asked of the kernel and has no answer to yet. Sends again what seems lost (an id takes effect once),
 * and tells when the kernel has been silent for too long. Knows nothing of models or tables.
 */

export const PATIENCE = 3000;
const LONGEST = 60_000;
const MOST_TRIES = 3;

export interface Answer {
  ok: boolean;
  error?: { title?: string; hint?: string };
}

interface Waiting {
  message: Record<string, unknown>;
  at: number;
  tries: number;
  resolve: (answer: { content: Record<string, unknown>; buffers: DataView[] }) => void;
  reject: (error: Error) => void;
}

/** A random id; `crypto.randomUUID` is missing on pages without https. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Requests {
  link = true;
  private readonly waiting = new Map<string, Waiting>();
  private hello: { at: number; wait: number; make: () => Record<string, unknown> } | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;

  constructor(
    private readonly send: (message: Record<string, unknown>) => void,
    private readonly linkChanged: (link: boolean) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Sends `message` under a new id; resolves with its answer. */
  ask(message: Record<string, unknown>): Promise<{ content: Record<string, unknown>; buffers: DataView[] }> {
    if (this.over) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      const id = newId();
      const request = { message: { ...message, id }, at: this.now(), tries: 1, resolve, reject };
      this.waiting.set(id, request);
      this.send(request.message);
      this.watch();
    });
  }

  /** Says hello, and again with growing pauses until `heard`. */
  greet(make: () => Record<string, unknown>): void {
    if (this.over || this.hello) return;
    this.hello = { at: this.now(), wait: PATIENCE, make };
    this.send(make());
    this.watch();
  }

  /** A delta came: hello has been answered. */
  heard(): void {
    if (!this.hello) return;
    this.hello = null;
    this.judge();
  }

  /** The page sleeps: nobody waits for an answer to hello. */
  sleep(): void {
    this.hello = null;
    this.judge();
  }

  /** The kernel has heard a command that takes effect later: it is neither lost nor late. */
  taken(content: Record<string, unknown>): void {
    const request = this.waiting.get(String(content.id));
    if (!request) return;
    request.at = Infinity;
    this.judge();
  }

  answered(content: Record<string, unknown>, buffers: DataView[]): void {
    const request = this.waiting.get(String(content.id));
    if (!request) return;
    this.waiting.delete(String(content.id));
    request.resolve({ content, buffers });
    for (const other of this.waiting.values()) {
      if (other.at < request.at && this.now() - other.at > PATIENCE && other.tries < MOST_TRIES) {
        other.tries++;
        this.send(other.message);
      }
    }
    this.judge();
  }

  end(): void {
    this.over = true;
    clearTimeout(this.timer);
    this.hello = null;
    for (const request of this.waiting.values()) request.reject(closed());
    this.waiting.clear();
  }

  private watch(): void {
    clearTimeout(this.timer);
    if (this.over || (!this.hello && !this.waiting.size)) return;
    this.timer = setTimeout(() => {
      this.judge();
      this.watch();
    }, 500);
  }

  private judge(): void {
    const now = this.now();
    const oldest = Math.min(...[...this.waiting.values()].map((request) => request.at), this.hello?.at ?? now, now);
    const link = now - oldest < PATIENCE;
    if (this.hello && now - this.hello.at >= this.hello.wait) {
      this.hello.wait = Math.min(LONGEST, this.hello.wait * 2 + PATIENCE);
      this.send(this.hello.make());
    }
    if (link === this.link) return;
    this.link = link;
    this.linkChanged(link);
  }
}

function closed(): Error {
  return new Error("The page was closed.");
}
