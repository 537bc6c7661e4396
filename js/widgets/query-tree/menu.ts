/** What the context menu offers for a node, or for none. */
import type { MenuItem } from "../../shared/popover";
import { STATUS } from "./state";
import type { QueryTree } from "./view";

export function offersFor(tree: QueryTree, node: number): MenuItem[] {
  if (node < 0) {
    return [
      { label: "Fit", run: () => tree.act("fit") },
      { label: "Tidy up", run: () => tree.act("tidy") },
      { label: "Clear selection", disabled: !tree.selection.length, run: () => tree.act("clear") },
    ];
  }
  const status = tree.nodes.status[node] ?? 0;
  return [
    { label: "Branch from here", run: () => void tree.deeds.branch([node]) },
    { label: "Prune subtree", disabled: status !== STATUS.active, run: () => void tree.deeds.prune([node]) },
    { label: "Restore", disabled: status !== STATUS.pruned, run: () => void tree.deeds.restore([node]) },
    { label: "Select subtree", run: () => tree.select(tree.subtree(node)) },
    { label: "Select path", run: () => tree.select(tree.path(node)) },
    { label: tree.isCollapsed(node) ? "Expand" : "Collapse", run: () => tree.collapse(node) },
    { label: "Copy id", run: () => copy(tree, node) },
  ];
}

function copy(tree: QueryTree, node: number): void {
  const written = navigator.clipboard?.writeText(String(node)) ?? Promise.reject(new Error("no clipboard"));
  written.then(
    () => tree.say(`Copied ${node}`, true),
    () => tree.say(`The browser did not allow copying. The id is ${node}.`, true),
  );
}
