import { expect, test } from "bun:test"
import { ask, basic, configOf } from "./ask.fixture.ts"

const config = configOf(`
listeners: { web: { bind: "127.0.0.1:8080" } }
clusters:
  stable: { peers: ["127.0.0.1:9001"], timeouts: { head: 7s } }
  canary: { peers: ["127.0.0.1:9002"], timeouts: { head: 9s } }
caches: { main: { memory: 1MB } }
routes:
  - name: closed
    match: { path: "/closed" }
    filters: [ { basic-auth: { htpasswd: users } }, { headers: { request: { set: { X-A: "1" } } } } ]
    to: { split: { arms: [ { cluster: stable, weight: 3 }, { cluster: canary, weight: 1 } ] } }
  - name: shop
    filters: [ { cache: { store: main } }, { headers: { request: { set: { X-A: "1" } } } } ]
    to:
      split:
        arms: [ { cluster: stable, weight: 90 }, { cluster: canary, name: new, weight: 10, match: { path: "/new/*" } } ]
        stick: { cookie: { name: p } }
        force: { header: X-Canary }
`)

test("which arm, why, and what follows from it", async () => {
  const { route, answer, filters } = await ask(config, { fields: ["Cookie: p=00000000"] })
  expect(route!.split).toEqual({
    arm: "new",
    because: "by the place in the cookie p",
    arms: [
      { name: "stable", share: 0.9 },
      { name: "new", share: 0.1 },
    ],
  })
  expect(answer).toMatchObject({ kind: "peer", cluster: "canary", peers: ["127.0.0.1:9002"] })
  expect(route!.timeouts.upstream).toMatchObject({ head: 9000 })
  expect(route!.destination).toMatchObject({ kind: "cluster", cluster: { name: "canary", pick: "127.0.0.1:9002" } })
  expect(route!.cache).toStartWith("store main; asked for")
  // Each filter once, though every arm has its steps.
  expect(filters.map(({ phase, name, result }) => [phase, name, result])).toEqual([["request", "headers", "passes"]])
})

test("the other reasons", async () => {
  const because = async (url: string, ...fields: string[]): Promise<unknown> => {
    const { split } = (await ask(config, { url, fields })).route!
    return [split!.arm, split!.because]
  }
  expect(await because("http://a.test/", "Cookie: p=3fffffff")).toEqual(["stable", "by the place in the cookie p"])
  expect(await because("http://a.test/", "X-Canary: always")).toEqual(["new", expect.stringContaining("the request says so")])
  expect(await because("http://a.test/new/1")).toEqual(["new", expect.stringContaining("the request says so")])
  expect((await because("http://a.test/")) as string[]).toEqual([expect.anything(), "a new client: by weight, and the answer sets the cookie p"])
  expect((await because("http://a.test/", "Cookie: p=zz")) as string[]).toEqual([expect.anything(), expect.stringContaining("none of ours")])
})

test("who does not come as far has no arm", async () => {
  const refused = await ask(config, { url: "http://a.test/closed" })
  expect(refused.route!.split).toMatchObject({ arm: null, because: "the way ends before the choice" })
  expect(refused.answer).toMatchObject({ kind: "fault", status: 401 })
  expect(refused.filters.map(({ phase, name, result }) => [phase, name, result])).toContainEqual(["request", "headers", "not reached"])
  const known = await ask(config, { url: "http://a.test/closed", fields: [`Authorization: ${basic("alice:right")}`] })
  expect(known.route!.split).toMatchObject({ because: "by weight: the next request may go elsewhere" })
})
