import { describe, expect, test } from "bun:test"
import { notesOf } from "../flow/index.ts"
import { lineAnonymizer, type LinePrivacy, truncated } from "./anonymize-line.ts"
import json from "./format/json/json.ts"
import { sampleExchange } from "./format/sample-exchange.fixture.ts"

const all: LinePrivacy = { clients: "truncate", users: "hash", targets: "no-query", referers: "drop", userAgents: "drop" }
const secret = new Uint8Array(32).fill(7)
const fields: [string, string][] = [
  ["User-Agent", "curl/8"],
  ["Referer", "https://ref.test/page?who=ann"],
]
const line = (privacy: Partial<LinePrivacy>, now = 0): Record<string, unknown> => {
  const x = sampleExchange({ user: "ann", peerAddress: "192.0.2.17" }, fields)
  lineAnonymizer({ ...all, ...privacy }, secret, () => now)(x)
  return JSON.parse(json.compile(json.options.parse(undefined))(x)) as Record<string, unknown>
}

describe("lines without personal data", () => {
  test("nothing of the client is left", () => {
    const told = line({})
    expect(told).toMatchObject({ client: "192.0.2.0", target: "/a/b", host: "shop.example" })
    expect(String(told["user"])).toMatch(/^[0-9a-f]{12}$/)
    expect(JSON.stringify(told)).not.toMatch(/ann|curl|ref\.test|192\.0\.2\.17|page=2/)
  })

  test("a name that a SOCKS 4 client claims, and the fingerprint of a hello", () => {
    const x = sampleExchange({})
    Object.assign(notesOf(x), { claimedUser: "ann", ja4: "t13d1516h2_8daaf6152771_b186095e22b6" })
    lineAnonymizer(all, secret, () => 0)(x)
    expect(x.notes!.claimedUser).toMatch(/^[0-9a-f]{12}$/)
    expect(x.notes!.ja4).toBe("")
  })

  test("a client has one word a day, and another one the day after; without the secret nobody finds it", () => {
    const word = (now: number, key = secret): unknown => {
      const x = sampleExchange({ clientAddress: "192.0.2.17" })
      lineAnonymizer({ ...all, clients: "hash" }, key, () => now)(x)
      return x.clientAddress
    }
    expect(word(1)).toBe(word(80_000_000))
    expect(word(1)).not.toBe(word(86_400_000))
    expect(word(1)).not.toBe(word(1, new Uint8Array(32)))
  })

  test("as much as is asked for", () => {
    expect(line({ referers: "host", targets: "host", userAgents: "keep", users: "drop" })).toMatchObject({
      referer: "https://ref.test/",
      target: "/",
      userAgent: "curl/8",
    })
    expect(line({ users: "drop" })).not.toHaveProperty("user")
    expect(line({ clients: "drop" })["client"]).toBe("-")
    expect(line({ clients: "keep", users: "keep", targets: "keep" })).toMatchObject({ client: "192.0.2.17", user: "ann", target: "/a/b?page=2" })
  })

  test("networks of addresses", () => {
    expect(["192.0.2.17", "2001:db8:1:2:3::4", "unix", "::1"].map(truncated)).toEqual(["192.0.2.0", "2001:db8:1::", "unix", "::"])
  })
})
