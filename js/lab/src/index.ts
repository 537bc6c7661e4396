/** Embedding searches in JupyterLab: the panel, dashboards in tabs, search files, and how to get at them. */
import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { Dialog, ICommandPalette, Notification, showDialog, showErrorMessage, WidgetTracker } from "@jupyterlab/apputils";
import { IDocumentManager } from "@jupyterlab/docmanager";
import type { DocumentWidget } from "@jupyterlab/docregistry";
import { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { KernelAPI } from "@jupyterlab/services";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStatusBar } from "@jupyterlab/statusbar";
import { ITranslator, nullTranslator, type TranslationBundle } from "@jupyterlab/translation";
import type { IDisposable } from "@lumino/disposable";
import { version } from "../package.json";
import { Commands, DEFAULTS, PLUGIN, type Preferences, readPreferences } from "./commands";
import { type DashboardPlace, DashboardTab } from "./dashboard";
import { FACTORY, fileType, FileModelFactory, ViewerFactory } from "./files";
import { searchIcon } from "./icons";
import { createNotebook, openNotebook, pythonKernel, revealCell } from "./notebooks";
import { PANEL_ID, SearchesPanel } from "./panel";
import type { Verb } from "./records";
import { addRenderer } from "./render";
import { Searches } from "./searches";
import { type ServerSide, serverSide } from "./server";
import { newSearch, resumeSearch } from "./starter";
import { StatusItem } from "./status";
import { warningsOf } from "./warnings";

interface Parts {
  readonly app: JupyterFrontEnd;
  readonly documents: IDocumentManager;
  readonly notebooks: INotebookTracker;
  readonly searches: Searches;
  readonly trans: TranslationBundle;
  readonly tabs: WidgetTracker<DashboardTab>;
  readonly folder: () => string;
  preferences: Preferences;
  server: ServerSide | null | undefined;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "Embedding searches: a panel, dashboards in tabs, search files",
  autoStart: true,
  requires: [IDocumentManager, INotebookTracker],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, ILauncher, ISettingRegistry, IStatusBar, ITranslator, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    notebooks: INotebookTracker,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    settings: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null,
    browser: IDefaultFileBrowser | null,
  ) => {
    const start = performance.now();
    const open = () => [...panelsOf(notebooks)];
    const trans = (translator ?? nullTranslator).load("emb_opt_widgets");
    const parts: Parts = {
      app,
      documents,
      notebooks,
      searches: new Searches(app.serviceManager, open, trans.__("The kernel runs a cell and does not hear.")),
      trans,
      tabs: new WidgetTracker<DashboardTab>({ namespace: "emb-opt-widgets-dashboards" }),
      folder: () => browser?.model.path ?? "",
      preferences: DEFAULTS,
      server: undefined,
    };
    followNotebooks(parts);
    const panel = addPanel(parts, shell, restorer);
    addCommands(parts, panel);
    addFiles(parts, restorer);
    launcher?.add({ command: Commands.begin, category: "Other", rank: 1 });
    if (statusBar) addStatus(parts, statusBar);
    addNotices(parts);
    followSettings(parts, settings, palette);
    if (restorer)
      void restorer.restore(parts.tabs, {
        command: Commands.dashboard,
        args: (tab) => ({ ...tab.place }),
        name: (tab) => tab.place.key,
      });
    performance.measure(PLUGIN, { start });
  },
};

function* panelsOf(notebooks: INotebookTracker): Iterable<NotebookPanel> {
  const found: NotebookPanel[] = [];
  notebooks.forEach((panel) => found.push(panel));
  yield* found;
}

function followNotebooks({ notebooks, searches }: Parts): void {
  const meet = (panel: NotebookPanel) => {
    addRenderer(panel);
    searches.hear(panel);
  };
  notebooks.forEach(meet);
  notebooks.widgetAdded.connect((_, panel) => meet(panel));
}

function addPanel(parts: Parts, shell: ILabShell | null, restorer: ILayoutRestorer | null): SearchesPanel {
  const { app, searches, trans } = parts;
  const panel = new SearchesPanel(
    searches,
    {
      act: (key, verb) => void act(parts, key, verb),
      reveal: (key) => void reveal(parts, key),
      dashboard: (key) => openDashboard(parts, key),
      dismiss: (key) => searches.dismiss(key),
      begin: () => void app.commands.execute(Commands.begin),
      warnings: () => {
        if (parts.server === undefined) void learnOfServer(parts);
        return warningsOf({ mine: version, server: parts.server, kernels: searches.versions(), tooOld: searches.tooOld() }, trans);
      },
    },
    trans,
  );
  app.shell.add(panel, "left", { rank: 350 });
  if (shell) restorer?.add(panel, PANEL_ID);
  return panel;
}

let learning = false;

async function learnOfServer(parts: Parts): Promise<void> {
  if (learning) return;
  learning = true;
  parts.server = await serverSide(parts.app.serviceManager.serverSettings);
}

async function act(parts: Parts, key: string, verb: Verb): Promise<void> {
  const { searches, trans } = parts;
  const heard = await searches.act(key, verb);
  const listed = searches.find(key);
  if (heard !== "unheard" || !listed || (verb !== "pause" && verb !== "stop")) return;
  const answer = await showDialog({
    title: trans.__("The kernel of %1 does not answer", listed.path ?? listed.record.name),
    body: trans.__(
      "It runs a cell, and cannot be asked meanwhile. Interrupt that cell? What it computes is lost; of the search “%1” nothing is, and the %2 follows at once.",
      listed.record.name,
      verb,
    ),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__("Interrupt") })],
  });
  if (!answer.button.accept) return;
  await KernelAPI.interruptKernel(listed.kernel, parts.app.serviceManager.serverSettings);
  await searches.actAfterInterrupt(key, verb);
}

async function reveal(parts: Parts, key: string): Promise<void> {
  const listed = parts.searches.find(key);
  if (!listed?.path) return;
  const panel = await openNotebook(parts.documents, listed.path, true);
  if (panel) revealCell(panel, listed.record.cell);
}

function openDashboard(parts: Parts, key: string): void {
  const listed = parts.searches.find(key);
  if (!listed?.path || listed.gone) return;
  const place: DashboardPlace = { key, path: listed.path, name: listed.record.name };
  void parts.app.commands.execute(Commands.dashboard, { ...place });
}

function addCommands(parts: Parts, panel: SearchesPanel): void {
  const { app, searches, trans, documents } = parts;
  app.commands.addCommand(Commands.show, {
    label: trans.__("Show Embedding Searches"),
    execute: () => app.shell.activateById(panel.id),
  });
  app.commands.addCommand(Commands.begin, {
    label: (args) => (args.isPalette ? trans.__("New Embedding Search") : trans.__("New embedding search")),
    caption: trans.__("A notebook with a search that runs"),
    icon: (args) => (args.isPalette ? undefined : searchIcon),
    execute: async (args) => {
      const folder = typeof args.cwd === "string" ? args.cwd : parts.folder();
      await createNotebook(documents, folder, newSearch(pythonKernel(app.serviceManager)));
    },
  });
  app.commands.addCommand(Commands.pauseAll, {
    label: trans.__("Pause All Embedding Searches"),
    execute: async () => {
      const running = searches.list().filter((one) => !one.gone && one.record.can.includes("pause"));
      await Promise.all(running.map((one) => searches.act(one.key, "pause")));
    },
  });
  app.commands.addCommand(Commands.dismissAll, {
    label: trans.__("Dismiss Ended Embedding Searches"),
    execute: () => {
      for (const one of searches.list()) searches.dismiss(one.key);
    },
  });
  app.commands.addCommand(Commands.dashboard, {
    label: trans.__("Open an Embedding Search’s Dashboard"),
    execute: (args) => {
      const { key, path, name } = args;
      if (typeof key !== "string" || typeof path !== "string") return;
      const shown = parts.tabs.find((tab) => tab.place.key === key);
      const tab = shown ?? new DashboardTab({ key, path, name: typeof name === "string" ? name : key }, searches, documents, trans);
      if (!shown) {
        app.shell.add(tab, "main");
        void parts.tabs.add(tab);
      }
      app.shell.activateById(tab.id);
    },
  });
}

function addFiles(parts: Parts, restorer: ILayoutRestorer | null): void {
  const { app, trans, documents } = parts;
  const { docRegistry } = app;
  docRegistry.addFileType(fileType);
  docRegistry.addModelFactory(new FileModelFactory());
  const factory = new ViewerFactory(
    app.serviceManager.serverSettings,
    {
      resume: (path, view) => {
        const folder = path.split("/").slice(0, -1).join("/");
        createNotebook(documents, folder, resumeSearch(pythonKernel(app.serviceManager), view)).catch((error: unknown) =>
          showErrorMessage(trans.__("The notebook could not be made"), String(error)),
        );
      },
    },
    trans,
  );
  const tracker = new WidgetTracker<DocumentWidget>({ namespace: "emb-opt-widgets-files" });
  factory.widgetCreated.connect((_, widget) => void tracker.add(widget));
  docRegistry.addWidgetFactory(factory);
  if (restorer)
    void restorer.restore(tracker, {
      command: "docmanager:open",
      args: (widget) => ({ path: widget.context.path, factory: FACTORY }),
      name: (widget) => widget.context.path,
    });
}

function addStatus(parts: Parts, statusBar: IStatusBar): void {
  const item = new StatusItem(parts.searches, () => void parts.app.commands.execute(Commands.show), parts.trans);
  statusBar.registerStatusItem("emb-opt-widgets:status", {
    item,
    align: "left",
    rank: 20,
    isActive: () => item.isActive(),
    activeStateChanged: item.activeChanged,
  });
}

function addNotices(parts: Parts): void {
  const { trans, searches } = parts;
  let shown = { id: "", ended: 0 };
  searches.ended.connect((_, { key, record }) => {
    const told = parts.preferences.notifications;
    const failed = record.status === "failed";
    if (told === "none" || (told === "failures" && !failed)) return;
    const actions: Notification.IAction[] = [{ label: trans.__("Show"), callback: () => void reveal(parts, key) }];
    if (failed) {
      Notification.error(trans.__("%1 failed: %2", record.name, record.reason), { actions, autoClose: false });
      return;
    }
    const one = trans.__("%1 ended. %2", record.name, record.reason);
    const message = trans.__("%1 searches ended, the last: %2", shown.ended + 1, one);
    if (Notification.manager.has(shown.id) && Notification.update({ id: shown.id, message, actions, autoClose: 8000 })) {
      shown.ended += 1;
    } else {
      shown = { id: Notification.success(one, { actions, autoClose: 8000 }), ended: 1 };
    }
  });
}

function followSettings(parts: Parts, settings: ISettingRegistry | null, palette: ICommandPalette | null): void {
  let inPalette: IDisposable[] = [];
  const apply = (preferences: Preferences) => {
    parts.preferences = preferences;
    parts.searches.interval = preferences.interval;
    for (const item of inPalette) item.dispose();
    const category = parts.trans.__("Embedding Searches");
    const commands = [Commands.show, Commands.begin, Commands.pauseAll, Commands.dismissAll];
    inPalette =
      palette && preferences.inPalette
        ? commands.map((command) => palette.addItem({ command, category, args: { isPalette: true } }))
        : [];
  };
  apply(DEFAULTS);
  settings
    ?.load(PLUGIN)
    .then((loaded) => {
      const follow = () => apply(readPreferences(loaded.composite));
      loaded.changed.connect(follow);
      follow();
    })
    .catch((error: unknown) => console.warn("emb_opt_widgets: settings could not be read", error));
}

export default plugin;
