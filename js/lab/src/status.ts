/** The status bar's line: how many searches run, and how far they are together. */
import type { TranslationBundle } from "@jupyterlab/translation";
import { type ISignal, Signal } from "@lumino/signaling";
import { Widget } from "@lumino/widgets";
import { Disposer } from "../../shared/disposer";
import { plural } from "../../shared/format";
import type { Listed, Searches } from "./searches";

/** Running searches, and the part of their budgets that is spent; null where none has a budget. */
export function progress(listed: readonly Listed[]): { running: number; part: number | null } {
  const running = listed.filter((one) => !one.gone && one.record.status === "running");
  let spent = 0;
  let budget = 0;
  for (const { record } of running) {
    if (record.budget === null) continue;
    spent += Math.min(1, record.spent / Math.max(record.budget, 1e-9));
    budget += 1;
  }
  return { running: running.length, part: budget > 0 ? spent / budget : null };
}

export class StatusItem extends Widget {
  private readonly disposer = new Disposer();
  private readonly button = document.createElement("button");
  private readonly activeSignal = new Signal<this, void>(this);

  constructor(
    private readonly searches: Searches,
    onClick: () => void,
    private readonly trans: TranslationBundle,
  ) {
    super();
    this.addClass("eow-status");
    this.button.type = "button";
    this.button.className = "eow-status-button";
    this.button.title = trans.__("Show embedding searches");
    this.node.append(this.button);
    this.disposer.listen(this.button, "click", onClick);
    searches.changed.connect(this.refresh, this);
    this.refresh();
  }

  get activeChanged(): ISignal<this, void> {
    return this.activeSignal;
  }

  isActive(): boolean {
    return progress(this.searches.list()).running > 0;
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.searches.changed.disconnect(this.refresh, this);
    this.disposer.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  private refresh(): void {
    const { running, part } = progress(this.searches.list());
    const percent = part === null ? "" : ` · ${Math.floor(part * 100)} %`;
    const text = running ? this.trans.__("%1 running%2", plural(running, "search", "searches"), percent) : "";
    if (this.button.textContent !== text) this.button.textContent = text;
    this.activeSignal.emit();
  }
}
