import { afterAll, describe, expect, test } from "bun:test"
import { scaled } from "../../../support/long.ts"
import { EngineWorld, get } from "./engine-world.ts"
import { endAll, herd, pattern, tally, untilDone } from "./herd.ts"

// A thousand clients of two workers ask at once for what nobody has: one request goes upstream, and each gets it all.

const world = await EngineWorld.start({ memory: "64MB" })
afterAll(() => world[Symbol.asyncDispose]())

const FRESH = "Cache-Control: max-age=600"
const count = 1000

function whole(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${FRESH}\r\nContent-Length: ${body.length}\r\n\r\n`), body])
}

function inChunks(body: Buffer, size: number): Buffer[] {
  const pieces = [Buffer.from(`HTTP/1.1 200 OK\r\n${FRESH}\r\nTransfer-Encoding: chunked\r\n\r\n`)]
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size)
    pieces.push(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]))
  }
  return [...pieces, Buffer.from("0\r\n\r\n")]
}

describe("a stampede", () => {
  for (const [name, body, clients, send] of [
    ["of a small body", pattern(200), count, (octets: Buffer) => [whole(octets)]],
    ["of 1 MB with its length, in pieces", pattern(2 ** 20), scaled(200, count), (octets: Buffer) => cut(whole(octets), 50_000)],
    ["of chunks", pattern(60_000), count, (octets: Buffer) => inChunks(octets, 7000)],
  ] as const) {
    test(`${name}: one request upstream, the right octets for all`, async () => {
      const target = `/${encodeURIComponent(name)}`
      const all = await herd(world.port, clients, body)
      const spread = await world.spread(clients / 4)
      expect(spread.reduce((sum, each) => sum + each)).toBe(clients)
      for (const client of all) client.socket.write(get(target))
      const { connection } = await world.reach(target)
      for (const piece of send(body)) {
        connection.send(piece)
        await new Promise(resolve => setTimeout(resolve, 2))
      }
      await untilDone(all)
      expect(tally(all)).toEqual({ [`200 whole ${body.length}`]: clients })
      expect(world.asked(target)).toBe(1)
      endAll(all)
      await world.untilAlone()
    }, 40_000)
  }

  test("for what is stored already asks nobody", async () => {
    const body = pattern(200)
    const all = await herd(world.port, 200, body)
    for (const client of all) client.socket.write(get("/of%20a%20small%20body"))
    await untilDone(all)
    expect(tally(all)).toEqual({ "200 whole 200": 200 })
    expect(world.asked("/of%20a%20small%20body")).toBe(1)
    endAll(all)
  })
})

function cut(octets: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(octets.length / size) }, (_, i) => octets.subarray(i * size, (i + 1) * size))
}
