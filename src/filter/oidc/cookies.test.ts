import { describe, expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { CookieKind, fits } from "./cookies.ts"
import { parseSecrets, Sealer } from "./sealer.ts"
import { locationOf, visitOf } from "./visit.ts"

const [one, two] = ["a".repeat(32), "b".repeat(40)]

describe("sealed text", () => {
  test("opens with any of the keys, for its purpose alone", () => {
    const sealer = new Sealer(parseSecrets(`${one}\n`, "f"))
    const sealed = sealer.seal("häh", "session")
    expect(sealer.open(sealed, "session")).toBe("häh")
    expect(sealer.open(sealed, "login")).toBeNull()
    sealer.replace(parseSecrets(`# new first\n${two}\n${one}\n`, "f"))
    expect(sealer.open(sealed, "session")).toBe("häh")
    expect(sealer.seal("x", "p")).not.toBe(sealer.seal("x", "p"))
    sealer.replace(parseSecrets(two, "f"))
    expect(sealer.open(sealed, "session")).toBeNull()
  })

  test("no octet of it can be changed, and nothing else is taken", () => {
    const sealer = new Sealer(parseSecrets(one, "f"))
    const octets = Buffer.from(sealer.seal("hello", "p"), "base64url")
    for (let i = 0; i < octets.length; i++) {
      const changed = Buffer.from(octets)
      changed[i]! ^= 1
      expect(sealer.open(changed.toString("base64url"), "p")).toBeNull()
    }
    for (const text of ["", "AAAA", "%", octets.subarray(0, -1).toString("base64url")]) expect(sealer.open(text, "p")).toBeNull()
  })

  test.each(["", "\n# x\n", "short", `${one}\nshort`, Array(9).fill(one).join("\n")])("no secrets: %j", text =>
    expect(() => parseSecrets(text, "f")).toThrow(/^f: /),
  )
})

describe("cookies", () => {
  const kind = new CookieKind("s", true)
  const read = (...lines: string[]) => {
    const x = new Exchange()
    x.request = Fields.of(lines.map(line => ["Cookie", line] as const))
    return kind.read(x)
  }
  const sent = (lines: string) => [...lines.matchAll(/Set-Cookie: ([^=]+)=([^;]*); Max-Age=(\d+)/g)].map(match => match.slice(1, 4))

  test("a long value in chunks, and back; what was longer before goes", () => {
    const value = Array.from({ length: 8000 }, (_, i) => (i % 10).toString()).join("")
    const lines = kind.setChunks(value, 60.7, new Map([["__Host-s.3", "old"]]))
    expect(sent(lines).map(([name, text, age]) => [name, text!.length, age])).toEqual([
      ["__Host-s", 3600, "60"],
      ["__Host-s.1", 3600, "60"],
      ["__Host-s.2", 800, "60"],
      ["__Host-s.3", 0, "0"],
    ])
    for (const line of lines.trim().split("\r\n")) {
      expect(line).toEndWith("; Path=/; HttpOnly; SameSite=Lax; Secure")
      expect(line.length).toBeLessThan(4096)
    }
    const pairs = sent(lines)
      .slice(0, 3)
      .map(([name, text]) => `${name}=${text}`)
    expect(kind.join(read(`a=b; ${pairs.reverse().join("; ")}`))).toBe(value)
    expect(kind.join(read(...pairs))).toBe(value)
    expect([fits("x".repeat(18_000)), fits("x".repeat(18_001))]).toEqual([true, false])
  })

  test("others' cookies are not ours; a missing chunk ends the value", () => {
    expect([...read("s=1; __Host-sx=2; x__Host-s=3; __Host-s=4; __Host-s=5; __Host-s.2=6").entries()]).toEqual([
      ["__Host-s", "4"],
      ["__Host-s.2", "6"],
    ])
    expect(kind.join(read("__Host-s=4; __Host-s.2=6"))).toBe("4")
    expect(kind.join(read("__Host-s.1=4"))).toBe("")
    expect(new CookieKind("s", false).setLine("s", "v", 1)).toBe("Set-Cookie: s=v; Max-Age=1; Path=/; HttpOnly; SameSite=Lax\r\n")
  })
})

describe("visits", () => {
  const visit = (fields: readonly (readonly [string, string])[], change: Partial<Exchange> = {}, publicUrl?: string) => {
    const x = Object.assign(new Exchange(), { method: "GET", path: "/p", query: "?q=1", authority: "a.test", scheme: "http" }, change)
    x.request = Fields.of(fields)
    return visitOf(x, new Map(), publicUrl, true)
  }

  test("people are led, programs are told", () => {
    const html = ["Accept", "text/html,*/*"] as const
    expect(visit([html]).interactive).toBe(true)
    expect(visit([html, ["Sec-Fetch-Mode", "navigate"]]).interactive).toBe(true)
    expect(visit([html, ["Sec-Fetch-Mode", "cors"]]).interactive).toBe(false)
    expect(visit([html, ["X-Requested-With", "XMLHttpRequest"]]).interactive).toBe(false)
    expect(visit([["Accept", "application/json"]]).interactive).toBe(false)
    expect(visit([]).interactive).toBe(false)
    expect(visit([html], { method: "POST" }).interactive).toBe(false)
  })

  test("the way back stays on the site", () => {
    expect([visit([]).base, visit([], {}, "https://shop.test:8443/x").base]).toEqual(["https://a.test", "https://shop.test:8443"])
    for (const path of ["//evil.test/", "/\\evil.test", "/a\xff"]) {
      const { base, returnTo } = visit([], { path, query: "" })
      expect(new URL(locationOf(base, returnTo)).host).toBe("a.test")
    }
    expect(locationOf("https://a.test", "/\xff x")).toBe("https://a.test/%FF%20x")
    expect(visit([], { path: `/${"x".repeat(2000)}` }).returnTo).toBe("/")
  })
})
