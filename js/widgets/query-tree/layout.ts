/**
 * Where the nodes of the tree stand: a column a round, and a height in slots, one node each. Knows nothing of pixels, scores or time.
 *
 * A node that has a place keeps it: `grow` finds places for new nodes beside their parents, where nobody stands. Only `tidy` moves what is there.
 */
import { ROOT_ROOM, nearestFree, occupy, runsOf, spread, type Run } from "./slots";

export interface Tree {
  readonly length: number;
  /** Of a node's parent, -1: none. A parent comes before its children. */
  readonly parent: Int32Array;
  /** -1: not looked yet. */
  readonly round: Int32Array;
  /** The round that made the node. */
  readonly made: Int32Array;
}

interface Lane {
  /** Nodes by height. */
  ids: number[];
  /** Heights that are taken, with no room between. */
  runs: Run[];
}

export class TreeLayout {
  length = 0;
  x = new Int32Array(1024);
  y = new Float64Array(1024);
  low = 0;
  high = 0;
  private lanes: Lane[] = [];
  private waiting = new Set<number>();

  get columns(): number {
    return this.lanes.length;
  }

  /** Nodes of a column, from top to bottom. */
  column(index: number): readonly number[] {
    return this.lanes[index]?.ids ?? [];
  }

  /** Gives places to what is new in `tree`. Returns the nodes that changed column: those that waited for their round. */
  grow(tree: Tree): number[] {
    if (tree.length < this.length) this.clear();
    const moved = this.revise(tree);
    this.reserve(tree.length);
    const groups = new Map<number, number[]>();
    for (let node = this.length; node < tree.length; node++) this.enter(tree, node, groups);
    this.length = tree.length;
    for (const column of [...groups.keys()].sort((a, b) => a - b)) this.place(tree.parent, column, groups.get(column) ?? []);
    return moved;
  }

  /** Finds all places anew. */
  tidy(tree: Tree): void {
    this.clear();
    this.grow(tree);
  }

  private clear(): void {
    this.length = 0;
    this.low = this.high = 0;
    this.lanes = [];
    this.waiting.clear();
  }

  private reserve(length: number): void {
    if (length <= this.x.length) return;
    const room = Math.max(length, this.x.length * 2);
    const [x, y] = [new Int32Array(room), new Float64Array(room)];
    x.set(this.x);
    y.set(this.y);
    [this.x, this.y] = [x, y];
  }

  private enter(tree: Tree, node: number, groups: Map<number, number[]>): void {
    const column = this.columnOf(tree, node);
    this.x[node] = column;
    if ((tree.round[node] ?? -1) < 0) this.waiting.add(node);
    const group = groups.get(column);
    if (group) group.push(node);
    else groups.set(column, [node]);
  }

  private columnOf(tree: Tree, node: number): number {
    const round = tree.round[node] ?? -1;
    const parent = tree.parent[node] ?? -1;
    const after = parent >= 0 ? (this.x[parent] ?? 0) + 1 : 0;
    return Math.max(round >= 0 ? round : (tree.made[node] ?? 0), after);
  }

  /** Nodes that waited and now have a round stand in its column, at the nearest free height. */
  private revise(tree: Tree): number[] {
    const moved: number[] = [];
    for (const node of this.waiting) {
      if ((tree.round[node] ?? -1) < 0) continue;
      this.waiting.delete(node);
      const column = this.columnOf(tree, node);
      if (column === this.x[node]) continue;
      this.leave(node);
      this.x[node] = column;
      this.insert(column, node, this.y[node] ?? 0);
      moved.push(node);
    }
    return moved;
  }

  private lane(column: number): Lane {
    while (this.lanes.length <= column) this.lanes.push({ ids: [], runs: [] });
    return this.lanes[column] as Lane;
  }

  private leave(node: number): void {
    const lane = this.lane(this.x[node] ?? 0);
    lane.ids.splice(lane.ids.indexOf(node), 1);
    lane.runs = runsOf(lane.ids.map((id) => this.y[id] ?? 0));
  }

  private place(parent: Int32Array, column: number, nodes: number[]): void {
    const wanted = this.wanted(parent, nodes);
    const order = nodes.map((_, i) => i).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0) || a - b);
    const lane = this.lane(column);
    if (lane.ids.length) {
      for (const i of order) this.insert(column, nodes[i] ?? 0, wanted[i] ?? 0);
      return;
    }
    const heights = spread(order.map((i) => wanted[i] ?? 0));
    lane.ids = order.map((i) => nodes[i] ?? 0);
    lane.runs = runsOf(heights);
    lane.ids.forEach((node, i) => this.stand(node, heights[i] ?? 0));
  }

  private insert(column: number, node: number, wanted: number): void {
    const lane = this.lane(column);
    const height = nearestFree(lane.runs, wanted);
    occupy(lane.runs, height);
    lane.ids.splice(this.rank(lane.ids, height), 0, node);
    this.stand(node, height);
  }

  private stand(node: number, height: number): void {
    this.y[node] = height;
    this.low = Math.min(this.low, height);
    this.high = Math.max(this.high, height);
  }

  /** How many of a column's nodes stand above a height. */
  rank(ids: readonly number[], height: number): number {
    let [from, to] = [0, ids.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.y[ids[middle] ?? 0] ?? 0) < height) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Where nodes would stand if there were room: siblings around their parent, roots evenly around the middle. */
  private wanted(parent: Int32Array, nodes: readonly number[]): Float64Array {
    const litters = new Map<number, number>();
    for (const node of nodes) litters.set(parent[node] ?? -1, (litters.get(parent[node] ?? -1) ?? 0) + 1);
    const seen = new Map<number, number>();
    const roots = litters.get(-1) ?? 0;
    const apart = roots === nodes.length ? Math.max(1, Math.min(ROOT_ROOM, 18 / Math.max(1, roots - 1))) : 1;
    return Float64Array.from(nodes, (node) => {
      const from = parent[node] ?? -1;
      const rank = seen.get(from) ?? 0;
      seen.set(from, rank + 1);
      const offset = rank - ((litters.get(from) ?? 1) - 1) / 2;
      return from < 0 ? offset * apart : (this.y[from] ?? 0) + offset;
    });
  }
}
