/**
 * The searches of every running kernel. Asks while somebody looks, and hears what kernels of open notebooks tell
 * unasked. Knows kernels and sessions, nothing of how it is shown.
 */
import type { NotebookPanel } from "@jupyterlab/notebook";
import type { Kernel, ServiceManager, Session } from "@jupyterlab/services";
import { UUID } from "@lumino/coreutils";
import type { IDisposable } from "@lumino/disposable";
import { type ISignal, Signal } from "@lumino/signaling";
import { Link } from "./link";
import { type Ears, hear, hearAlone } from "./news";
import { isOver, type News, readOverview, type SearchRecord, type Verb } from "./records";
import { Speed } from "./speed";

/** Milliseconds for a kernel to make a dashboard. */
const SLOWLY = 20_000;
/** Milliseconds for a kernel to listen again after an interrupt, and between two questions whether it does. */
const RECOVERY = 10_000;
const AGAIN = 250;
/** Milliseconds until notebooks that were open before a reload are open again. */
const SETTLED = 3000;

/** What became of a request: done, or refused with an error that its line shows; or the kernel does not hear. */
export type Heard = "done" | "refused" | "unheard";

/** One line of the panel. */
export interface Listed {
  readonly key: string;
  readonly kernel: string;
  readonly record: SearchRecord;
  readonly path: string | null;
  readonly perSecond: number;
  /** Why it is no more, null while it is. */
  readonly gone: "restarted" | "shut down" | "deleted" | null;
  readonly error: string | null;
  /** What it was asked for and has not done yet. */
  readonly asked: Verb | null;
}

/** A connection of our own that is kept for what a kernel tells. */
interface Ear {
  readonly kernel: Kernel.IKernelConnection;
  readonly end: () => void;
}

interface Asked {
  readonly link: Link;
  ear: Ear | null;
  process: string | null;
  version: string | null;
  /** When it was asked last, and is to be asked next, in milliseconds. */
  last: number;
  due: number;
  asking: boolean;
  tooOld: boolean;
}

interface Line {
  kernel: string;
  record: SearchRecord;
  gone: Listed["gone"];
  error: string | null;
  asked: Verb | null;
  /** The notebook that it was seen in last. */
  path: string | null;
  readonly speed: Speed;
}

export class Searches implements IDisposable {
  private readonly kernels = new Map<string, Asked>();
  private readonly lines = new Map<string, Line>();
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly endedSignal = new Signal<this, Listed>(this);
  private readonly dismissed = new Set<string>();
  private readonly heard = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;
  private over = false;
  /** Milliseconds between two questions to a kernel whose searches run. */
  interval = 1000;

  constructor(
    private readonly manager: ServiceManager.IManager,
    private readonly panels: () => readonly NotebookPanel[],
    /** What a line says where its kernel does not hear. */
    private readonly unheard: string,
  ) {
    manager.sessions.runningChanged.connect(this.onRunning, this);
    manager.kernels.runningChanged.connect(this.onRunning, this);
  }

  /** Something to show has changed. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** A search has ended or failed. */
  get ended(): ISignal<this, Listed> {
    return this.endedSignal;
  }

  get isDisposed(): boolean {
    return this.over;
  }

  dispose(): void {
    if (this.over) return;
    this.over = true;
    this.watch(false);
    for (const asked of this.kernels.values()) {
      asked.link.dispose();
      asked.ear?.end();
    }
    for (const end of this.heard) end();
    Signal.clearData(this);
  }

  /** All lines: those that are, in the order they were made; then those that are over or gone. */
  list(): Listed[] {
    const rank = (line: Line) => (line.gone || isOver(line.record.status) ? 1 : 0);
    return [...this.lines.values()]
      .sort((a, b) => rank(a) - rank(b) || a.record.created - b.record.created)
      .map((line) => this.listed(line));
  }

  find(key: string): Listed | null {
    const line = this.lines.get(key);
    return line ? this.listed(line) : null;
  }

  /** Versions of the package in kernels that have searches. */
  versions(): Set<string> {
    const found = [...this.kernels.values()].map((asked) => asked.version);
    return new Set(found.filter((version) => version !== null));
  }

  /** Notebooks whose kernels are too old to be asked while a cell runs. */
  tooOld(): string[] {
    return [...this.kernels].filter(([, asked]) => asked.tooOld).map(([id]) => this.pathOfKernel(id) ?? id);
  }

  /** Asks kernels regularly from now on, or no more. */
  watch(on: boolean): void {
    if (this.watching === on) return;
    this.watching = on;
    clearTimeout(this.timer);
    if (on) {
      for (const asked of this.kernels.values()) asked.due = 0;
      this.onRunning();
    } else {
      for (const asked of this.kernels.values()) asked.link.hangUp();
    }
  }

  /** Asks a search for something; what went wrong stands in its line. */
  async act(key: string, verb: Verb): Promise<Heard> {
    const line = this.lines.get(key);
    const asked = line && this.kernels.get(line.kernel);
    if (!line || !asked) return "refused";
    line.error = null;
    line.asked = verb;
    this.tell();
    const outcome = await asked.link.ask({ ask: "act", search_id: line.record.id, verb, command_id: UUID.uuid4() });
    if (outcome.kind === "answer") line.error = typeof outcome.body.error === "string" ? outcome.body.error : null;
    else line.error = this.unheard;
    if (line.error !== null) line.asked = null;
    asked.due = Math.min(asked.due, asked.last + this.interval);
    if (this.watching) this.tick();
    else asked.link.hangUp();
    this.tell();
    if (outcome.kind !== "answer") return "unheard";
    return line.error === null ? "done" : "refused";
  }

  /** Asks again once a kernel listens that was interrupted; not for what the interrupt did itself. */
  async actAfterInterrupt(key: string, verb: Verb): Promise<void> {
    const end = Date.now() + RECOVERY;
    while (Date.now() < end) {
      const line = this.lines.get(key);
      const asked = line && this.kernels.get(line.kernel);
      if (!line || !asked || line.gone) return;
      const outcome = await asked.link.ask({ ask: "overview" });
      const overview = outcome.kind === "answer" ? readOverview(outcome.body) : null;
      const record = overview?.searches.find((search) => search.id === line.record.id);
      if (record) {
        line.error = null;
        this.take(line.kernel, record);
        this.tell();
        if (record.status === "running") await this.act(key, verb);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }

  /** The widget model of a search's dashboard, in its kernel. */
  async dashboard(kernel: string, search: string): Promise<string> {
    const outcome = await this.kernel(kernel).link.ask({ ask: "dashboard", search_id: search }, SLOWLY);
    const id = outcome.kind === "answer" ? outcome.body.model_id : null;
    if (typeof id === "string") return id;
    const error = outcome.kind === "answer" ? outcome.body.error : null;
    throw new Error(typeof error === "string" ? error : "The kernel does not answer.");
  }

  /** Takes a line out of the list that is over or gone. */
  dismiss(key: string): void {
    const line = this.lines.get(key);
    if (!line || !(line.gone || isOver(line.record.status))) return;
    this.lines.delete(key);
    this.dismissed.add(key);
    this.tell();
  }

  /** Hears what a notebook's kernel tells unasked, until the notebook is closed. */
  hear(panel: NotebookPanel): void {
    const end = hear(panel, this.ears);
    this.heard.add(end);
    panel.disposed.connect(() => {
      this.heard.delete(end);
      if (!this.over) this.tell();
    });
  }

  private readonly ears: Ears = {
    news: (kernel, news) => this.takeNews(kernel, news),
    lost: (kernel) => this.lose(kernel, "restarted"),
  };

  /** Hears on of kernels that run a search while no notebook of theirs is open; tells that something has changed. */
  private tell(): void {
    for (const [id, asked] of this.kernels) {
      const wanted = this.runs(id) && !this.panelOf(id) && this.model(id) !== null;
      if (wanted && !asked.ear) {
        const kernel = this.connect(id);
        asked.ear = { kernel, end: hearAlone(kernel, this.ears) };
      } else if (!wanted && asked.ear) {
        asked.ear.end();
        asked.ear = null;
      }
    }
    this.changedSignal.emit();
  }

  private runs(kernel: string): boolean {
    for (const line of this.lines.values())
      if (line.kernel === kernel && !line.gone && line.record.status === "running") return true;
    return false;
  }

  private takeNews(kernel: string, news: News): void {
    const asked = this.kernel(kernel);
    if (asked.process && asked.process !== news.process) this.lose(kernel, "restarted");
    asked.process = news.process;
    this.take(kernel, news.search);
    asked.due = Math.min(asked.due, asked.last + this.interval);
    this.tell();
  }

  private kernel(id: string): Asked {
    const known = this.kernels.get(id);
    if (known) return known;
    const link = new Link(
      () => this.panelOf(id)?.sessionContext.session?.kernel ?? this.kernels.get(id)?.ear?.kernel ?? null,
      () => this.connect(id),
    );
    const made: Asked = { link, ear: null, process: null, version: null, last: 0, due: 0, asking: false, tooOld: false };
    this.kernels.set(id, made);
    return made;
  }

  private connect(id: string): Kernel.IKernelConnection {
    const model = this.model(id);
    if (!model) throw new Error("The kernel is gone.");
    return this.manager.kernels.connectTo({ model, handleComms: false });
  }

  /** Asks a kernel once that was there before the page and whose notebook is not open: else nobody would know of it. */
  private greet(id: string): void {
    setTimeout(() => {
      const asked = this.kernels.get(id);
      if (this.over || this.watching || !asked || asked.last || asked.process || this.panelOf(id)) return;
      void this.ask(id, asked).then(() => {
        if (!this.watching) asked.link.hangUp();
      });
    }, SETTLED);
  }

  private model(id: string): Kernel.IModel | null {
    for (const model of this.manager.kernels.running()) if (model.id === id) return model;
    return null;
  }

  panelOf(kernel: string): NotebookPanel | null {
    return this.panels().find((panel) => panel.sessionContext.session?.kernel?.id === kernel) ?? null;
  }

  private sessionOf(kernel: string): Session.IModel | null {
    for (const session of this.manager.sessions.running()) if (session.kernel?.id === kernel) return session;
    return null;
  }

  private pathOfKernel(kernel: string): string | null {
    return this.panelOf(kernel)?.context.path ?? this.sessionOf(kernel)?.path ?? null;
  }

  /** The notebook that has a search's cell; of a kernel with one notebook, that. */
  private pathOf(line: Line): string | null {
    const cell = line.record.cell;
    const home = this.panels().find(
      (panel) =>
        panel.sessionContext.session?.kernel?.id === line.kernel && panel.content.widgets.some((one) => one.model.id === cell),
    );
    line.path = home?.context.path ?? line.path ?? this.pathOfKernel(line.kernel);
    return line.path;
  }

  private onRunning(): void {
    const running = new Set<string>();
    for (const model of this.manager.kernels.running()) if (this.speaksPython(model.name)) running.add(model.id);
    for (const id of running) {
      if (this.kernels.has(id)) continue;
      this.kernel(id);
      this.greet(id);
    }
    for (const [id, asked] of this.kernels) {
      if (running.has(id)) continue;
      this.lose(id, "shut down");
      asked.link.dispose();
      asked.ear?.end();
      this.kernels.delete(id);
    }
    if (this.watching) this.tick();
    this.tell();
  }

  private speaksPython(name: string): boolean {
    const spec = this.manager.kernelspecs.specs?.kernelspecs[name];
    return spec === undefined || spec.language === "python";
  }

  private tick(): void {
    clearTimeout(this.timer);
    if (!this.watching || this.over) return;
    const now = Date.now();
    for (const [id, asked] of this.kernels) if (asked.due <= now && !asked.asking) void this.ask(id, asked);
    const next = Math.min(...[...this.kernels.values()].map((asked) => asked.due));
    this.timer = setTimeout(() => this.tick(), Math.min(this.interval, Math.max(50, next - Date.now())));
  }

  private async ask(id: string, asked: Asked): Promise<void> {
    asked.asking = true;
    asked.last = Date.now();
    const outcome = await asked.link.ask({ ask: "overview" });
    asked.asking = false;
    asked.tooOld = outcome.kind === "too old";
    if (outcome.kind === "nothing") this.lose(id, "restarted");
    const overview = outcome.kind === "answer" ? readOverview(outcome.body) : null;
    if (overview) {
      if (asked.process && asked.process !== overview.process) this.lose(id, "restarted");
      asked.process = overview.process;
      asked.version = overview.version;
      for (const search of overview.searches) this.take(id, search);
      const alive = new Set(overview.searches.map((search) => search.id));
      for (const line of this.lines.values())
        if (line.kernel === id && !alive.has(line.record.id)) line.gone ??= "deleted";
    }
    asked.due = asked.last + this.interval * this.patience(id);
    this.tell();
  }

  /** How many intervals to the next question: one while something runs; more where nothing can happen unseen. */
  private patience(kernel: string): number {
    const lines = [...this.lines.values()].filter((line) => line.kernel === kernel && !line.gone);
    if (lines.some((line) => line.record.status === "running")) return 1;
    return lines.length ? 3 : 5;
  }

  private take(kernel: string, record: SearchRecord): void {
    if (this.dismissed.has(record.id)) {
      if (isOver(record.status)) return;
      this.dismissed.delete(record.id);
    }
    const known = this.lines.get(record.id);
    const line = known ?? { kernel, record, gone: null, error: null, asked: null, path: null, speed: new Speed() };
    const went = !isOver(line.record.status);
    line.record = record;
    line.gone = null;
    if (line.asked === "resume" || record.status !== "running") line.asked = null;
    if (record.status !== "running") line.speed.reset();
    else line.speed.note(Date.now(), record.scored);
    this.lines.set(record.id, line);
    if (known && went && (record.status === "finished" || record.status === "failed")) this.endedSignal.emit(this.listed(line));
  }

  private lose(kernel: string, why: "restarted" | "shut down"): void {
    const asked = this.kernels.get(kernel);
    if (asked) asked.process = null;
    for (const line of this.lines.values()) if (line.kernel === kernel) line.gone ??= why;
    this.tell();
  }

  private listed(line: Line): Listed {
    return {
      key: line.record.id,
      kernel: line.kernel,
      record: line.record,
      path: this.pathOf(line),
      perSecond: line.gone || line.record.status !== "running" ? 0 : line.speed.perSecond(),
      gone: line.gone,
      error: line.error,
      asked: line.gone ? null : line.asked,
    };
  }
}
