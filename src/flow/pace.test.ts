import { describe, expect, test } from "bun:test"
import { FakeClock, TimerWheel } from "../base/index.ts"
import type { Downstream, Upstream } from "../http/index.ts"
import { Exchange, type Plan } from "./exchange.ts"
import { setPace } from "./pace.ts"
import { takeAhead } from "./response-ahead.ts"

/** One octet a millisecond. */
class Gauge {
  readonly pieceBytes: number
  due = 0
  private readonly clock: FakeClock

  constructor(clock: FakeClock, pieceBytes: number) {
    this.clock = clock
    this.pieceBytes = pieceBytes
  }

  went(octets: number): number {
    this.due = Math.max(this.due, this.clock.now()) + octets
    return this.due - this.clock.now()
  }
}

function scene(pieceBytes = 100, free = 0) {
  const clock = new FakeClock()
  const time = { clock, wheel: new TimerWheel(clock.now(), 10) }
  const seen = { sent: "", ended: false, reading: true, full: false, aborted: false, sourcePaused: false }
  const down = {
    sendBody: (chunk: Uint8Array) => {
      seen.sent += Buffer.from(chunk).toString("latin1")
      return !seen.full
    },
    flush: () => !seen.full,
    sendEnd: () => void (seen.ended = true),
    pauseBody: () => void (seen.reading = false),
    resumeBody: () => void (seen.reading = true),
    abort: () => void (seen.aborted = true),
  } as unknown as Downstream
  const up = {
    pauseBody: () => void (seen.sourcePaused = true),
    resumeBody: () => void (seen.sourcePaused = false),
    abort() {},
  } as unknown as Upstream
  const x = new Exchange()
  // The step in the middle waits for the end of the body; the last one releases.
  x.plan = { steps: [() => 1, () => 4], respondAt: 0, logAt: 1, bodyBytesMax: 0, route: {} } as unknown as Plan
  x.down = down
  x.up = up
  x.headSent = true
  setPace(x, time).add(new Gauge(clock, pieceBytes), new Gauge(clock, pieceBytes), free)
  const pass = (ms: number) => {
    for (let i = 0; i < ms; i += 10) {
      clock.advance(10)
      time.wheel.advance(clock.now())
    }
  }
  return { x, seen, pass, clock }
}

describe("a pace", () => {
  test("cuts a chunk into pieces, holds the source back and the end, and loses nothing", () => {
    const { x, seen, pass } = scene()
    const body = Array.from({ length: 950 }, (_, i) => String(i % 10)).join("")
    x.onResponseBody(Buffer.from(body.slice(0, 350)))
    expect([seen.sent.length, seen.sourcePaused]).toEqual([100, true])
    x.onResponseBody(Buffer.from(body.slice(350)))
    x.onResponseEnd("")
    expect([x.up, seen.ended]).toEqual([null, false])
    pass(400)
    expect(seen.sent.length).toBeWithin(400, 601)
    pass(700)
    expect([seen.sent, seen.ended]).toEqual([body, true])
  })

  test("a chunk's memory may be another one's after the call", () => {
    const { x, seen, pass } = scene()
    const memory = Buffer.from("a".repeat(200))
    x.onResponseBody(memory)
    memory.fill("b")
    pass(300)
    expect(seen.sent).toBe("a".repeat(200))
  })

  test("a client's side that is full is waited for, and so is the time", () => {
    const { x, seen, pass } = scene()
    seen.full = true
    x.onResponseBody(Buffer.alloc(300))
    pass(500)
    expect(seen.sent.length).toBe(100)
    seen.full = false
    x.onDownDrain()
    expect(seen.sent.length).toBe(200)
    x.onDownDrain()
    expect([seen.sent.length, seen.sourcePaused]).toEqual([200, true])
    pass(300)
    expect([seen.sent.length, seen.sourcePaused]).toEqual([300, false])
  })

  test("the first octets are free", () => {
    const { x, seen } = scene(100, 1000)
    x.onResponseBody(Buffer.alloc(1500))
    expect(seen.sent.length).toBe(1100)
  })

  test("uploads: reading stops, and goes on only when everybody wants it", () => {
    const { x, seen, pass } = scene()
    x.onRequestBody(Buffer.alloc(100))
    expect(seen.reading).toBe(false)
    x.down!.resumeBody()
    expect(seen.reading).toBe(false)
    pass(120)
    expect(seen.reading).toBe(true)
    x.onRequestBody(Buffer.alloc(100))
    x.down!.pauseBody()
    pass(120)
    expect(seen.reading).toBe(false)
    x.down!.resumeBody()
    expect(seen.reading).toBe(true)
  })

  test("parts are small, and none before its time", () => {
    const { x, pass } = scene()
    expect([x.down!.sendPart!(Buffer.alloc(1000)), x.down!.sendPart!(Buffer.alloc(1000)), x.down!.flush()]).toEqual([100, 0, false])
    pass(120)
    expect(x.down!.sendPart!(Buffer.alloc(50))).toBe(50)
  })

  test("a response that is taken ahead of its client: the source is not held back, the client's side is", () => {
    const { x, seen, pass } = scene()
    x.headSent = false
    const room = { bytes: 0, bytesMax: 1e6 }
    takeAhead(x, 1e6, room)
    x.headSent = true
    for (let i = 0; i < 5; i++) x.onResponseBody(Buffer.alloc(100))
    x.onResponseEnd("")
    expect([seen.sent.length, seen.sourcePaused, room.bytes]).toEqual([100, false, 400])
    pass(250)
    expect(seen.sent.length).toBeWithin(200, 401)
    pass(400)
    expect([seen.sent.length, seen.ended, room.bytes]).toEqual([500, true, 0])
  })

  test("an exchange that is over leaves no timer", () => {
    const { x, seen, pass } = scene()
    x.onResponseBody(Buffer.alloc(300))
    x.release()
    expect(x.pace).toBe(null)
    pass(500)
    expect(seen.sent.length).toBe(100)
  })
})
