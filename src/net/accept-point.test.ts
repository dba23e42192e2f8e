import { afterAll, describe, expect, test } from "bun:test"
import { CidrSet } from "../base/index.ts"
import { ConnectionLimits } from "./connection-limits.ts"
import type { Listening, ListenOptions } from "./listen.ts"
import { type Client, client, type Door, startDoor } from "./test-door.ts"
import { testTime as time, until } from "./test-time.ts"

const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
})

function start(options: Partial<ListenOptions> = {}): { door: Door; at: Listening } {
  return startDoor(stops, options)
}

describe("limits", () => {
  function limits(connectionsMax: number, perClientMax = 0): ConnectionLimits {
    const options = { connectionsMax, perClientMax, workers: 1 }
    return new ConnectionLimits(ConnectionLimits.share(options), options, 0)
  }

  test("connectionsMax: the one too many is closed, and a place that becomes free is given again", async () => {
    const counted = limits(2)
    const { door, at } = start({ limits: counted })
    const [a, b] = [await client(at.port), await client(at.port)]
    const c = await client(at.port)
    await until(() => c.closed, "the refusal")
    expect([door.seen.length, door.refusals]).toEqual([2, ["connectionsMax"]])
    a.socket.destroy()
    await until(() => counted.open === 1, "the free place")
    const d = await client(at.port)
    d.socket.write("hello")
    await until(() => d.received === "hello", "the echo")
    for (const { socket } of [b, d]) socket.destroy()
    await until(() => counted.open === 0, "none left")
  })

  test("the acceptor's last word reaches the refused client", async () => {
    const counted = limits(1)
    const { door, at } = start({ limits: counted })
    door.lastWord = "503"
    const a = await client(at.port)
    const b = await client(at.port)
    await until(() => b.closed, "the refusal")
    expect([b.received, a.closed]).toEqual(["503", false])
    a.socket.destroy()
    await until(() => counted.open === 0, "none left")
  })

  test("connectionsPerClientMax: one client's flood leaves room for others; each place is given back once", async () => {
    const counted = limits(100, 2)
    const { door, at } = start({ limits: counted, bind: { host: "", port: 0 } })
    const own = [await client(at.port), await client(at.port), await client(at.port)]
    await until(() => own[2]!.closed, "the refusal")
    const other = await client(at.port, "::1")
    other.socket.write("hello")
    await until(() => other.received === "hello", "the other client")
    expect(door.refusals).toEqual(["connectionsPerClientMax"])
    own[0]!.socket.resetAndDestroy()
    await until(() => counted.open === 2, "the free place")
    const next = await client(at.port)
    next.socket.write("hello")
    await until(() => next.received === "hello", "the echo")
  })

  test("300 connections, ended in every way, leave the counters at 0", async () => {
    const counted = limits(50, 20)
    const { at } = start({ limits: counted })
    for (let round = 0; round < 10; round++) {
      const all = await Promise.all(Array.from({ length: 30 }, () => client(at.port)))
      for (const [i, { socket }] of all.entries()) {
        if (i % 3 === 0) socket.resetAndDestroy()
        else if (i % 3 === 1) socket.end("bye")
        else socket.destroy()
      }
      await until(() => counted.open === 0, "none left")
    }
    expect(counted.admit("127.0.0.1")).toBeGreaterThan(0)
  })
})

describe("PROXY protocol", () => {
  const from = { prefaceFrom: CidrSet.parse(["127.0.0.1"]) }

  test("the header names the client; what comes behind it in the same packet is data", async () => {
    const { door, at } = start(from)
    const one = await client(at.port)
    one.socket.write("PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\nGET /")
    await until(() => one.received === "GET /", "the echo")
    const { info } = door.seen[0]!
    expect([info.remoteAddress, info.remotePort, info.localAddress, info.localPort, info.peerAddress]).toEqual([
      "203.0.113.7",
      4711,
      "198.51.100.1",
      80,
      "127.0.0.1",
    ])
  })

  test("octet by octet", async () => {
    const { door, at } = start(from)
    const one = await client(at.port)
    one.socket.setNoDelay(true)
    for (const octet of "PROXY TCP6 2001:db8::7 ::1 4711 80\r\nhi") {
      one.socket.write(octet)
      await Bun.sleep(1)
    }
    await until(() => one.received === "hi", "the echo")
    expect(door.seen[0]!.info.remoteAddress).toBe("2001:db8::7")
  })

  test("none, a broken one, an end before it, silence: closed, told once, never opened", async () => {
    const { door, at } = start({ ...from, handshakeMs: 60 })
    const cases = [await client(at.port), await client(at.port), await client(at.port), await client(at.port)]
    cases[0]!.socket.write("GET / HTTP/1.1\r\n\r\n")
    cases[1]!.socket.write("PROXY TCP4 nonsense\r\n")
    cases[2]!.socket.end("PROXY TCP4 203")
    await until(() => cases.every(({ closed }) => closed), "all closed")
    expect(door.seen).toEqual([])
    expect(door.failures.map(([failure]) => failure).sort()).toEqual(["bad-preface", "bad-preface", "bad-preface", "timeout"])
    expect(time.wheel.size).toBe(0)
  })

  test("peers that are not in the list send none, and one that does is not believed", async () => {
    const { door, at } = start({ prefaceFrom: CidrSet.parse(["192.0.2.0/24"]) })
    const one = await client(at.port)
    one.socket.write("PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n")
    await until(() => door.seen[0]?.received.startsWith("PROXY") === true, "plain data")
    expect(door.seen[0]!.info.remoteAddress).toBe("127.0.0.1")
  })

  test("connectionsPerClientMax counts the client that the header names", async () => {
    const options = { connectionsMax: 100, perClientMax: 1, workers: 1 }
    const counted = new ConnectionLimits(ConnectionLimits.share(options), options, 0)
    const { door, at } = start({ ...from, limits: counted })
    const clients: Client[] = []
    for (const address of ["203.0.113.7", "203.0.113.8", "203.0.113.7"]) {
      const one = await client(at.port)
      one.socket.write(`PROXY TCP4 ${address} 198.51.100.1 4711 80\r\nhi`)
      await until(() => one.received === "hi" || one.closed, "an answer")
      clients.push(one)
    }
    expect([clients.map(({ received }) => received), door.refusals]).toEqual([["hi", "hi", ""], ["connectionsPerClientMax"]])
    for (const { socket } of clients) socket.destroy()
    await until(() => counted.open === 0, "none left")
    expect(counted.admit("203.0.113.7")).toBeGreaterThan(0)
  })
})
