import { describe, expect, test } from "bun:test"
import { FakeClock, TimerWheel } from "../../base/index.ts"
import type { DialFailure, DialHandler, Wire, WireHandler } from "../../net/index.ts"
import { SocksDial, type SocksDialOptions } from "./socks-dial.ts"

/** A connection that keeps what is written. */
class FakeWire implements Wire {
  data: WireHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
  readonly remoteAddress = ""
  readonly remotePort = 0
  readonly localAddress = ""
  readonly localPort = 0
  sent: number[] = []
  cut = false
  write(data: string | Uint8Array): number {
    this.sent.push(...Buffer.from(data as Uint8Array))
    return data.length
  }
  end(): void {}
  shutdown(): void {}
  terminate(): void {
    this.cut = true
  }
  pause(): void {}
  resume(): void {}
}

function run(options: Partial<SocksDialOptions> = {}) {
  const clock = new FakeClock()
  const time = { clock, wheel: new TimerWheel(clock.now()) }
  const wire = new FakeWire()
  const got = { failure: "" as DialFailure | "", detail: "", open: 0, rest: "" }
  const listener: WireHandler = { onData: (_, chunk) => void (got.rest += chunk.toString()), onDrain() {}, onEnd() {}, onClose() {} }
  const handler: DialHandler = {
    onOpen: () => {
      got.open++
      return listener
    },
    onFailed(kind, detail) {
      got.failure = kind
      got.detail = detail
    },
  }
  let cancelled = 0
  let opened: DialHandler | null = null
  const dial = new SocksDial(
    {
      version: 5,
      login: { user: "", password: "" },
      target: { host: "a.test", port: 443 },
      inside: { time, timeoutMs: 1000, tls: null, serverName: "", overTls: false },
      ...options,
    },
    handler,
  ).begin(own => {
    opened = own
    return { cancel: () => void cancelled++ }
  })
  const say = (...octets: number[]) => {
    for (const octet of octets) wire.data.onData(wire, Buffer.of(octet))
  }
  const open = () => {
    const next = opened!.onOpen(wire, "")
    if (next !== null) wire.data = next
  }
  const pass = (ms: number) => {
    clock.advance(ms)
    time.wheel.advance(clock.now())
  }
  return { dial, wire, got, say, open, pass, cancelled: () => cancelled }
}

const name = [...Buffer.from("a.test")]

describe("SOCKS 5", () => {
  test("octet by octet, and what follows is the origin's", () => {
    const { wire, got, say, open } = run()
    open()
    expect(wire.sent.splice(0)).toEqual([5, 1, 0])
    say(5, 0)
    expect(wire.sent).toEqual([5, 1, 0, 3, 6, ...name, 1, 187])
    wire.data.onData(wire, Buffer.from([5, 0, 0, 1, 1, 2, 3, 4, 0, 80, ...Buffer.from("SSH-2.0")]))
    expect(got).toMatchObject({ open: 1, failure: "", rest: "SSH-2.0" })
  })
  test("with a log-in, which is offered and said only when it is wanted", () => {
    const { wire, got, say, open } = run({ login: { user: "bob", password: "pw" } })
    open()
    expect(wire.sent.splice(0)).toEqual([5, 2, 0, 2])
    say(5, 2)
    expect(wire.sent.splice(0)).toEqual([1, 3, 98, 111, 98, 2, 112, 119])
    say(1, 0)
    say(5, 0, 0, 4, ...Array.from({ length: 18 }, () => 0))
    expect(got).toMatchObject({ open: 1, failure: "" })
  })
  test("literals go as addresses", () => {
    const v4 = run({ target: { host: "192.0.2.1", port: 80 } })
    v4.open()
    v4.say(5, 0)
    expect(v4.wire.sent.slice(3)).toEqual([5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
    const v6 = run({ target: { host: "2001:db8::1", port: 80 } })
    v6.open()
    v6.say(5, 0)
    expect(v6.wire.sent.slice(3)).toEqual([5, 1, 0, 4, 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80])
  })
  test.each<[string, number[], DialFailure]>([
    ["another version", [4, 0], "garbled"],
    ["no method that we have", [5, 255], "login"],
    ["a log-in that we have not offered", [5, 2], "garbled"],
    ["an answer of another version", [5, 0, 4, 0], "garbled"],
    ["a reserved octet that is not 0", [5, 0, 5, 0, 1, 1, 0], "garbled"],
    ["an unknown kind of address", [5, 0, 5, 0, 0, 2, 0], "garbled"],
    ["a refusal", [5, 0, 5, 5], "denied"],
    ["HTTP", [...Buffer.from("HTTP/1.1 400")], "garbled"],
  ])("%s", (_, octets, failure) => {
    const { got, say, open, wire } = run()
    open()
    say(...octets)
    expect([got.failure, got.open, wire.cut]).toEqual([failure, 0, true])
  })
  test("silence ends at the time of the whole; an end before is told; cancelling is quiet", () => {
    const silent = run()
    silent.open()
    silent.pass(1100)
    expect(silent.got).toMatchObject({ failure: "timeout", open: 0 })
    const dialling = run()
    dialling.pass(1100)
    expect([dialling.got.failure, dialling.cancelled()]).toEqual(["timeout", 1])
    const closed = run()
    closed.open()
    closed.wire.data.onClose(closed.wire, null)
    expect(closed.got.failure).toBe("reset")
    const gone = run()
    gone.open()
    gone.dial.cancel()
    gone.pass(2000)
    expect([gone.got.failure, gone.wire.cut]).toEqual(["", true])
  })
  test("names of 255 octets are said, longer ones are not", () => {
    const long = run({ target: { host: "a".repeat(255), port: 1 } })
    long.open()
    long.say(5, 0)
    expect(long.wire.sent.length).toBe(3 + 7 + 255)
    const longer = run({ target: { host: "a".repeat(256), port: 1 } })
    longer.open()
    longer.say(5, 0)
    expect(longer.got.failure).toBe("denied")
  })
})

describe("SOCKS 4a", () => {
  const four = (host: string) => run({ version: 4, login: { user: "bob", password: "" }, target: { host, port: 80 } })
  test("names behind the user, and IPv4 as it is", () => {
    const named = four("a.test")
    named.open()
    expect(named.wire.sent).toEqual([4, 1, 0, 80, 0, 0, 0, 1, 98, 111, 98, 0, ...name, 0])
    named.say(0, 90, 0, 0, 0, 0, 0, 0)
    expect(named.got).toMatchObject({ open: 1, failure: "" })
    const literal = four("192.0.2.1")
    literal.open()
    expect(literal.wire.sent).toEqual([4, 1, 0, 80, 192, 0, 2, 1, 98, 111, 98, 0])
  })
  test.each<[string, number[], DialFailure]>([
    ["a refusal", [0, 91, 0, 0, 0, 0, 0, 0], "denied"],
    ["another user", [0, 93, 0, 0, 0, 0, 0, 0], "login"],
    ["an unknown code", [0, 5, 0, 0, 0, 0, 0, 0], "garbled"],
    ["another version", [5], "garbled"],
  ])("%s", (_, octets, failure) => {
    const { got, say, open } = four("a.test")
    open()
    say(...octets)
    expect(got.failure).toBe(failure)
  })
  test("IPv6 has no place", () => {
    const { got, open } = four("::1")
    open()
    expect(got.failure).toBe("denied")
  })
})
