import { expect, it } from "vitest";
import { insideStroke } from "./scene";

it("draws edges below the selection thinner and fainter the more there are, and never not at all", () => {
  const [few, many, most] = [insideStroke(10), insideStroke(200), insideStroke(100_000)];
  expect(few).toEqual({ width: 1.8, alpha: 0.62 });
  expect(many.width).toBeLessThan(1);
  expect(many.alpha).toBeLessThan(0.25);
  expect(most).toEqual({ width: 0.8, alpha: 0.14 });
});
