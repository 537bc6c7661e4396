import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Columns, type ColumnType } from "./columns";
import { Stamped, delta } from "./fake_kernel";
import { type Delta, Mirror, numbers } from "./mirror";
import type { Facts } from "./types";

const SHAPE: Record<string, ColumnType> = { a: "f8", b: "f4", c: "i4", d: "u1", e: "json" };

/** The kernel's side: a table that grows and changes, facts, and the answers to `hello` and `ack`. */
class Kernel {
  epoch = "e0";
  n = 0;
  tables = { t: new Stamped(new Columns()), u: new Stamped(new Columns()) };
  facts = { n_scored: 0 } as Facts;
  acknowledged: Record<string, number> = {};
  factsAt = 0;
  factsAcknowledged = -1;
  private sent = new Map<number, number>();

  write(table: "t" | "u", row: number, value: number): void {
    const stamped = this.tables[table];
    const at = Math.min(row, stamped.columns.length);
    stamped.columns.grow(at + 1);
    for (const name in SHAPE) stamped.columns.put(name, SHAPE[name] as ColumnType, at, name === "e" ? `v${value}` : value);
    stamped.touch(at);
    this.facts = { ...this.facts, n_scored: value };
    this.factsAt++;
  }

  restart(): void {
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    const rebuilt = { t: new Stamped(this.tables.t.columns), u: new Stamped(this.tables.u.columns) };
    for (const name of ["t", "u"] as const) for (let row = 0; row < rebuilt[name].columns.length; row++) rebuilt[name].touch(row);
    this.tables = rebuilt;
    this.acknowledged = {};
    this.factsAcknowledged = -1;
  }

  send(most: number): { content: Delta; buffers: DataView[] } {
    const n = ++this.n;
    const facts = this.factsAcknowledged < this.factsAt ? { facts: this.facts } : {};
    this.sent.set(n, this.factsAt);
    return delta(this.tables, this.acknowledged, { n, epoch: this.epoch, most, ...facts });
  }

  hello(epoch: string | null, have: Record<string, number>): void {
    this.acknowledged = epoch === this.epoch ? have : {};
    this.factsAcknowledged = -1;
  }

  hear(epoch: string | null, have: Record<string, number>, n: number): void {
    if (epoch !== this.epoch) return;
    this.acknowledged = have;
    this.factsAcknowledged = Math.max(this.factsAcknowledged, this.sent.get(n) ?? -1);
  }
}

function expectSame(mirror: Mirror, kernel: Kernel): void {
  expect(mirror.facts).toEqual(kernel.facts);
  for (const name of ["t", "u"] as const) {
    const truth = kernel.tables[name].columns;
    const copy = mirror.tables.get(name) ?? new Columns();
    expect(copy.length).toBe(truth.length);
    for (const column in SHAPE) {
      const type = SHAPE[column] as ColumnType;
      expect([...copy[type](column)].slice(0, copy.length)).toEqual([...truth[type](column)].slice(0, truth.length));
    }
  }
}

type Step =
  | { do: "write"; table: "t" | "u"; row: number; value: number }
  | { do: "send"; most: number; fate: "arrives" | "lost" | "twice" | "late" }
  | { do: "late" }
  | { do: "restart" };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), table: fc.constantFrom("t" as const, "u" as const), row: fc.nat(12), value: fc.integer({ min: 0, max: 255 }) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("send" as const), most: fc.integer({ min: 1, max: 5 }), fate: fc.constantFrom("arrives" as const, "lost" as const, "twice" as const, "late" as const) }) },
    { weight: 2, arbitrary: fc.constant({ do: "late" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
  ),
  { maxLength: 80 },
);

/** Runs a story of losses, repeats and delays; then the line is good again and both talk until there is nothing more to send. */
function play(story: readonly Step[]): { mirror: Mirror; kernel: Kernel } {
  const kernel = new Kernel();
  const mirror = new Mirror();
  const late: { content: Delta; buffers: DataView[] }[] = [];
  const deliver = (message: { content: Delta; buffers: DataView[] }, heard = true) => {
    const done = mirror.apply(message.content, message.buffers);
    if (done.gap) kernel.hello(mirror.epoch, mirror.have());
    if (heard) kernel.hear(mirror.epoch, mirror.have(), message.content.n);
  };
  for (const step of story) {
    if (step.do === "write") kernel.write(step.table, step.row, step.value);
    else if (step.do === "restart") kernel.restart();
    else if (step.do === "late") late.reverse().splice(0, 2).forEach((message) => deliver(message, false));
    else {
      const message = kernel.send(step.most);
      if (step.fate === "late") late.push(message);
      else if (step.fate !== "lost") deliver(message, step.fate === "arrives");
      if (step.fate === "twice") deliver(message);
    }
  }
  for (const message of late) deliver(message, false);
  for (let i = 0; i < 60; i++) deliver(kernel.send(5));
  return { mirror, kernel };
}

describe("the copy of a page", () => {
  it("converges whatever is lost, doubled or reordered, and across lives of the kernel's tables", () => {
    fc.assert(
      fc.property(steps, (story) => {
        const { mirror, kernel } = play(story);
        expectSame(mirror, kernel);
      }),
      { numRuns: 400 },
    );
  });

  it("never shows a row with a hole before it", () => {
    fc.assert(
      fc.property(steps, (story) => {
        const kernel = new Kernel();
        const mirror = new Mirror();
        for (const step of story) {
          if (step.do === "write") kernel.write(step.table, step.row, 1 + step.value % 255);
          if (step.do !== "send") continue;
          const message = kernel.send(step.most);
          mirror.apply(message.content, message.buffers);
          kernel.hear(mirror.epoch, mirror.have(), message.content.n);
          for (const table of mirror.tables.values()) expect([...table.i4("c").subarray(0, table.length)]).not.toContain(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("says that there is a gap and leaves the table as it was", () => {
    const kernel = new Kernel();
    const mirror = new Mirror();
    for (let i = 0; i < 4; i++) kernel.write("t", i, i + 1);
    const whole = kernel.send(2);
    mirror.apply(whole.content, whole.buffers);
    kernel.hear("e0", { t: 3 }, 1);
    const beyond = kernel.send(9);
    const done = mirror.apply(beyond.content, beyond.buffers);
    expect(done).toMatchObject({ gap: true });
    expect(mirror.have()).toEqual({ t: 2 });
    expect(mirror.tables.get("t")?.length).toBe(2);
  });

  it("drops its copy for another epoch, and asks the kernel which one holds", () => {
    const kernel = new Kernel();
    const mirror = new Mirror();
    kernel.write("t", 0, 7);
    const old = kernel.send(9);
    expect(mirror.apply(old.content, old.buffers).gap).toBe(false);
    kernel.restart();
    const fresh = kernel.send(9);
    const done = mirror.apply(fresh.content, fresh.buffers);
    expect(done.gap).toBe(true);
    expect(done.tables).toContain("t");
    expect(mirror.epoch).toBe("e1");
  });

  it("keeps the newest facts when messages change places", () => {
    const mirror = new Mirror();
    const says = (n: number, scored: number): Delta => ({ type: "delta", n, epoch: "e", facts: { n_scored: scored } as Facts, parts: [] });
    mirror.apply(says(2, 20), []);
    expect(mirror.apply(says(1, 10), []).facts).toBe(false);
    expect(mirror.facts?.n_scored).toBe(20);
  });

  it("refuses a part that does not fit its buffers", () => {
    const mirror = new Mirror();
    const part = { table: "t", base: 0, to: 1, clock: 1, length: 1, rows: { first: 0, count: 1 }, columns: { a: ["f8", 0] as ["f8", number] } };
    expect(() => mirror.apply({ type: "delta", n: 1, epoch: "e", parts: [part] }, [new DataView(new ArrayBuffer(16))])).toThrow(/2 values for 1 rows/);
    expect(mirror.have()).toEqual({});
  });
});

describe("buffers", () => {
  it("are read at any offset", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.array(fc.double({ noNaN: true }), { maxLength: 8 }), (offset, values) => {
        const bytes = new Uint8Array(offset + values.length * 8 + 5);
        bytes.set(new Uint8Array(Float64Array.from(values).buffer), offset);
        expect([...numbers("f8", new DataView(bytes.buffer, offset, values.length * 8))]).toEqual(values);
      }),
    );
  });

  it("of a million rows are applied in well under a second", () => {
    const n = 1_000_000;
    const mirror = new Mirror();
    const bytes = new ArrayBuffer(3 + n * 8);
    const view = new DataView(bytes, 3);
    const started = performance.now();
    for (let first = 0, stamp = 0; first < n; first += 10_000, stamp += 10_000) {
      const part = { table: "items", base: stamp, to: stamp + 10_000, clock: n, length: n, rows: { first, count: 10_000 }, columns: { score: ["f8", 0] as ["f8", number] } };
      mirror.apply({ type: "delta", n: first, epoch: "e", parts: [part] }, [new DataView(view.buffer, 3 + first * 8, 80_000)]);
    }
    expect(mirror.tables.get("items")?.length).toBe(n);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
