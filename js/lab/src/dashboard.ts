/** A search's dashboard in a tab of its own: the same widget model as in its notebook. */
import { MainAreaWidget } from "@jupyterlab/apputils";
import type { IDocumentManager } from "@jupyterlab/docmanager";
import type { NotebookPanel } from "@jupyterlab/notebook";
import { MimeModel } from "@jupyterlab/rendermime";
import type { Kernel } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";
import type { Message } from "@lumino/messaging";
import { Panel, Widget } from "@lumino/widgets";
import { searchIcon } from "./icons";
import { openNotebook } from "./notebooks";
import { WIDGET } from "./render";
import type { Searches } from "./searches";

const PATIENCE = 10_000;

/** What a tab is made again from after a reload. */
export interface DashboardPlace {
  readonly key: string;
  readonly path: string;
  readonly name: string;
}

export class DashboardTab extends MainAreaWidget<Panel> {
  private readonly said = new Widget();
  private view: Widget | null = null;
  private begun = false;
  private onSeen: (() => void) | null = null;

  constructor(
    readonly place: DashboardPlace,
    private readonly searches: Searches,
    private readonly documents: IDocumentManager,
    private readonly trans: TranslationBundle,
  ) {
    super({ content: new Panel() });
    this.id = `emb-opt-widgets-dashboard-${place.key}`;
    this.title.label = place.name;
    this.title.caption = trans.__("Dashboard of %1, of %2", place.name, place.path);
    this.title.icon = searchIcon;
    this.title.closable = true;
    this.content.addClass("eow-dashboard-tab");
    this.said.addClass("eow");
    this.said.addClass("eow-empty");
    this.content.addWidget(this.said);
    this.toolbar.hide();
    this.say(trans.__("Opening the dashboard…"));
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) this.begin();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.begin();
    this.onSeen?.();
    this.onSeen = null;
  }

  /** Not before it is seen: drawings need a size, and a page with many tabs is to open fast. */
  private begin(): void {
    if (!this.begun) void this.fill();
    this.begun = true;
  }

  private async fill(): Promise<void> {
    try {
      const panel = await openNotebook(this.documents, this.place.path, false);
      if (!panel) throw new Error(this.trans.__("Its notebook cannot be opened."));
      await panel.sessionContext.ready;
      const kernel = panel.sessionContext.session?.kernel;
      if (!kernel) throw new Error(this.trans.__("Its notebook has no kernel."));
      const model = await this.searches.dashboard(kernel.id, this.place.key);
      await known(kernel, model);
      if (!this.isVisible) await new Promise<void>((seen) => (this.onSeen = seen));
      if (!this.isDisposed) this.show_(panel, kernel, model);
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  private show_(panel: NotebookPanel, kernel: Kernel.IKernelConnection, model: string): void {
    const renderer = panel.content.rendermime.createRenderer(WIDGET);
    const data = { [WIDGET]: { version_major: 2, version_minor: 0, model_id: model } };
    void renderer.renderModel(new MimeModel({ data, trusted: true }));
    this.view = renderer;
    this.said.hide();
    this.content.addWidget(renderer);
    const lost = (_: unknown, status: Kernel.Status) => {
      if (status === "restarting" || status === "autorestarting" || status === "dead")
        this.say(this.trans.__("The kernel was restarted; this search is gone."));
    };
    const closed = () => this.say(this.trans.__("Its notebook was closed. Open the dashboard again from the panel."));
    const ended = () =>
      setTimeout(() => {
        if (!panel.isDisposed) this.say(this.trans.__("The kernel was shut down; this search is gone."));
      });
    kernel.statusChanged.connect(lost);
    kernel.disposed.connect(ended);
    panel.disposed.connect(closed);
    renderer.disposed.connect(() => {
      kernel.statusChanged.disconnect(lost);
      kernel.disposed.disconnect(ended);
      panel.disposed.disconnect(closed);
    });
  }

  private say(text: string): void {
    if (this.isDisposed) return;
    this.view?.dispose();
    this.view = null;
    this.said.node.textContent = text;
    this.said.show();
  }
}

/** Waits until a kernel's connection knows a comm. */
async function known(kernel: Kernel.IKernelConnection, comm: string): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!kernel.hasComm(comm)) {
    if (Date.now() > end) throw new Error("The dashboard did not come from the kernel.");
    await new Promise((done) => setTimeout(done, 50));
  }
}
