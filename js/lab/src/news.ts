/** What a kernel tells unasked: what becomes of its searches, and that it restarts. */
import type { NotebookPanel } from "@jupyterlab/notebook";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { isFields, type News, readNews } from "./records";

const NEWS = "application/vnd.emb-opt-widgets.news+json";
const LOST: readonly Kernel.Status[] = ["restarting", "autorestarting", "dead"];

export interface Ears {
  news(kernel: string, news: News): void;
  lost(kernel: string): void;
}

/** Listens to whichever kernel a notebook has, until it is closed or what is returned is called. */
export function hear(panel: NotebookPanel, ears: Ears): () => void {
  const session = panel.sessionContext;
  const onMessage = (_: unknown, message: KernelMessage.IMessage) => {
    const news = newsIn(message);
    const kernel = session.session?.kernel?.id;
    if (news && kernel) ears.news(kernel, news);
  };
  const onStatus = (_: unknown, status: Kernel.Status) => {
    const kernel = session.session?.kernel?.id;
    if (kernel && LOST.includes(status)) ears.lost(kernel);
  };
  session.iopubMessage.connect(onMessage);
  session.statusChanged.connect(onStatus);
  return () => {
    session.iopubMessage.disconnect(onMessage);
    session.statusChanged.disconnect(onStatus);
  };
}

/** Listens on a connection of our own, which ends with what is returned. */
export function hearAlone(kernel: Kernel.IKernelConnection, ears: Ears): () => void {
  kernel.iopubMessage.connect((_, message) => {
    const news = newsIn(message);
    if (news) ears.news(kernel.id, news);
  });
  kernel.statusChanged.connect((_, status) => {
    if (LOST.includes(status)) ears.lost(kernel.id);
  });
  return () => kernel.dispose();
}

function newsIn(message: KernelMessage.IMessage): News | null {
  if (message.header.msg_type !== "update_display_data") return null;
  const content: unknown = message.content;
  const data = isFields(content) ? content.data : null;
  return isFields(data) ? readNews(data[NEWS]) : null;
}
