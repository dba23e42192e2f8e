import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"
import { scrape } from "../../../support/scrape.ts"
import { scriptedServer } from "../../../support/scripted-server.ts"
import { until } from "../../../support/wait.ts"
import { answer, ask, cachingConfig, targetOf } from "../cached-origin.ts"
import { reasonOf } from "./fates.ts"

// Equal requests and one fetch (`coalesce`), and for how long it is known that a URL cannot be stored (`passMemory`).

const asked: string[] = []
/** The origin answers when the gate is open. */
let gate = Promise.withResolvers<void>()
const origin = await scriptedServer(async connection => {
  while (true) {
    const target = targetOf(await connection.request(60_000))
    const count = asked.push(target) && countOf(target)
    await gate.promise
    connection.send(answer(String(count), [target.startsWith("/private") ? "Cache-Control: private" : "Cache-Control: max-age=600"]))
  }
})
const countOf = (target: string): number => asked.filter(each => each === target).length
const port = await freePort()
const proxy = await startBothways(
  cachingConfig(
    port,
    { peers: [origin.address] },
    {
      "a.test": {},
      "off.test": { coalesce: "off" },
      "wait.test": { coalesce: { wait: "50ms" } },
      "forgets.test": { passMemory: "50ms" },
      "short.test": { passMemory: 0 },
    },
  ),
)
afterAll(async () => {
  await proxy.stop()
  await origin.close()
})
beforeEach(() => void (gate = Promise.withResolvers()))

const four = (host: string, target: string) => Promise.all([1, 2, 3, 4].map(() => ask(port, target, [`Host: ${host}`])))
const one = (host: string, target: string) => ask(port, target, [`Host: ${host}`])

describe("coalesce", () => {
  test("by default four clients cause one request", async () => {
    const responses = four("a.test", "/together")
    await until(() => countOf("/together") === 1)
    await until(async () => (await scrape(proxy)).get('bothways_connections_open{listener="web"}') === 4)
    // What all four have sent is read by the time that a fifth is answered.
    expect((await one("no.test", "/")).status).toBe(404)
    gate.resolve()
    expect((await responses).map(({ body }) => body)).toEqual(["1", "1", "1", "1"])
    expect(countOf("/together")).toBe(1)
    const results = await until(() => {
      const lines = proxy.log().filter(line => line.target === "/together")
      return lines.length === 4 ? lines.map(line => line.cache) : null
    })
    expect(results.toSorted()).toEqual(["coalesced", "coalesced", "coalesced", "miss"])
  })

  test("off: each of them its own, and the answer is stored all the same", async () => {
    const responses = four("off.test", "/apart")
    await until(() => countOf("/apart") === 4)
    gate.resolve()
    expect((await responses).map(({ body }) => body).toSorted()).toEqual(["1", "2", "3", "4"])
    expect((await one("off.test", "/apart")).fields["cache-status"]).toContain("hit")
    expect(countOf("/apart")).toBe(4)
  })

  test("wait: who has waited so long goes by itself, and says why", async () => {
    const responses = four("wait.test", "/slow")
    await until(() => countOf("/slow") === 4)
    gate.resolve()
    expect((await responses).map(reasonOf).toSorted()).toEqual(["", "coalesce-timeout", "coalesce-timeout", "coalesce-timeout"])
  })
})

describe("passMemory", () => {
  test("once it is known that a URL cannot be stored, nobody waits for anybody", async () => {
    gate.resolve()
    expect(reasonOf(await one("a.test", "/private"))).toBe("private")
    gate = Promise.withResolvers()
    const responses = four("a.test", "/private")
    await until(() => countOf("/private") === 5)
    gate.resolve()
    for (const response of await responses)
      expect([reasonOf(response), response.fields["cache-status"]]).toEqual(["private", expect.stringContaining("fwd=bypass")])
  })

  test("it is forgotten after that time: of four one is asked for all, until it is known again", async () => {
    gate.resolve()
    await one("forgets.test", "/private?forgets")
    await until(async () => (await one("forgets.test", "/private?forgets")).fields["cache-status"]!.includes("uri-miss"))
  })

  test("0: who waits for an answer that cannot be stored is let go, all at once", async () => {
    const responses = four("short.test", "/private?short")
    await until(() => countOf("/private?short") === 1)
    gate.resolve()
    expect((await responses).map(({ body }) => body).toSorted()).toEqual(["1", "2", "3", "4"])
  })
})
