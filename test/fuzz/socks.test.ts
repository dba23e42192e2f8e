import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FakeClock, type Fault, TimerWheel } from "../../src/base/index.ts"
import { Exchange } from "../../src/flow/index.ts"
import { BODY_NONE, type Message, NAME, ServerConnection, type ServerHooks, SocksServerConnection } from "../../src/http/index.ts"
import { WireInfo } from "../../src/net/index.ts"
import { type Cuts, pieces } from "../conformance/codec-harness.ts"
import { FakeWire } from "../sim/fake-wire.ts"
import { address5, greeting, password, refused5, request4, request5 } from "../support/socks.ts"
import { cuts, octet, runs, seeds, slipped } from "./arbitraries.ts"

/** What became of a client: what it was told while it asked, what it asks for and says of itself, and how it ended. */
interface Heard {
  readonly told: string
  readonly asked: string
  /** "more": it goes on reading; "start": an exchange began; else a fault. */
  readonly end: string
}

const socks = { v4: true, v5: true, only: false, passwords: true, silent: true, bind: false, udp: null }

/** Reads as the real codec does, on a port of its own or beside HTTP. Whatever begins is answered with a refusal. */
function hear(text: string, how: Cuts, beside: boolean): Heard {
  const clock = new FakeClock()
  let asked = ""
  let end = "more"
  const finish = (m: Message, how: string): void => {
    end = how
    const { up, down } = m
    if (how === "start") asked = `${m.method} ${m.host} ${m.port}${m.request.get(NAME.proxyAuthorization).replace("Basic", "")}${asked}`
    expect(up).toBe(null)
    m.responseBody = BODY_NONE
    m.status = 403
    down!.sendHead(m)
    down!.sendEnd("")
  }
  const hooks: ServerHooks = {
    limits: { headBytesMax: 65_536, fieldsMax: 100, targetBytesMax: 8192, requestsMax: 0 } as ServerHooks["limits"],
    timeouts: { head: 0, idle: 0, body: 0, bodyRateMin: 0, write: 0, writeRateMin: 0 },
    secure: false,
    forward: true,
    http2: true,
    altSvc: "",
    closing: false,
    socks,
    time: { clock, wheel: new TimerWheel(clock.now()) },
    acquire(down) {
      const x = new Exchange()
      x.down = down
      return x
    },
    recycle() {},
    claimed: (_m, name) => void (asked = `|${name}`),
    start: m => finish(m, "start"),
    refuse(m: Message, fault: Fault) {
      ;(m as Exchange).fault = fault
      finish(m, fault.code)
    },
    replaced() {},
    faulted() {},
    closed() {},
  }
  const wire = new FakeWire()
  const info = new WireInfo(wire as never, false, null, null)
  wire.data = beside ? new ServerConnection(wire, info, hooks) : new SocksServerConnection(wire, info, hooks, socks)
  for (const piece of pieces(text, how)) {
    if (wire.closed || end !== "more") break
    if (piece !== "") wire.deliver(piece)
  }
  // Who takes us for a proxy of HTTP is told so in its own words.
  return { told: wire.sent.startsWith("HTTP/1.1 400 ") ? "HTTP" : wire.sent, asked, end }
}

/** A second opinion, made without the codec: one look at the whole. */
function strictly(text: string): Heard {
  const at = (i: number): number => text.charCodeAt(i)
  if (text === "") return { told: "", asked: "", end: "more" }
  if (at(0) === 4) return four(text)
  if (at(0) !== 5) return { told: /^[A-Z]/.test(text) ? "HTTP" : "", asked: "", end: "client.socks-malformed" }
  if (text.length < 2 || text.length < 2 + at(1)) return { told: "", asked: "", end: "more" }
  const methods = [...text.slice(2, 2 + at(1))]
  const method = methods.includes("\x02") ? "\x02" : methods.includes("\0") ? "\0" : ""
  if (method === "") return { told: "\x05\xff", asked: "", end: "client.socks-method" }
  let rest = text.slice(2 + at(1))
  let told = `\x05${method}`
  let said = ""
  if (method === "\x02") {
    const user = rest.length < 2 ? null : rest.slice(2, 2 + rest.charCodeAt(1))
    if (rest !== "" && rest[0] !== "\x01") return { told: `${told}\x01\x01`, asked: "", end: "client.socks-malformed" }
    const behind = user === null ? "" : rest.slice(2 + rest.charCodeAt(1))
    if (user === null || behind === "" || behind.length < 1 + behind.charCodeAt(0)) return { told, asked: "", end: "more" }
    if (user.includes(":")) return { told: `${told}\x01\x01`, asked: "", end: "client.socks-malformed" }
    said = ` ${Buffer.from(`${user}:${behind.slice(1, 1 + behind.charCodeAt(0))}`, "latin1").toString("base64")}`
    rest = behind.slice(1 + behind.charCodeAt(0))
    told += "\x01\0"
  }
  return five(rest, told, said)
}

function five(text: string, told: string, said: string): Heard {
  const no = (code: number, end: string): Heard => ({ told: told + refused5(code), asked: "", end })
  if (text.length > 0 && text[0] !== "\x05") return no(1, "client.socks-malformed")
  if (text.length > 2 && text[2] !== "\0") return no(1, "client.socks-malformed")
  if (text.length > 3 && !["\x01", "\x03", "\x04"].includes(text[3]!)) return no(8, "client.socks-malformed")
  if (text.length < 5) return { told, asked: "", end: "more" }
  const name = text[3] === "\x03"
  const start = name ? 5 : 4
  const end = start + (name ? text.charCodeAt(4) : text[3] === "\x01" ? 4 : 16)
  if (text.length < end + 2) return { told, asked: "", end: "more" }
  if (text[1] !== "\x01") return no(7, "client.socks-command")
  return started({
    told,
    host: hostOf(text.slice(start, end), name),
    port: text.charCodeAt(end) * 256 + text.charCodeAt(end + 1),
    said,
    no: told + refused5(1),
    yes: told + refused5(2),
  })
}

function four(text: string): Heard {
  const no = "\0\x5b\0\0\0\0\0\0"
  const malformed = { told: no, asked: "", end: "client.socks-malformed" }
  const more = { told: "", asked: "", end: "more" }
  if (text.length < 9) return more
  const user = text.slice(8).split("\0", 1)[0]!
  if (user.length > 255) return malformed
  if (text.length === 8 + user.length) return more
  const byName = /^\0\0\0[^\0]/.test(text.slice(4, 8))
  const behind = text.slice(9 + user.length)
  const name = behind.split("\0", 1)[0]!
  if (byName && name.length > 255) return malformed
  if (byName && behind.length === name.length) return more
  if (text[1] !== "\x01") return { ...malformed, end: "client.socks-command" }
  const host = hostOf(byName ? name : text.slice(4, 8), byName)
  return started({ told: "", host, port: text.charCodeAt(2) * 256 + text.charCodeAt(3), said: user === "" ? "" : `|${user}`, no, yes: no })
}

/** A literal as URLs have it, without brackets; null = no host of any kind. */
function hostOf(octets: string, isName: boolean): string | null {
  if (isName) {
    const bare = /^\[(.*)\]$/s.exec(octets)?.[1] ?? octets
    if (/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(bare) && URL.canParse(`http://[${bare}]/`)) return literal(bare)
    if (!/^[A-Za-z0-9\-._~!$&'()*+,;=%]+$/.test(octets)) return null
    const meant = octets.toLowerCase().replace(/\.$/, "")
    return meant === "" ? null : meant
  }
  const codes = [...octets].map(c => c.charCodeAt(0))
  if (codes.length === 4) return codes.join(".")
  const groups = Array.from({ length: 8 }, (_, i) => (codes[i * 2]! * 256 + codes[i * 2 + 1]!).toString(16)).join(":")
  return literal(groups)
}

function literal(groups: string): string {
  const short = new URL(`http://[${groups}]/`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short)
  if (mapped === null) return short
  const bits = [mapped[1]!, mapped[2]!].map(group => Number.parseInt(group, 16))
  return bits.flatMap(group => [group >> 8, group & 255]).join(".")
}

interface Begun {
  readonly told: string
  readonly host: string | null
  readonly port: number
  readonly said: string
  readonly no: string
  readonly yes: string
}

function started({ host, port, said, no, yes }: Begun): Heard {
  if (host === null || port === 0) return { told: no, asked: "", end: "client.bad-host" }
  return { told: yes, asked: `CONNECT ${host} ${port}${said}`, end: "start" }
}

const text = (max: number) => fc.array(octet, { maxLength: max }).map(list => list.join(""))
const host = fc.constantFrom(
  "127.0.0.1",
  "::1",
  "2001:db8::1",
  "::ffff:7f00:1",
  "a.test",
  "A.TEST.",
  "",
  "a b",
  "a:80",
  "u@a",
  "[::1]",
  "fe80::1%0",
  "%00",
  "a".repeat(255),
)
const port = fc.constantFrom(0, 1, 80, 443, 65_535)
const command = fc.constantFrom(1, 1, 1, 1, 2, 3, 0, 255)
const named = fc.tuple(host, port, command).map(([name, number, word]) => request5(name, number, word))
const asName = fc
  .tuple(host, port)
  .map(([name, number]) => `\x05\x01\0\x03${String.fromCharCode(name.length)}${name}${request5("", number).slice(-2)}`)
const begun = fc.oneof(
  fc.constantFrom(greeting(0), greeting(0), greeting(1, 0), greeting(), greeting(255)),
  fc.tuple(text(6), text(6)).map(([user, secret]) => greeting(0, 2) + password(user, secret)),
)
const one5 = fc.tuple(begun, fc.oneof(named, asName), text(4)).map(parts => parts.join(""))
const one4 = fc
  .tuple(host, port, command, fc.constantFrom("", "me", "u".repeat(255), "u".repeat(256)))
  .map(([name, number, word, user]) => request4(name, number, { command: word, user }))
const stream = slipped(fc.oneof({ weight: 3, arbitrary: one5 }, { weight: 2, arbitrary: one4 }), 3)

describe("what a SOCKS client says", () => {
  test("is heard the same however its octets are cut, on a port of its own and beside HTTP, and as a strict reader hears it", () => {
    const check = (octets: string, where: readonly number[]): void => {
      const want = strictly(octets)
      for (const how of ["whole", "octets", where] as const) {
        expect([octets, hear(octets, how, false)]).toEqual([octets, want])
        if (octets[0] === "\x04" || octets[0] === "\x05") expect([octets, hear(octets, how, true)]).toEqual([octets, want])
      }
    }
    for (const octets of seeds("socks")) check(octets, [1, 2, 3, 5, 9])
    fc.assert(fc.property(stream, cuts, check), runs(51, 1500))
  })

  test("is refused as soon as it cannot become a request, and keeps no more than one", () => {
    for (const endless of ["\x04\x01\0\x50\x01\x02\x03\x04", "\x04\x01\0\x50\0\0\0\x01u\0"])
      expect(hear(endless + "x".repeat(300), "octets", false).end).toBe("client.socks-malformed")
  })

  test("addresses are written as the test writes them", () => {
    expect(address5("::1")).toBe(`\x04${"\0".repeat(15)}\x01`)
    expect(address5("2001:db8::1").length).toBe(17)
  })
})
