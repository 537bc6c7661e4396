/** What does not fit between JupyterLab's side and the kernels'. Pure. */
import type { TranslationBundle } from "@jupyterlab/translation";
import type { ServerSide } from "./server";

export interface Sides {
  /** Version of this extension. */
  readonly mine: string;
  /** What the server has; null where it does not answer, undefined where it was not asked. */
  readonly server: ServerSide | null | undefined;
  /** Versions of the package in kernels that have searches. */
  readonly kernels: ReadonlySet<string>;
  /** Notebooks whose kernels cannot be asked while they run a cell. */
  readonly tooOld: readonly string[];
}

export function warningsOf(sides: Sides, trans: TranslationBundle): string[] {
  const out: string[] = [];
  for (const version of sides.kernels)
    if (version !== sides.mine)
      out.push(trans.__("A kernel has emb_opt_widgets %1, JupyterLab has %2: pip install emb_opt_widgets==%2 in the kernel’s environment, then restart it.", version, sides.mine));
  if (sides.server === null)
    out.push(trans.__("The server does not know emb_opt_widgets, so search files cannot be shown: install it in the server’s environment."));
  if (sides.server && sides.server.version && sides.server.version !== sides.mine)
    out.push(trans.__("The server has emb_opt_widgets %1, this page %2: reload the page.", sides.server.version, sides.mine));
  if (sides.server && !sides.server.labextensions.anywidget)
    out.push(trans.__("Widgets will not show: pip install anywidget in the server’s environment, then reload."));
  for (const path of sides.tooOld)
    out.push(trans.__("The kernel of %1 runs a cell and is too old to be asked meanwhile: pip install --upgrade ipykernel debugpy.", path));
  return out;
}
