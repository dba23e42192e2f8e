import { describe, expect, test } from "bun:test"
import { FAULT, type Fault } from "../../base/index.ts"
import { checkOrigin, checkTarget } from "./check-origin.ts"
import { compileOriginRules, type OriginOptions, type OriginRules, parsePortList } from "./origin-rules.ts"

const own = {
  binds: [
    { host: "127.0.0.1", port: 3128 },
    { host: "", port: 9900 },
  ],
  addresses: ["192.0.2.10", "2001:db8::10"],
}

function rulesOf(options: Partial<OriginOptions> = {}): OriginRules {
  return compileOriginRules({ privateRanges: "deny", connectPorts: [443], udpPorts: [443], ports: ["80", "443", "1025-65535"], ...options }, own)
}

function code(fault: Fault | null): string {
  return fault?.code ?? "open"
}

describe("CONNECT to ports and targets that should be closed (FIELD-CASES O-49)", () => {
  const only443 = rulesOf({ privateRanges: "allow" })
  const rows: [string, number, Fault | null][] = [
    ["127.0.0.1", 25, FAULT.portForbidden],
    ["127.0.0.1", 80, FAULT.portForbidden],
    ["127.0.0.1", 443, null],
    ["127.0.0.1", 0, FAULT.badTarget],
    ["127.0.0.1", 65536, FAULT.badTarget],
    ["127.0.0.1", -1, FAULT.badTarget],
    ["127.0.0.1", Number.NaN, FAULT.badTarget],
    ["app.test", 443, null],
    ["app.test/x", 443, FAULT.badHost],
    ["u@app.test", 443, FAULT.badHost],
    ["", 443, FAULT.badHost],
    ["127.0.0.1", 3128, FAULT.loop],
    ["127.0.0.1", 9900, FAULT.loop],
  ]
  for (const [host, port, fault] of rows) test(`${host}:${port}`, () => expect(code(checkTarget(host, port, "connect", only443))).toBe(code(fault)))

  test("absolute-form has a list of its own", () => {
    expect(checkTarget("127.0.0.1", 25, "absolute", only443)).toBe(FAULT.portForbidden)
    for (const port of [80, 443, 1025, 8080, 65535]) expect(code(checkTarget("127.0.0.1", port, "absolute", only443))).toBe("open")
    for (const port of [1, 22, 81, 1024]) expect(checkTarget("127.0.0.1", port, "absolute", only443)).toBe(FAULT.portForbidden)
  })

  test("the policy 443 and 80 opens exactly port 80 more", () => {
    const both = rulesOf({ privateRanges: "allow", connectPorts: [443, 80] })
    const opened: number[] = []
    for (let port = 0; port <= 65_536; port++) if (checkTarget("app.test", port, "connect", both) === null) opened.push(port)
    expect(opened).toEqual([80, 443])
  })
})

describe("private ranges", () => {
  const closed = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
  ]
  const open = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "11.0.0.1"]

  test("deny closes them, as literals and as what a name resolved to", () => {
    const rules = rulesOf()
    for (const address of closed) {
      expect({ address, target: code(checkTarget(address, 443, "connect", rules)), origin: code(checkOrigin(address, 443, rules)) }).toEqual({
        address,
        target: FAULT.addressForbidden.code,
        origin: FAULT.addressForbidden.code,
      })
    }
    for (const address of open)
      expect({ address, target: checkTarget(address, 443, "connect", rules), origin: checkOrigin(address, 443, rules) }).toEqual({
        address,
        target: null,
        origin: null,
      })
  })

  test("allow opens them", () => {
    const rules = rulesOf({ privateRanges: "allow" })
    for (const address of [...closed, ...open]) expect(checkOrigin(address, 443, rules)).toBe(null)
  })

  test("a list opens those ranges and nothing that only carries them", () => {
    const rules = rulesOf({ privateRanges: ["10.0.0.0/8", "fd00::/8"] })
    for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1", ...open]) expect(code(checkOrigin(address, 443, rules))).toBe("open")
    for (const address of ["192.168.1.1", "127.0.0.1", "64:ff9b::a00:1", "fe80::1"])
      expect(checkOrigin(address, 443, rules)).toBe(FAULT.addressForbidden)
  })

  test("an address with its interface, and text that is no address", () => {
    expect(checkOrigin("fe80::1%eth0", 443, rulesOf())).toBe(FAULT.addressForbidden)
    expect(checkOrigin("fe80::1%eth0", 443, rulesOf({ privateRanges: "allow" }))).toBe(null)
    for (const text of ["app.test", "", "127.1", "%eth0"])
      for (const privateRanges of ["deny", "allow"] as const) expect(checkOrigin(text, 443, rulesOf({ privateRanges }))).toBe(FAULT.addressForbidden)
  })
})

describe("our own ports", () => {
  const rules = rulesOf({ privateRanges: "allow", connectPorts: ["1-65535"] })

  test("a listener on one address is refused there, and by the unspecified address", () => {
    for (const address of ["127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1"]) expect(checkOrigin(address, 3128, rules)).toBe(FAULT.loop)
    for (const address of ["192.0.2.10", "127.0.0.2", "198.51.100.1", "::1"]) expect(checkOrigin(address, 3128, rules)).toBe(null)
  })

  test("a listener on all addresses is refused on every address of the machine", () => {
    for (const address of ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "192.0.2.10", "2001:db8::10"])
      expect(checkOrigin(address, 9900, rules)).toBe(FAULT.loop)
    for (const address of ["192.0.2.11", "2001:db8::11"]) expect(checkOrigin(address, 9900, rules)).toBe(null)
  })

  test("other ports of the same addresses are other programs", () => {
    expect(checkOrigin("127.0.0.1", 3129, rules)).toBe(null)
    expect(checkTarget("127.0.0.1", 3129, "connect", rules)).toBe(null)
  })

  test("a name that leads home is found when it is resolved", () => {
    expect(checkTarget("localhost", 3128, "connect", rules)).toBe(null)
    expect(checkOrigin("127.0.0.1", 3128, rules)).toBe(FAULT.loop)
  })

  test("a bind by name counts as every address", () => {
    const named = compileOriginRules(
      { privateRanges: "allow", connectPorts: [443], udpPorts: [443], ports: [80] },
      {
        binds: [
          { host: "localhost", port: 80 },
          { host: "::", port: 81 },
        ],
        addresses: ["192.0.2.10"],
      },
    )
    for (const port of [80, 81]) for (const address of ["127.0.0.1", "::1", "192.0.2.10"]) expect(checkOrigin(address, port, named)).toBe(FAULT.loop)
  })
})

describe("spellings of hosts that programs read differently", () => {
  const rules = rulesOf({ privateRanges: "allow" })
  const deceptive = [
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.0.0.1.1",
    "127.0.0.01",
    "1.2.3.256",
    "a.0x10",
    "a.1",
    "[::1]",
    "::1%eth0",
    "::g",
    "app.test:80",
    "a..test",
    ".a.test",
    "a.test.",
    "a test",
    "a\ttest",
    "a%2etest",
    "a\\test",
    "a#b",
    "\uff11\uff12\uff17.1",
    "b\xfccher.test",
    `${"a".repeat(64)}.test`,
    `${"a.".repeat(127)}test`,
  ]
  for (const host of deceptive) test(JSON.stringify(host).slice(0, 40), () => expect(checkTarget(host, 443, "connect", rules)).toBe(FAULT.badHost))

  test("honest ones", () => {
    for (const host of [
      "app.test",
      "a",
      "_sip.a.test",
      "xn--bcher-kva.test",
      "1.example",
      "0x7f.test",
      "3com.test",
      "a-b.test",
      "10.0.0.1",
      "::1",
      "2001:db8::1",
    ])
      expect({ host, verdict: code(checkTarget(host, 443, "connect", rules)) }).toEqual({ host, verdict: "open" })
  })
})

describe("parsePortList", () => {
  test("numbers, texts and ranges", () => {
    const ports = parsePortList([443, "80", "1000-1002", { from: 2000, to: 2001 }])
    const found: number[] = []
    for (let port = 0; port <= 65_536; port++) if (ports.has(port)) found.push(port)
    expect(found).toEqual([80, 443, 1000, 1001, 1002, 2000, 2001])
    expect(parsePortList([]).has(443)).toBe(false)
  })

  test("says what it expected", () => {
    for (const entry of ["0", "65536", "a", "", "10-1", "1-", 1.5, -1, { from: 5, to: 70_000 }])
      expect(() => parsePortList([entry])).toThrow(/is not a port or range of ports: expected a number from 1 to 65535/)
  })
})
