/** Questions to our server extension. */
import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import { isFields } from "./records";
import type { FileFacts } from "./starter";

export interface FileView extends FileFacts {
  readonly html: string;
}

export interface ServerSide {
  readonly version: string | null;
  readonly labextensions: { readonly [name: string]: unknown };
}

/** What the server has installed, null where our extension of it does not answer. */
export async function serverSide(settings: ServerConnection.ISettings): Promise<ServerSide | null> {
  try {
    const body = await get(settings, "info");
    const labextensions = isFields(body.labextensions) ? body.labextensions : {};
    return { version: typeof body.version === "string" ? body.version : null, labextensions };
  } catch {
    return null;
  }
}

/** A search's file. Throws an error whose message a person can read. */
export async function fileView(settings: ServerConnection.ISettings, path: string): Promise<FileView> {
  const body = await get(settings, URLExt.encodeParts(URLExt.join("file", path)));
  const functions = isFields(body.functions) ? body.functions : {};
  return {
    html: String(body.html ?? ""),
    file: path.split("/").at(-1) ?? path,
    name: String(body.name ?? ""),
    status: String(body.status ?? ""),
    spent: Number(body.spent ?? body.n_scored ?? 0),
    unit: String(body.unit ?? "calls"),
    budget: typeof body.budget === "number" ? body.budget : null,
    source: String(body.source ?? ""),
    functions: Object.fromEntries(Object.entries(functions).map(([role, name]) => [role, String(name)])),
  };
}

async function get(settings: ServerConnection.ISettings, what: string): Promise<{ readonly [key: string]: unknown }> {
  const url = URLExt.join(settings.baseUrl, "emb-opt-widgets", "api", what);
  const response = await ServerConnection.makeRequest(url, { cache: "no-store" }, settings);
  const text = await response.text();
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  if (response.ok && isFields(body)) return body;
  const message = isFields(body) ? (body.message ?? body.reason) : null;
  throw new Error(typeof message === "string" && message ? message : `${response.status} ${response.statusText}`);
}
