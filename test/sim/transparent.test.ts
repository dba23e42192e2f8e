import { describe, expect, test } from "bun:test"
import { FakeClock, type Fault, TimerWheel } from "../../src/base/index.ts"
import { Exchange } from "../../src/flow/index.ts"
import { BODY_NONE, type Message, type ServerHooks, TransparentConnection } from "../../src/http/index.ts"
import { type ConnectionInfo, WireInfo } from "../../src/net/index.ts"
import { FakeWire } from "./fake-wire.ts"

const HEAD = 15_000
const SILENCE = 500

/** A captured client that called `port`, and what became of it. */
class World {
  readonly wire = new FakeWire()
  /** What began: method, host and port of each exchange, in its order. */
  readonly asked: string[] = []
  readonly faults: string[] = []
  open = 1
  private readonly clock = new FakeClock()
  private readonly wheel = new TimerWheel(this.clock.now())

  constructor(port: number, carriesOther = true) {
    const destination = { address: "198.51.100.7", port }
    const info: ConnectionInfo = new WireInfo(this.wire as never, false, null, destination)
    const finish = (m: Message, how: string): void => {
      this.asked.push(`${how}${m.method} ${m.host}:${m.port}`)
      m.responseBody = BODY_NONE
      m.status = 403
      m.down!.sendHead(m)
      m.down!.sendEnd("")
    }
    const hooks = {
      limits: { headBytesMax: 65_536, fieldsMax: 100, targetBytesMax: 8192, requestsMax: 0 } as ServerHooks["limits"],
      timeouts: { head: HEAD, idle: 60_000, body: 0, bodyRateMin: 0, write: 0, writeRateMin: 0 },
      secure: false,
      forward: true,
      http2: false,
      altSvc: "",
      closing: false,
      time: { clock: this.clock, wheel: this.wheel },
      acquire: (down: Exchange["down"]) => Object.assign(new Exchange(), { down }),
      recycle() {},
      start: (m: Message) => finish(m, ""),
      refuse: (m: Message, fault: Fault) => finish(m, `${fault.code} `),
      replaced() {},
      faulted: (fault: Fault) => void this.faults.push(fault.code),
      closed: () => void this.open--,
    } as unknown as ServerHooks
    this.wire.data = new TransparentConnection(this.wire, info, hooks, { silenceMs: SILENCE, carriesOther })
  }

  say(text: string): this {
    this.wire.deliver(text)
    return this
  }

  wait(ms: number): this {
    for (let passed = 0; passed < ms; passed += 100) {
      this.clock.advance(Math.min(100, ms - passed))
      this.wheel.advance(this.clock.now())
    }
    return this
  }

  get state(): { asked: string[]; faults: string[]; closed: boolean } {
    return { asked: this.asked, faults: this.faults, closed: this.wire.closed }
  }
}

describe("a captured client", () => {
  test("that speaks HTTP is served as by a server, in pieces and one request behind the other", () => {
    const world = new World(80)
    for (const octet of "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\nGET /b HTTP/1.1\r\nHost: b.test:81\r\n\r\n") world.say(octet)
    // The port is made out later, from the address that was called.
    expect(world.state).toEqual({ asked: ["GET a.test:80", "GET b.test:81"], faults: [], closed: false })
  })

  test("that is silent waits for its server where servers may speak first, and not on the ports of HTTP", () => {
    expect(new World(25).wait(SILENCE - 200).state.asked).toEqual([])
    expect(new World(25).wait(SILENCE + 200).state).toMatchObject({ asked: ["CONNECT :25"] })
    for (const port of [80, 443]) {
      expect(new World(port).wait(HEAD - 500).state).toEqual({ asked: [], faults: [], closed: false })
      expect(new World(port).wait(HEAD + 500).state).toEqual({ asked: [], faults: ["client.head-timeout"], closed: true })
    }
  })

  test("that has begun beyond doubt is waited for, one that may say anything is not", () => {
    for (const start of ["\x16\x03\x01", "GET /"]) {
      expect(new World(8443).say(start).wait(SILENCE * 4).state).toEqual({ asked: [], faults: [], closed: false })
      expect(new World(8443).say(start).wait(HEAD + 500).state).toEqual({ asked: [], faults: ["client.head-timeout"], closed: true })
    }
    expect(new World(8443).say("GE").wait(SILENCE + 200).state.asked).toEqual(["CONNECT :8443"])
  })

  test("that speaks something else, or to another proxy, is carried, or not at all", () => {
    for (const text of ["SSH-2.0-x\r\n", "CONNECT a.test:443 HTTP/1.1\r\n\r\n", "\x13BitTorrent protocol", "\0"]) {
      expect(new World(22).say(text).state.asked).toEqual(["CONNECT :22"])
      expect(new World(22, false).say(text).state).toEqual({ asked: [], faults: ["proxy.forbidden"], closed: true })
    }
    expect(new World(22, false).wait(SILENCE + 200).state).toEqual({ asked: [], faults: ["proxy.forbidden"], closed: true })
  })

  test("that closes its half before it has said what it speaks is carried, but not on the ports of HTTP", () => {
    const end = (port: number, text: string) => {
      const world = new World(port)
      if (text !== "") world.say(text)
      world.wire.data.onEnd(world.wire)
      return world.state
    }
    expect(end(25, "")).toMatchObject({ asked: ["CONNECT :25"] })
    expect(end(25, "GE")).toMatchObject({ asked: ["CONNECT :25"] })
    for (const text of ["", "GE", "GET / HTTP/1.1\r"]) expect(end(80, text)).toEqual({ asked: [], faults: [], closed: true })
  })

  test("that is gone, or whose listener closes, is counted out once", () => {
    const gone = new World(25)
    gone.wire.data.onClose(gone.wire, null)
    expect([gone.open, gone.wait(HEAD * 2).state.asked]).toEqual([0, []])
    const idle = new World(25)
    ;(idle.wire.data as TransparentConnection).closeIdle()
    expect([idle.open, idle.state]).toEqual([0, { asked: [], faults: [], closed: true }])
    // What has begun may end.
    const begun = new World(443).say("\x16")
    ;(begun.wire.data as TransparentConnection).closeIdle()
    expect(begun.open).toBe(1)
    ;(begun.wire.data as TransparentConnection).closeNow()
    expect(begun.open).toBe(0)
  })
})
