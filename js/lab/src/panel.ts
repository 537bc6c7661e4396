/** The side panel: every search of every running kernel. Asks only while it can be seen. */
import type { TranslationBundle } from "@jupyterlab/translation";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { Disposer } from "../../shared/disposer";
import { searchIcon } from "./icons";
import { createRow, type Row, type RowActions } from "./row";
import type { Searches } from "./searches";

export const PANEL_ID = "emb-opt-widgets-searches";

export interface PanelActions extends RowActions {
  /** Makes a notebook to begin with. */
  begin(): void;
  /** What to say of versions that do not fit, one sentence each. */
  warnings(): string[];
}

export class SearchesPanel extends Widget {
  private readonly rows = new Map<string, Row>();
  private readonly disposer = new Disposer();
  private readonly list = document.createElement("ul");
  private readonly warning = document.createElement("div");
  private readonly empty = document.createElement("div");

  constructor(
    private readonly searches: Searches,
    private readonly actions: PanelActions,
    private readonly trans: TranslationBundle,
  ) {
    super();
    this.id = PANEL_ID;
    this.title.icon = searchIcon;
    this.title.caption = trans.__("Embedding searches");
    this.addClass("eow");
    this.addClass("eow-searches");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", trans.__("Embedding searches"));
    this.build();
    searches.changed.connect(this.update, this);
    this.disposer.listen(document, "visibilitychange", () => this.follow());
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.searches.watch(false);
    this.searches.changed.disconnect(this.update, this);
    for (const row of this.rows.values()) row.destroy();
    this.disposer.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.follow();
    this.update();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.follow();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.follow();
    this.update();
  }

  protected override onBeforeDetach(message: Message): void {
    this.searches.watch(false);
    super.onBeforeDetach(message);
  }

  protected override onUpdateRequest(message: Message): void {
    super.onUpdateRequest(message);
    if (this.isVisible) this.render();
  }

  private follow(): void {
    this.searches.watch(this.isVisible && document.visibilityState === "visible");
  }

  private build(): void {
    const heading = document.createElement("h2");
    heading.className = "eow-searches-title";
    heading.textContent = this.trans.__("Embedding searches");
    this.warning.className = "eow-searches-warning";
    this.warning.setAttribute("role", "status");
    this.list.className = "eow-searches-list";
    this.list.setAttribute("aria-label", this.trans.__("Searches"));
    this.empty.className = "eow-empty";
    const words = document.createElement("p");
    words.textContent = this.trans.__("No search in any running kernel.");
    const begin = document.createElement("button");
    begin.type = "button";
    begin.className = "eow-button eow-main";
    begin.textContent = this.trans.__("New embedding search");
    this.disposer.listen(begin, "click", () => this.actions.begin());
    this.empty.append(words, begin);
    this.node.append(heading, this.warning, this.list, this.empty);
  }

  private render(): void {
    const listed = this.searches.list();
    const keys = new Set(listed.map((one) => one.key));
    for (const [key, row] of this.rows)
      if (!keys.has(key)) {
        row.destroy();
        this.rows.delete(key);
      }
    listed.forEach((one, at) => {
      let row = this.rows.get(one.key);
      if (!row) {
        row = createRow(one.key, this.actions, this.trans);
        this.rows.set(one.key, row);
      }
      row.update(one);
      if (this.list.children[at] !== row.element) this.list.insertBefore(row.element, this.list.children[at] ?? null);
    });
    this.empty.hidden = listed.length > 0;
    const warnings = this.actions.warnings().join("\n");
    if (this.warning.textContent !== warnings) this.warning.textContent = warnings;
    this.warning.hidden = !warnings;
  }
}
