import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { RawClient } from "../../../support/raw-client.ts"
import { until } from "../../../support/wait.ts"
import { answer } from "../cached-origin.ts"
import { EngineWorld, get } from "./engine-world.ts"
import { endAll, herd, pattern, tally, untilDone } from "./herd.ts"

// The one whose request is fetched for all: slow, gone, or in a worker that dies.

let world: EngineWorld
beforeAll(async () => {
  world = await EngineWorld.start()
})
afterAll(() => world[Symbol.asyncDispose]())

const FRESH = "Cache-Control: max-age=600"
const large = pattern(3 * 2 ** 20)

/** One client each of worker 0 and 1, and of worker 0 again, who ask in this order. */
async function three(target: string): Promise<RawClient[]> {
  const clients = [await world.clientOn(0), await world.clientOn(1), await world.clientOn(0)]
  clients[0]!.send(get(target))
  await world.reach(target)
  for (const client of clients.slice(1)) client.send(get(target))
  return clients
}

function headOf(length: number): string {
  return `HTTP/1.1 200 OK\r\n${FRESH}\r\nContent-Length: ${length}\r\n\r\n`
}

describe("the leader", () => {
  test("reads nothing: the others have it all soon, of both workers", async () => {
    const slow = await world.clientOn(0)
    slow.pause()
    slow.send(get("/slow"))
    const { connection } = await world.reach("/slow")
    const others = await herd(world.port, 20, large)
    for (const { socket } of others) socket.write(get("/slow"))
    connection.send(Buffer.concat([Buffer.from(headOf(large.length)), large]))
    await untilDone(others, 5000)
    expect([tally(others), world.asked("/slow")]).toEqual([{ [`200 whole ${large.length}`]: 20 }, 1])
    slow.resume()
    expect((await slow.response()).body.length).toBe(large.length)
    slow.destroy()
    endAll(others)
  })

  for (const when of ["before the head", "in the middle of the body"]) {
    test(`goes ${when}: the others have it all, from the same fetch`, async () => {
      const target = `/gone?${when.length}`
      const [leader, ...others] = await three(target)
      const { connection } = await world.reach(target)
      if (when !== "before the head") {
        connection.send(`${headOf(8)}half`)
        await leader!.through("half")
      }
      leader!.reset()
      connection.send(when === "before the head" ? `${headOf(8)}halfhalf` : "half")
      for (const other of others) expect((await other.response()).body).toBe("halfhalf")
      expect(world.asked(target)).toBe(1)
      for (const other of others) other.destroy()
    })
  }

  test("and everybody else are gone: it is stored for whoever comes", async () => {
    const clients = await three("/nobody")
    const { connection } = await world.reach("/nobody")
    for (const client of clients) client.reset()
    connection.send(answer("stored", [FRESH]))
    const later = await world.clientOn(1)
    await until(async () => {
      later.send(get("/nobody"))
      return (await later.response()).fields["cache-status"]?.includes("; hit")
    })
    expect(world.asked("/nobody")).toBe(1)
    later.destroy()
  })

  for (const [when, sent] of [
    ["before the head", ""],
    ["in a body of known length", `${headOf(8)}half`],
    ["in a body in chunks", `HTTP/1.1 200 OK\r\n${FRESH}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`],
  ] as const) {
    test(`has a worker that dies ${when}: who waits in the other one is served by a fetch of his own, and nobody gets half for a whole`, async () => {
      const target = `/dies?${sent.length}`
      const leader = await world.clientOn(0)
      leader.send(get(target))
      const { connection } = await world.reach(target)
      if (sent !== "") {
        connection.send(sent)
        await leader.through("half")
      }
      const waiting = await world.clientOn(1)
      waiting.send(get(target))
      const reading = sent.includes("Length")
      if (reading) await waiting.through("half")
      expect((await world.change("/workers/0/terminate")).status).toBe(202)
      expect((await leader.toEnd()).trim()).toBe("")
      if (reading) expect(await waiting.toEnd()).toBe("")
      else {
        const again = await world.reach(target, 1)
        again.connection.send(answer("new", [FRESH]))
        expect((await waiting.response()).body).toBe("new")
      }
      await until(async () => (await world.proxy.ask("/readyz")).status === 200)
      const later = await world.clientOn(1)
      later.send(get(target))
      if (reading) (await world.reach(target, 1)).connection.send(answer("new", [FRESH]))
      expect((await later.response()).body).toBe("new")
      later.destroy()
      waiting.destroy()
    }, 15_000)
  }
})

test("when all is over nothing is held", async () => {
  await world.untilAlone()
  await world.change("/cache/purge?all=true")
  await until(async () => (await world.memory()).usedBytes === 0)
  expect((await world.memory()).entries).toBe(0)
})
