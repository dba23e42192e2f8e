import { expect, test } from "bun:test"
import { until } from "../../support/wait.ts"
import { cookieOf, shareOf, SplitWorld } from "./split-world.ts"

// The choice stands before the cache, and what one version answered is never another one's answer.

const arms = [
  { cluster: "stable", weight: 50 },
  { cluster: "canary", weight: 50 },
]

const cached = {
  route: { filters: [{ cache: { store: "main" } }] },
  config: { caches: { main: { memory: "8MB" } } },
}

test("each version has its own stored answer; hits are counted for nobody, and no cookie is stored", async () => {
  await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms, stick: "cookie" }, cached)
  const first = await world.send(400)
  expect(shareOf(first, "stable")).toBeCloseTo(0.5, 1)
  // Every one of them is another client, whoever was asked.
  expect(new Set(first.map(cookieOf)).size).toBe(400)
  const again = await world.send(400, n => [`Cookie: ${cookieOf(first[n]!)}`])
  expect(again.map(one => one.body)).toEqual(first.map(one => one.body))
  expect(again.every(one => one.fields["cache-status"]?.includes("hit") === true && one.fields["set-cookie"] === undefined)).toBe(true)
  const asked = Object.values(world.versions).map(version => version.requests)
  expect(asked).toEqual([1, 1])
  const { arms: counted } = await world.status()
  expect(counted.map(arm => arm.requests)).toEqual([1, 1])
  const hits = await until(() => {
    const lines = world.proxy.log()
    return lines.length >= 800 ? lines.filter(line => line["cache"] === "hit") : null
  })
  expect(new Set(hits.map(line => line["cluster"]))).toEqual(new Set(["stable", "canary"]))
})

test("nor are they mixed by weight alone, when answers grow old, and when an arm fails", async () => {
  await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms }, cached)
  for (const [name, version] of Object.entries(world.versions)) {
    version.answer = (request, response) => {
      if (request.url === "/broken" && name === "canary") return void response.writeHead(500).end("canary")
      response.writeHead(200, { "Cache-Control": "max-age=0, stale-while-revalidate=60", ETag: `"same"`, "X-Version": name }).end(name)
    }
  }
  const got = await world.send(300)
  expect(got.every(one => one.fields["x-version"] === one.body)).toBe(true)
  expect(new Set(got.map(one => one.body)).size).toBe(2)
  const broken = await Promise.all(Array.from({ length: 40 }, () => world.ask("/broken")))
  expect(new Set(broken.map(one => `${one.status} ${one.body}`))).toEqual(new Set(["200 stable", "500 canary"]))
})
