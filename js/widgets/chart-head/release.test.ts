import { describe, expect, it, vi } from "vitest";
import { type ClosingModel, releaseOnceClosed } from "./release";

class Model implements ClosingModel {
  state_change: Promise<unknown> = Promise.resolve("a view");
  heard: (() => void)[] = [];
  offs = 0;
  constructor(readonly attributes: Record<string, unknown> = {}) {}
  once(event: string, listener: () => void): void {
    if (event === "destroy") this.heard.push(listener);
  }
  off(): void {
    this.offs++;
  }
  close(): void {
    for (const listener of this.heard) listener();
  }
}

describe("releaseOnceClosed", () => {
  it("lets a model and all that it leads to go of their views, each when it is closed", async () => {
    const scale = new Model({ min: 0 });
    const mark = new Model({ scales: { x: scale }, x: new Float32Array(3), self: null });
    const figure = new Model({ marks: [mark], title: "t", layout: undefined });
    mark.attributes.self = figure;
    vi.useFakeTimers();
    releaseOnceClosed(figure);
    releaseOnceClosed(figure);
    expect([figure, mark, scale].map((model) => model.heard.length)).toEqual([1, 1, 1]);
    mark.close();
    expect(mark.offs).toBe(0);
    vi.runAllTimers();
    vi.useRealTimers();
    expect([figure, mark, scale].map((model) => model.offs)).toEqual([0, 1, 0]);
    expect(await mark.state_change).toBeUndefined();
    expect(await figure.state_change).toBe("a view");
  });

  it("leaves alone what is no model", () => {
    for (const value of [null, undefined, 3, "x", {}, [], new Date(), new Map([["a", 1]])]) releaseOnceClosed(value);
  });
});
