import { describe, expect, it } from "vitest";
import { expression } from "./link";
import { newSearch, resumeSearch } from "./starter";

const KERNEL = { name: "python3", display: "Python 3" };

function sources(notebook: { [key: string]: unknown }): string[] {
  return (notebook.cells as { source: string }[]).map((cell) => cell.source);
}

describe("notebooks to begin with", () => {
  it("have a search that runs, and cells with ids", () => {
    const made = newSearch(KERNEL) as { [key: string]: unknown };
    expect(sources(made)[1]).toContain("eow.Search(");
    expect(new Set((made.cells as { id: string }[]).map((cell) => cell.id)).size).toBe(4);
    expect(made.metadata).toMatchObject({ kernelspec: { name: "python3" } });
  });

  it("hold a stranger's text in comments and literals only", () => {
    const hostile = 'x"\nimport os\u2028os.system("rm")\r#';
    const made = resumeSearch(KERNEL, {
      file: hostile, name: hostile, status: hostile, spent: 1, unit: hostile, budget: 2, source: hostile, functions: { "score\nimport os": hostile, filter: "f" },
    }) as { [key: string]: unknown };
    const [words, code] = sources(made);
    expect(words).not.toContain("os.system");
    for (const line of (code ?? "").split("\n"))
      expect(line).toMatch(/^(import emb_opt_widgets as eow|# .*|\w+ = \.\.\. {2}# .*|search = eow\.load\("[\x20-\x7e]*", source=source(, \w+=\w+)*\)|search|)$/);
    expect(code).toContain("filter=filter");
  });
});

describe("what is evaluated", () => {
  it("is ASCII on one line, whatever is asked", () => {
    const made = expression({ ask: "act", search_id: 'é"\'\\\n\u2028😀', verb: "pause" });
    expect(made).toMatch(/^[\x20-\x7e]+$/);
    expect(made).toContain('sys").modules.get("emb_opt_widgets.live.registry")');
  });
});
