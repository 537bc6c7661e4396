// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { fakeFeed } from "../../shared/fake";
import { createPlaces } from "./places";

describe("places", () => {
  it("are asked for once a sort needs them, again when items came, and not after the end", async () => {
    vi.useFakeTimers();
    const feed = fakeFeed({ nodes: 12, delay: 10 });
    const asked: unknown[] = [];
    const spied = { ...feed, ask: <T>(what: string, args?: Record<string, unknown>) => (asked.push([what, args]), feed.ask<T>(what, args)) };
    const came = vi.fn();
    const places = createPlaces(spied, came);
    const { length } = feed.table("items");
    places.want("score", length);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual([]);
    places.want("id", length);
    places.want("id", length);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual([["places", { by: "id" }]]);
    expect(came).toHaveBeenCalledTimes(1);
    expect([...places.now().at].sort((a, b) => a - b)).toEqual([...Array(length).keys()]);
    while (feed.table("items").length === length) feed.search.advance();
    places.want("id", feed.table("items").length);
    await vi.advanceTimersByTimeAsync(5000);
    expect(places.now().at.length).toBe(feed.table("items").length);
    places.want("item", feed.table("items").length);
    places.destroy();
    await vi.advanceTimersByTimeAsync(5000);
    expect(came).toHaveBeenCalledTimes(2);
    feed.destroy();
    vi.useRealTimers();
  });
});
