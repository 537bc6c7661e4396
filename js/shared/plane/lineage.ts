/** Who comes from whom, where a parent comes before its children. Pure. */

/** `(n,)` 1 for what has one of `roots` above it, and for the roots themselves where `own`. */
export function below(parent: Int32Array, length: number, roots: Iterable<number>, own: boolean): Uint8Array {
  const inside = new Uint8Array(length);
  const top = new Uint8Array(length);
  let first = length;
  for (const node of roots) {
    if (node < 0 || node >= length) continue;
    top[node] = 1;
    if (own) inside[node] = 1;
    first = Math.min(first, node);
  }
  for (let node = first + 1; node < length; node++) {
    const from = parent[node] ?? -1;
    if (from >= 0 && (inside[from] || top[from])) inside[node] = 1;
  }
  return inside;
}

/** From a node to its root. */
export function pathOf(parent: Int32Array, node: number): number[] {
  const path: number[] = [];
  for (let at = node; at >= 0; at = parent[at] ?? -1) path.push(at);
  return path;
}
