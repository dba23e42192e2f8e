import { expect, test } from "bun:test"
import { Random } from "../../base/index.ts"
import { LatencyQuantile } from "./latency-quantile.ts"

test("is not known from few samples, then near the quantile, and follows it", () => {
  const random = new Random(7)
  const quantile = new LatencyQuantile(0.95)
  for (let i = 0; i < 19; i++) quantile.add(10)
  expect(quantile.ms).toBe(0)
  // from 10 to 30 ms, evenly
  for (let i = 0; i < 5000; i++) quantile.add(10 + random.float() * 20)
  expect(quantile.ms).toBeGreaterThan(24)
  expect(quantile.ms).toBeLessThan(36)
  for (let i = 0; i < 5000; i++) quantile.add(200 + random.float() * 400)
  expect(quantile.ms).toBeGreaterThan(450)
  expect(quantile.ms).toBeLessThan(750)
})
