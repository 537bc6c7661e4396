// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createVoice } from "./voice";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("says states at once, and while it runs the numbers of the moment every ten seconds", () => {
  const voice = createVoice();
  let calls = 0;
  const say = (status: string) => voice.say("", status, () => `${status} ${calls}`);
  say("running");
  calls = 115;
  say("running");
  expect(voice.el.textContent).toBe("running 0");
  calls = 200;
  vi.advanceTimersByTime(10_000);
  expect(voice.el.textContent).toBe("running 200");
  calls = 400;
  say("finished");
  expect(voice.el.textContent).toBe("finished 400");
  expect(vi.getTimerCount()).toBe(0);
});

it("says why nothing moves, then the state anew, and ends with its panel", () => {
  const voice = createVoice();
  voice.say("", "running", () => "Running.");
  voice.say("The kernel is busy.", "running", () => "Running.");
  expect(voice.el.textContent).toBe("The kernel is busy.");
  voice.say("", "running", () => "Running again.");
  expect(voice.el.textContent).toBe("Running again.");
  voice.destroy();
  expect(vi.getTimerCount()).toBe(0);
});
