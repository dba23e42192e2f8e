import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { careful, withPreset } from "./careful.ts"
import { clusterSchema } from "./cluster.ts"

const peers = ["127.0.0.1:9001"]

test("without the word nothing is there", () => {
  const { resilience, health, retry } = clusterSchema.parse({ peers })
  expect(resilience).toEqual({ preset: "none", panicBelow: 0, breaker: null, queue: null, adaptive: null, hedge: null, shed: null })
  expect(health.passive).toMatchObject({ successRate: null, failureShare: null, latency: null })
  expect(retry).toMatchObject({ attempts: 2, status: [] })
})

test("the word sets every part", () => {
  const { resilience, health, retry } = clusterSchema.parse({ peers, resilience: "careful" })
  for (const part of ["breaker", "queue", "adaptive", "hedge", "shed"] as const) expect(resilience[part]).not.toBeNull()
  expect(health.passive).toMatchObject({ interval: 2000, latency: { times: 5, floor: 100 }, failures: 5 })
  expect(retry).toMatchObject({ attempts: 3, status: [500, 502, 503, 504], budget: 0.2, replayBytesMax: 65_536 })
})

test("what is written wins, key by key, and off over a whole part", () => {
  const written = {
    peers,
    retry: { attempts: 1 },
    health: { passive: { failures: 2, latency: "off" } },
    resilience: { preset: "careful", breaker: { requestsMax: 7 }, hedge: "off", queue: null, shed: "50ms" },
  }
  const { resilience, health, retry } = clusterSchema.parse(written as never)
  expect(retry).toMatchObject({ attempts: 1, status: [500, 502, 503, 504] })
  expect(health.passive).toMatchObject({ failures: 2, latency: null, failureShare: { share: 0.5 } })
  expect(resilience).toMatchObject({ breaker: { requestsMax: 7, retriesMax: 256, peer: null }, hedge: null, queue: { lengthMax: 1024 } })
  expect(resilience.shed).toEqual({ loopDelayMax: 50 })
  const off = clusterSchema.parse({ peers, health: { passive: "off" }, resilience: "careful" } as never)
  expect(off.health.passive).toBeNull()
})

test("what is no cluster is left for the schema to complain about", () => {
  for (const input of [null, 7, [], "careful", { resilience: 3 }]) expect(withPreset(input)).toBe(input)
})

test("the page says each value of the word", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/resilience.md"), "utf8")
  const rows = page.split("\n").filter(line => line.startsWith("| `"))
  const missing: string[] = []
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, path)
    else if (typeof value === "object" && value !== null) for (const [key, item] of Object.entries(value)) walk(item, `${path}.${key}`)
    else if (!rows.some(row => path.slice(1).startsWith(row.split("`")[1]!) && row.split(/[^\w.%-]+/).includes(String(value))))
      missing.push(`${path} = ${value}`)
  }
  walk(careful, "")
  expect(missing.map(path => path.slice(1))).toEqual([])
})
