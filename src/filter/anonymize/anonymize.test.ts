import { describe, expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import anonymize from "./anonymize.ts"

function sent(options: object, host: string, pairs: [string, string][]): { fields: string; setCookie: boolean } {
  const filter = anonymize.build(anonymize.options.parse(options), new FakeDeps())
  const x = Object.assign(new Exchange(), { host, request: Fields.of(pairs), response: Fields.of([["Set-Cookie", "a=1"]]) })
  filter.request!(x)
  filter.upstreamResponse!(x)
  return { fields: x.request.render(), setCookie: x.response.find("set-cookie") !== undefined }
}

describe("anonymize", () => {
  test("cookies go where a site fetches from another, and stay within one", () => {
    const cookie: [string, string] = ["Cookie", "id=1"]
    const kept = (host: string, ...more: [string, string][]) => {
      const { fields, setCookie } = sent({}, host, [cookie, ...more])
      expect(setCookie).toBe(fields.includes("Cookie: id=1"))
      return setCookie
    }
    expect(kept("shop.example")).toBe(true)
    expect(kept("cdn.shop.example", ["Referer", "https://www.shop.example/p"])).toBe(true)
    expect(kept("ads.test", ["Referer", "https://www.shop.example/p"])).toBe(false)
    expect(kept("ads.test", ["Origin", "https://shop.example"])).toBe(false)
    expect(kept("ads.test", ["Sec-Fetch-Site", "cross-site"])).toBe(false)
    expect(kept("a.co.uk", ["Referer", "https://b.co.uk/"])).toBe(false)
    expect(sent({ cookies: "drop" }, "a.test", [cookie]).setCookie).toBe(false)
    expect(sent({ cookies: "keep" }, "ads.test", [cookie, ["Sec-Fetch-Site", "cross-site"]]).setCookie).toBe(true)
  })

  test("referrers", () => {
    const referer: [string, string] = ["Referer", "https://www.shop.example/secret?id=1"]
    expect(sent({}, "ads.test", [referer]).fields).not.toContain("Referer")
    expect(sent({}, "api.shop.example", [referer]).fields).toContain("secret?id=1")
    expect(sent({ referer: "host" }, "ads.test", [referer]).fields).toContain("Referer: https://www.shop.example/\r\n")
    expect(sent({ referer: "host" }, "ads.test", [["Referer", "https://u:p@www.shop.example/x"]]).fields).not.toContain("Referer")
    expect(sent({ referer: "drop" }, "www.shop.example", [referer]).fields).not.toContain("Referer")
    expect(sent({ referer: "keep" }, "ads.test", [referer]).fields).toContain("secret")
  })

  test("user agents, client hints and languages", () => {
    const pairs: [string, string][] = [
      ["User-Agent", "Odd/1.0 (device 77)"],
      ["Sec-CH-UA-Model", '"Pixel"'],
      ["Accept-Language", "de-AT, sl;q=0.8"],
    ]
    const generic = sent({}, "a.test", pairs).fields
    expect(generic).not.toMatch(/Odd|Pixel|de-AT/)
    expect(generic).toContain("User-Agent: Mozilla/5.0")
    expect(generic).toContain("Accept-Language: en-US,en;q=0.5")
    expect(sent({ userAgent: "keep", language: "keep" }, "a.test", pairs).fields).toMatch(/Odd[\s\S]*Pixel[\s\S]*de-AT/)
    expect(sent({ userAgent: "drop" }, "a.test", pairs).fields).not.toContain("User-Agent")
    expect(sent({ userAgent: "Mine/1" }, "a.test", pairs).fields).toContain("User-Agent: Mine/1\r\n")
  })
})
