import { afterAll, describe, expect, test } from "bun:test"
import { pause, until } from "../../../support/wait.ts"
import { answer } from "../cached-origin.ts"
import { EngineWorld, get } from "./engine-world.ts"
import { endAll, herd, untilDone } from "./herd.ts"

// Stale answers with the clock on the wall, for clients of two workers (RFC 5861).

const world = await EngineWorld.start({ cluster: { retry: { attempts: 1 } } })
afterAll(() => world[Symbol.asyncDispose]())

/** Asks once on a connection of that worker. Body and Cache-Status. */
async function once(worker: number, target: string): Promise<[body: string, status: string]> {
  using client = await world.clientOn(worker)
  client.send(get(target))
  const response = await client.response()
  return [response.body, response.fields["cache-status"] ?? ""]
}

async function fill(target: string, fields: readonly string[]): Promise<void> {
  using client = await world.clientOn(0)
  client.send(get(target))
  const { connection } = await world.reach(target)
  connection.send(answer("old", fields))
  expect((await client.response()).body).toBe("old")
}

async function untilStale(target: string): Promise<void> {
  await until(async () => {
    const { entries } = (await world.look(`/cache/entries?url=http://a.test${target}`)) as { entries: { state: string }[] }
    return entries[0]?.state === "stale"
  })
}

describe("stale-while-revalidate", () => {
  test("a herd of both workers has the stale answer at once, and one of them causes one refresh, which all have then", async () => {
    const target = "/while"
    await fill(target, ["Cache-Control: max-age=1, stale-while-revalidate=600", 'ETag: "old"'])
    await untilStale(target)
    const all = await herd(world.port, 60, Buffer.from("old"))
    await world.spread(10)
    for (const { socket } of all) socket.write(get(target))
    await untilDone(all, 1000)
    expect(all.every(({ status, whole, wrong }) => status === 200 && whole && wrong === "")).toBe(true)
    const { request, connection } = await world.reach(target, 1)
    expect([request.fields["if-none-match"], world.asked(target)]).toEqual(['"old"', 2])
    connection.send(answer("new", ["Cache-Control: max-age=600"]))
    for (const worker of [0, 1]) {
      await until(async () => (await once(worker, target))[0] === "new")
    }
    expect(world.asked(target)).toBe(2)
    endAll(all)
  })

  test("a refresh that is answered 304 makes the stored one fresh for both", async () => {
    const target = "/same"
    await fill(target, ["Cache-Control: max-age=1, stale-while-revalidate=600", 'ETag: "old"'])
    await untilStale(target)
    expect((await once(1, target))[0]).toBe("old")
    const { connection } = await world.reach(target, 1)
    connection.send('HTTP/1.1 304 Not Modified\r\nETag: "old"\r\nCache-Control: max-age=600\r\n\r\n')
    for (const worker of [0, 1]) await until(async () => /; hit; ttl=5\d\d/.test((await once(worker, target))[1]))
    expect(world.asked(target)).toBe(2)
  })
})

describe("stale-if-error", () => {
  for (const [name, fail] of [
    ["answers 500", "500"],
    ["closes", "close"],
  ] as const) {
    test(`the origin ${name}: all that wait, of both workers, have the stale answer`, async () => {
      const target = `/error?${fail}`
      await fill(target, ["Cache-Control: max-age=1, stale-if-error=600", 'ETag: "old"'])
      await untilStale(target)
      const all = await herd(world.port, 40, Buffer.from("old"))
      await world.spread(5)
      world.answer = each => {
        if (each.target !== target) return ""
        setTimeout(() => (fail === "500" ? each.connection.send(answer("no", [], "500 Internal Server Error")) : each.connection.reset()), 100)
        return ""
      }
      for (const { socket } of all) socket.write(get(target))
      await untilDone(all, 3000)
      expect(all.map(({ status, whole, wrong }) => `${status} ${whole} ${wrong}`)).toEqual(Array(40).fill("200 true "))
      expect(world.asked(target)).toBeLessThan(8)
      endAll(all)
    })
  }

  test("not without permission: the error is the client's", async () => {
    const target = "/strict"
    await fill(target, ["Cache-Control: max-age=1, must-revalidate, stale-if-error=600", 'ETag: "old"'])
    await untilStale(target)
    world.answer = each => (each.target === target ? answer("no", [], "500 Internal Server Error") : "")
    expect((await once(1, target))[0]).toBe("no")
  })

  test("and not longer than it says", async () => {
    const target = "/window"
    await fill(target, ["Cache-Control: max-age=0, stale-if-error=1", 'ETag: "old"'])
    world.answer = each => (each.target === target ? answer("no", [], "500 Internal Server Error") : "")
    expect((await once(0, target))[0]).toBe("old")
    await pause(1100)
    expect((await once(0, target))[0]).toBe("no")
  })
})
