/** Notebooks to begin with, as JSON. Pure; what strangers named stands in comments and in string literals only. */
import type { JSONObject } from "@lumino/coreutils";
import { amount } from "../../shared/format";

export interface Kernelspec {
  readonly name: string;
  readonly display: string;
}

/** What the server tells of a search's file. */
export interface FileFacts {
  readonly file: string;
  readonly name: string;
  readonly status: string;
  readonly spent: number;
  readonly unit: string;
  readonly budget: number | null;
  readonly source: string;
  readonly functions: { readonly [role: string]: string };
}

const FIRST = `import numpy as np

import emb_opt_widgets as eow

# What is searched: (n, d) embeddings, one row an item. Here: made up. Put your own in their place.
rng = np.random.default_rng(0)
library = rng.standard_normal((10_000, 16)).astype("float32")
wanted = rng.standard_normal(16)


def score(items):
    """Higher is better. Called with a batch of items, as seldom as possible; here: closeness to a secret point."""
    return -np.linalg.norm(items.embeddings - wanted, axis=1)


search = eow.Search(library, score, budget=300, name="my first search")
search.start()
search`;

const SECOND = `results = await search.wait_async()
results.head(10)`;

export function newSearch(kernel: Kernelspec): JSONObject {
  return notebook(kernel, [
    markdown(
      "# An embedding search\n\nRun the cells. The search goes on in the background; the panel **Embedding searches** shows it, " +
        "and so does JupyterLab's status bar.",
    ),
    code(FIRST),
    markdown("Wait for it without blocking the kernel, then look at what it found."),
    code(SECOND),
  ]);
}

export function resumeSearch(kernel: Kernelspec, facts: FileFacts): JSONObject {
  const spent = `${amount(facts.spent)}${facts.budget === null ? "" : ` of ${amount(facts.budget)}`} ${line(facts.unit)}`;
  const own = Object.entries(facts.functions);
  const lines = [
    "import emb_opt_widgets as eow",
    "",
    `# ${line(facts.name)}: ${line(facts.status)}, ${spent}`,
    `source = ...  # what it searched: ${line(facts.source)}`,
    ...own.map(([role, name]) => `${identifier(role)} = ...  # its ${line(role)}: ${line(name)}`),
    "",
    `search = eow.load(${python(facts.file)}, source=source${own.map(([role]) => `, ${identifier(role)}=${identifier(role)}`).join("")})`,
    "search",
  ];
  return notebook(kernel, [
    markdown(
      "# Go on with a search\n\nPut the source and the functions in place of the dots: the file keeps scores and queries, not the functions themselves.",
    ),
    code(lines.join("\n")),
    code("search.run()"),
  ]);
}

/** One line of a comment. */
function line(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").slice(0, 200);
}

function identifier(role: string): string {
  return role.replace(/\W/g, "_");
}

/** A string literal of Python: JSON of ASCII only. */
function python(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function notebook(kernel: Kernelspec, cells: JSONObject[]): JSONObject {
  return {
    cells: cells.map((cell, i) => ({ ...cell, id: `cell-${i + 1}` })),
    metadata: { kernelspec: { name: kernel.name, display_name: kernel.display, language: "python" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

function markdown(source: string): JSONObject {
  return { cell_type: "markdown", metadata: {}, source };
}

function code(source: string): JSONObject {
  return { cell_type: "code", metadata: {}, source, outputs: [], execution_count: null };
}
