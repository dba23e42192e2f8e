import { describe, expect, test } from "bun:test"
import { FakeClock } from "../base/index.ts"
import { OriginMemory, readAltSvc } from "./origin-memory.ts"

const HOUR = 3600_000

describe("Alt-Svc", () => {
  for (const [value, port, lifeMs] of [
    ['h3=":443"', 443, 24 * HOUR],
    ['h3=":8443"; ma=3600', 8443, HOUR],
    ['h3=":443"; ma=60; persist=1', 443, 60_000],
    ['h3-29=":443"; ma=60, h3=":444"; ma=120', 444, 120_000],
    ['h2=":443", H3=":445"', 445, 24 * HOUR],
    ['h3="other.test:443"', 0, 0],
    ['h3=":0"', 0, 0],
    ['h3=":65536"', 0, 0],
    ["clear", 0, 0],
    ["", 0, 0],
    ['h3=":443', 0, 0],
  ] as const)
    test(JSON.stringify(value), () => expect(readAltSvc(value)).toEqual({ port, lifeMs }))
})

describe("what is remembered of an origin", () => {
  const make = () => {
    const clock = new FakeClock()
    return { clock, memory: new OriginMemory(clock) }
  }

  test("an alternative for its life, and not for another origin", () => {
    const { clock, memory } = make()
    memory.altSvc("https//a.test:443", 'h3=":444"; ma=60')
    expect([memory.http3Port("https//a.test:443"), memory.http3Port("https//b.test:443")]).toEqual([444, 0])
    clock.advance(59_000)
    expect(memory.http3Port("https//a.test:443")).toBe(444)
    clock.advance(1000)
    expect(memory.http3Port("https//a.test:443")).toBe(0)
  })

  test("no longer than a week, whatever the origin says", () => {
    const { clock, memory } = make()
    memory.altSvc("a", 'h3=":444"; ma=999999999')
    clock.advance(7 * 24 * HOUR)
    expect(memory.http3Port("a")).toBe(0)
  })

  test("clear takes it back; a record does not speak against what the origin itself said", () => {
    const { memory } = make()
    memory.altSvc("a", 'h3=":444"')
    memory.offered("a", 443)
    expect(memory.http3Port("a")).toBe(444)
    memory.altSvc("a", "clear")
    expect(memory.http3Port("a")).toBe(0)
    memory.offered("a", 443)
    expect(memory.http3Port("a")).toBe(443)
  })

  test("a failure leaves it alone for five minutes, the next for ten; success forgets them", () => {
    const { clock, memory } = make()
    memory.altSvc("a", 'h3=":444"; ma=86400')
    memory.failed("a")
    expect(memory.http3Port("a")).toBe(0)
    clock.advance(5 * 60_000)
    expect(memory.http3Port("a")).toBe(444)
    memory.failed("a")
    clock.advance(9 * 60_000)
    expect(memory.http3Port("a")).toBe(0)
    clock.advance(60_000)
    expect(memory.http3Port("a")).toBe(444)
    memory.worked("a")
    memory.failed("a")
    clock.advance(5 * 60_000)
    expect(memory.http3Port("a")).toBe(444)
  })

  test("records are asked for once an hour", () => {
    const { clock, memory } = make()
    clock.advance(1)
    expect([memory.shouldAsk("a"), memory.shouldAsk("a"), memory.shouldAsk("b")]).toEqual([true, false, true])
    clock.advance(HOUR)
    expect([memory.shouldAsk("a"), memory.shouldAsk("a")]).toEqual([true, false])
  })

  test("the origins that were told of longest ago make room", () => {
    const { memory } = make()
    for (let i = 0; i < 4097; i++) memory.altSvc(`o${i}`, 'h3=":443"')
    expect([memory.http3Port("o0"), memory.http3Port("o1"), memory.http3Port("o4096")]).toEqual([0, 443, 443])
  })
})
