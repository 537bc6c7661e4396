/** Opening notebooks: at a cell, or a new one. */
import type { IDocumentManager } from "@jupyterlab/docmanager";
import { NotebookPanel } from "@jupyterlab/notebook";
import type { ServiceManager } from "@jupyterlab/services";
import type { JSONObject } from "@lumino/coreutils";
import type { Kernelspec } from "./starter";

/** The panel of a notebook, opened where it is not; null where it cannot be. */
export async function openNotebook(documents: IDocumentManager, path: string, activate: boolean): Promise<NotebookPanel | null> {
  const found = documents.findWidget(path, "Notebook");
  const widget = found ?? documents.open(path, "Notebook", undefined, { activate });
  if (found && activate) documents.openOrReveal(path, "Notebook");
  if (!(widget instanceof NotebookPanel)) return null;
  await widget.context.ready;
  await widget.revealed;
  return widget;
}

/** Shows a cell of a notebook, where it has such a one. */
export function revealCell(panel: NotebookPanel, cell: string | null): void {
  const at = panel.content.widgets.findIndex((one) => one.model.id === cell);
  if (at < 0) return;
  panel.content.activeCellIndex = at;
  panel.content.mode = "command";
  void panel.content.scrollToItem(at, "smart");
}

export function pythonKernel(services: ServiceManager.IManager): Kernelspec {
  const specs = services.kernelspecs.specs;
  const known = Object.values(specs?.kernelspecs ?? {}).filter((spec) => spec?.language === "python");
  const spec = known.find((one) => one?.name === specs?.default) ?? known[0];
  return { name: spec?.name ?? "python3", display: spec?.display_name ?? "Python 3" };
}

/** Makes a notebook in a folder, and opens it. */
export async function createNotebook(documents: IDocumentManager, folder: string, content: JSONObject): Promise<NotebookPanel | null> {
  const contents = documents.services.contents;
  const made = await contents.newUntitled({ path: folder, type: "notebook" });
  await contents.save(made.path, { type: "notebook", format: "json", content });
  return openNotebook(documents, made.path, true);
}
