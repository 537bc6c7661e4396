/** Search files: their kind, and a viewer that needs no kernel. The page comes from the server, and runs nothing. */
import { ABCWidgetFactory, type DocumentRegistry, DocumentModel, DocumentWidget, TextModelFactory } from "@jupyterlab/docregistry";
import type { ServerConnection } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { Disposer, whenQuiet } from "../../shared/disposer";
import { searchIcon } from "./icons";
import { isDark } from "./render";
import { type FileView, fileView } from "./server";

export const FILE_TYPE = "eow";
export const FACTORY = "Embedding search";
const MODEL = "emb-opt-widgets-file";

export const fileType: Partial<DocumentRegistry.IFileType> & { name: string } = {
  name: FILE_TYPE,
  displayName: "Embedding search",
  extensions: [".eow"],
  mimeTypes: ["application/vnd.emb-opt-widgets.search"],
  contentType: "file",
  fileFormat: "base64",
  icon: searchIcon,
};

/** JupyterLab neither saves such a document nor keeps checkpoints of it. */
class ReadOnlyModel extends DocumentModel {
  override get collaborative(): boolean {
    return true;
  }
}

/** Has JupyterLab fetch a file's facts, and not what is in it. */
export class FileModelFactory extends TextModelFactory {
  override get name(): string {
    return MODEL;
  }

  override get fileFormat(): "text" {
    return null as unknown as "text";
  }

  override createNew(): DocumentModel {
    return new ReadOnlyModel();
  }
}

export interface ViewerActions {
  resume(path: string, view: FileView): void;
}

class Viewer extends Widget {
  private readonly disposer = new Disposer();
  private readonly frame = document.createElement("iframe");
  private readonly said = document.createElement("span");
  private readonly resume = document.createElement("button");
  private readonly soon = whenQuiet(100, () => void this.load());
  private shown: FileView | null = null;
  private turn = 0;

  constructor(
    private readonly context: DocumentRegistry.Context,
    private readonly settings: ServerConnection.ISettings,
    private readonly actions: ViewerActions,
    private readonly trans: TranslationBundle,
  ) {
    super();
    this.addClass("eow");
    this.addClass("eow-viewer");
    this.build();
    context.fileChanged.connect(this.soon.ask);
    const theme = new MutationObserver(() => this.paint());
    theme.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    this.disposer.add(() => theme.disconnect());
    void context.ready.then(this.soon.ask);
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.context.fileChanged.disconnect(this.soon.ask);
    this.soon.cancel();
    this.disposer.dispose();
    super.dispose();
  }

  private build(): void {
    const tools = document.createElement("div");
    tools.className = "eow-viewer-tools";
    this.said.className = "eow-viewer-says";
    this.said.setAttribute("role", "status");
    const again = document.createElement("button");
    again.textContent = this.trans.__("Reload");
    this.resume.textContent = this.trans.__("Resume in a notebook");
    for (const button of [again, this.resume]) {
      button.type = "button";
      button.className = "eow-button";
    }
    this.resume.disabled = true;
    this.disposer.listen(again, "click", () => void this.load());
    this.disposer.listen(this.resume, "click", () => {
      if (this.shown) this.actions.resume(this.context.path, this.shown);
    });
    this.frame.className = "eow-viewer-page";
    this.frame.title = this.trans.__("The search in this file");
    this.frame.setAttribute("sandbox", "");
    this.frame.setAttribute("referrerpolicy", "no-referrer");
    tools.append(this.said, again, this.resume);
    this.node.append(tools, this.frame);
  }

  /** Shows the page in JupyterLab's colours. */
  private paint(): void {
    if (!this.shown) return;
    const scheme = isDark() ? "dark" : "light";
    this.frame.style.colorScheme = scheme;
    const root = `<html data-jp-theme-light="${scheme === "light"}" style="color-scheme:${scheme}"`;
    this.frame.srcdoc = this.shown.html.replace("<html", root);
  }

  private async load(): Promise<void> {
    if (this.isDisposed) return;
    const turn = ++this.turn;
    this.said.textContent = this.trans.__("Reading…");
    try {
      const view = await fileView(this.settings, this.context.localPath);
      if (turn !== this.turn || this.isDisposed) return;
      this.shown = view;
      this.paint();
      this.said.textContent = this.trans.__("Read-only, as the file was at %1", new Date().toLocaleTimeString());
    } catch (error) {
      if (turn !== this.turn || this.isDisposed) return;
      this.shown = null;
      this.frame.removeAttribute("srcdoc");
      this.said.textContent = error instanceof Error ? error.message : String(error);
    }
    this.resume.disabled = this.shown === null;
  }
}

export class ViewerFactory extends ABCWidgetFactory<DocumentWidget<Widget>> {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly actions: ViewerActions,
    private readonly trans: TranslationBundle,
  ) {
    super({
      name: FACTORY,
      label: trans.__("Embedding search"),
      modelName: MODEL,
      fileTypes: [FILE_TYPE],
      defaultFor: [FILE_TYPE],
      readOnly: true,
    });
  }

  protected override createNewWidget(context: DocumentRegistry.Context): DocumentWidget<Widget> {
    const content = new Viewer(context, this.settings, this.actions, this.trans);
    const widget = new DocumentWidget({ content, context });
    widget.toolbar.hide();
    widget.title.icon = searchIcon;
    return widget;
  }
}
