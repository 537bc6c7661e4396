/**
 * Shows a search in a notebook: the live widget while its model lives in the notebook's kernel, else the still picture
 * that came with it. JupyterLab's own renderer of widgets says "Loading widget…" for ever where there is no kernel.
 */
import type { ISessionContext } from "@jupyterlab/apputils";
import type { NotebookPanel } from "@jupyterlab/notebook";
import { type IRenderMimeRegistry, MimeModel } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { KernelMessage } from "@jupyterlab/services";
import type { Message } from "@lumino/messaging";
import { Panel, Widget } from "@lumino/widgets";
import { isFields } from "./records";
import { createStill, fit, shade } from "./still";

/** In a bundle beside the widget view and its stills: `{}`. */
export const VIEW = "application/vnd.emb-opt-widgets.view+json";
export const WIDGET = "application/vnd.jupyter.widget-view+json";

/** Tells the kernel that it may draw the picture beside a live view anew, for the notebook to keep. */
const LASTING = '__import__("emb_opt_widgets.live.display").display.lasting()';
/** Before the widget renderer, whose rank is -10. */
const RANK = -20;
const TELLING = new Set<string>(["comm_open", "comm_close"]);

export function addRenderer(panel: NotebookPanel): void {
  const rendermime = panel.content.rendermime;
  rendermime.addFactory(
    { safe: true, mimeTypes: [VIEW], createRenderer: () => new SearchView(rendermime, panel.sessionContext) },
    RANK,
  );
}

class SearchView extends Panel implements IRenderMime.IRenderer {
  private model: IRenderMime.IMimeModel | null = null;
  private live: Widget | null = null;
  private still: Widget | null = null;
  private readonly theme = new MutationObserver(() => this.withStill((frame) => shade(frame, isDark())));

  constructor(
    private readonly rendermime: IRenderMimeRegistry,
    private readonly session: ISessionContext,
  ) {
    super();
    session.kernelChanged.connect(this.refresh, this);
    session.statusChanged.connect(this.refresh, this);
    session.iopubMessage.connect(this.onMessage, this);
    this.theme.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.session.kernelChanged.disconnect(this.refresh, this);
    this.session.statusChanged.disconnect(this.refresh, this);
    this.session.iopubMessage.disconnect(this.onMessage, this);
    this.theme.disconnect();
    super.dispose();
  }

  /** A picture drawn anew (a kernel replaces it when a search comes to rest) leaves the live view alone. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const before = this.modelId();
    this.model = model;
    if (!this.live || this.modelId() !== before) this.drop();
    this.refresh();
  }

  protected override onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    this.withStill(fit);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.withStill(fit);
  }

  private withStill(then: (frame: HTMLIFrameElement) => void): void {
    const frame = this.still?.node.querySelector("iframe");
    if (frame) then(frame);
  }

  private onMessage(_: unknown, message: KernelMessage.IMessage): void {
    const type = message.header.msg_type;
    if (TELLING.has(type) || (!this.live && type === "comm_msg")) setTimeout(() => this.refresh(), 0);
  }

  private modelId(): string | null {
    const view = this.model?.data[WIDGET];
    const id = isFields(view) ? view.model_id : null;
    return typeof id === "string" && id ? id : null;
  }

  private refresh(): void {
    if (this.isDisposed || !this.model) return;
    const id = this.modelId();
    const kernel = this.session.session?.kernel;
    const lives = id !== null && this.model.trusted && kernel?.hasComm(id) === true;
    if (lives && !this.live) {
      this.drop();
      this.live = this.liveView(id);
      this.addWidget(this.live);
      kernel?.requestExecute({ code: LASTING, silent: true, store_history: false });
    } else if (!lives && !this.still) {
      this.drop();
      this.still = this.stillView();
      this.addWidget(this.still);
    }
  }

  private drop(): void {
    this.live?.dispose();
    this.still?.dispose();
    this.live = null;
    this.still = null;
  }

  /** Given a copy of the view: the renderer takes the id out of what it is given when the widget closes. */
  private liveView(id: string): Widget {
    const renderer = this.rendermime.createRenderer(WIDGET);
    const data = { [WIDGET]: { version_major: 2, version_minor: 0, model_id: id } };
    void renderer.renderModel(new MimeModel({ data, trusted: true }));
    return renderer;
  }

  private stillView(): Widget {
    const html = this.model?.data["text/html"];
    const text = this.model?.data["text/plain"];
    const widget = new Widget();
    if (html === undefined) widget.node.textContent = joined(text);
    else widget.node.append(createStill(joined(html), joined(text).slice(0, 200), isDark()));
    return widget;
  }
}

function joined(value: unknown): string {
  if (Array.isArray(value)) return value.join("");
  return typeof value === "string" ? value : "";
}

export function isDark(): boolean {
  return document.body.dataset.jpThemeLight === "false";
}
