import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { freePort } from "../../../support/ports.ts"
import { until } from "../../../support/wait.ts"
import { answer } from "../cached-origin.ts"
import { EngineWorld, get } from "./engine-world.ts"
import { endAll, herd, pattern, tally, untilDone } from "./herd.ts"

// Many clients of two workers, and an origin that has nothing for them, or dies.

let world: EngineWorld
beforeAll(async () => {
  world = await EngineWorld.start({ cluster: { retry: { attempts: 1 } } })
})
afterAll(() => world[Symbol.asyncDispose]())

const FRESH = "Cache-Control: max-age=600"

describe("an origin that dies in the middle of a body", () => {
  for (const [name, head] of [
    ["of known length", `HTTP/1.1 200 OK\r\n${FRESH}\r\nContent-Length: 100000\r\n\r\n`],
    ["in chunks", `HTTP/1.1 200 OK\r\n${FRESH}\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n`],
  ] as const) {
    test(`${name}: nobody sees a whole, and nothing of it is stored`, async () => {
      const target = `/dies?${head.length}`
      const body = pattern(100_000)
      const all = await herd(world.port, 40, body)
      await world.spread(5)
      const [leader, ...others] = all
      leader!.socket.write(get(target))
      const { connection } = await world.reach(target)
      for (const { socket } of others) socket.write(get(target))
      world.answer = each => (each.target === target ? answer("whole", [FRESH]) : "")
      connection.send(Buffer.concat([Buffer.from(head), body.subarray(0, 50_000)]))
      await until(() => leader!.received === 50_000)
      connection.reset()
      await untilDone(all)
      // Who waited for the end in the other worker asks once more; who read along hears that it was cut.
      const kinds = tally(all.filter(({ received }) => received > 5))
      expect(Object.keys(kinds)).toEqual(["200 cut 50000"])
      for (const { status, received, whole } of all)
        expect(received === 5 ? [status, whole] : [status, received, whole]).toEqual(received === 5 ? [200, true] : [200, 50_000, false])
      endAll(all)
      expect(world.asked(target)).toBeLessThanOrEqual(3)
      const later = await world.clientOn(0)
      later.send(get(target))
      expect((await later.response()).body).toBe("whole")
      later.destroy()
    })
  }
})

describe("an answer that is for nobody else", () => {
  test("lets all go at once: each gets one of its own, none behind another", async () => {
    let count = 0
    const all = await herd(world.port, 100, Buffer.from(""))
    await world.spread(10)
    for (const { socket } of all) socket.write(get("/private"))
    const { connection } = await world.reach("/private")
    const startedAt = performance.now()
    // Each takes a while: one after the other they would take 5 s.
    world.answer = ({ target, connection: of }) => {
      if (target === "/private") setTimeout(() => of.send(answer(`own ${count++}`, ["Cache-Control: private"])), 50)
      return ""
    }
    connection.send(answer(`own ${count++}`, ["Cache-Control: private"]))
    await untilDone(all)
    expect(performance.now() - startedAt).toBeLessThan(2500)
    expect(world.asked("/private")).toBe(100)
    expect(all.every(({ status, whole }) => status === 200 && whole)).toBe(true)
    endAll(all)
  })

  test("nor is one that is too large for the store, by its length", async () => {
    const small = await EngineWorld.start({ memory: "1MB" })
    const body = pattern(400_000)
    const all = await herd(small.port, 30, body)
    for (const { socket } of all) socket.write(get("/large"))
    await small.reach("/large")
    small.answer = () => Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${FRESH}\r\nContent-Length: ${body.length}\r\n\r\n`), body])
    small.reached[0]!.connection.send(small.answer(small.reached[0]!))
    await untilDone(all)
    expect(tally(all)).toEqual({ [`200 whole ${body.length}`]: 30 })
    expect(small.asked("/large")).toBe(30)
    endAll(all)
    await small[Symbol.asyncDispose]()
  }, 20_000)
})

describe("an origin that is down", () => {
  test("each client gets its 502 within about one connect", async () => {
    const nobody = await freePort()
    const down = await EngineWorld.start({ cluster: { peers: [`127.0.0.1:${nobody}`], retry: { attempts: 1 } } })
    const all = await herd(down.port, 200, Buffer.from(""))
    const startedAt = performance.now()
    for (const { socket } of all) socket.write(get("/down"))
    await untilDone(all)
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([502]))
    endAll(all)
    await down[Symbol.asyncDispose]()
  }, 20_000)

  test("and takes its time to refuse: they all wait for that one, not in a row", async () => {
    const all = await herd(world.port, 60, Buffer.from(""))
    for (const { socket } of all) socket.write(get("/slowly"))
    const first = await world.reach("/slowly")
    world.answer = ({ target, connection }) => {
      if (target === "/slowly") setTimeout(() => connection.reset(), 200)
      return ""
    }
    const startedAt = performance.now()
    setTimeout(() => first.connection.reset(), 200)
    await untilDone(all)
    expect(performance.now() - startedAt).toBeLessThan(1500)
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([502]))
    expect(world.asked("/slowly")).toBeLessThan(6)
    endAll(all)
  })
})

test("when all is over nothing is held", async () => {
  await world.untilAlone()
  await world.change("/cache/purge?all=true")
  await until(async () => (await world.memory()).usedBytes === 0)
  expect((await world.memory()).entries).toBe(0)
})
