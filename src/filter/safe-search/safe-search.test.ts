import { describe, expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import safeSearch from "./safe-search.ts"
import { withParameter } from "./with-parameter.ts"

const build = (options: object = {}) => safeSearch.build(safeSearch.options.parse(options), new FakeDeps())

function tunnel(host: string): Exchange {
  return Object.assign(new Exchange(), { method: "CONNECT", host, port: 443, authority: `${host}:443` })
}

function dialled(host: string, options: object = {}): string {
  const filter = build(options)
  const x = tunnel(host)
  filter.request!(x)
  const name = x.host
  expect(x.authority).toBe(`${name}:443`)
  filter.response!(x)
  expect([x.host, x.authority]).toEqual([host, `${host}:443`])
  return name
}

describe("safe-search", () => {
  test("tunnels reach the strict name, and are logged under the one that was asked for", () => {
    expect(["www.google.com", "www.google.co.uk", "google.de", "images.google.com.br"].map(host => dialled(host))).toEqual(
      new Array(4).fill("forcesafesearch.google.com"),
    )
    expect(["www.bing.com", "duckduckgo.com", "search.brave.com", "yandex.com.tr", "www.ecosia.org"].map(host => dialled(host))).toEqual([
      "strict.bing.com",
      "safe.duckduckgo.com",
      "forcesafe.search.brave.com",
      "familysearch.yandex.ru",
      "strict-safe-search.ecosia.org",
    ])
    expect([dialled("www.youtube.com"), dialled("m.youtube.com", { videos: "strict" }), dialled("m.youtube.com", { videos: "off" })]).toEqual([
      "restrictmoderate.youtube.com",
      "restrict.youtube.com",
      "m.youtube.com",
    ])
  })

  test("a parent is asked for one name, not for two", () => {
    const x = tunnel("www.bing.com")
    x.request = Fields.of([["Host", "www.bing.com:443"]])
    build().request!(x)
    expect([x.authority, x.request.render()]).toEqual(["strict.bing.com:443", "Host: strict.bing.com:443\r\n"])
  })

  test("others stay as they are", () => {
    for (const host of ["a.test", "google", "mail.google.com", "www.google.evil.test", "google.com.evil.test", "www.google.com.a", "xgoogle.com"])
      expect(dialled(host)).toBe(host)
    expect(dialled("www.bing.com", { engines: ["google"] })).toBe("www.bing.com")
    expect(dialled("search.test", { also: { "search.test": "strict.test" } })).toBe("strict.test")
  })

  test("requests that can be read get the parameter, the field, or the other name", () => {
    const filter = build({ videos: "strict" })
    const read = (host: string, query: string): Exchange => {
      const x = Object.assign(new Exchange(), { method: "GET", host, port: 443, authority: host, scheme: "https", path: "/search", query })
      x.request = Fields.of([["youtube-restrict", "None"]])
      filter.request!(x)
      return x
    }
    expect(read("www.google.com", "?q=a&safe=off").query).toBe("?q=a&safe=active")
    expect(read("www.google.com", "?hl=de").query).toBe("?hl=de")
    const video = read("www.youtube.com", "")
    expect([video.host, video.request.render()]).toEqual(["www.youtube.com", "YouTube-Restrict: Strict\r\n"])
    const other = read("www.ecosia.org", "?q=a")
    expect([other.host, other.notes?.dials, other.notes?.rule]).toEqual(["www.ecosia.org", "strict-safe-search.ecosia.org", "safe-search:ecosia"])
  })

  test("the parameter is set once, however the client spelt its own", () => {
    const google = { name: "safe", value: "active", of: "q" }
    expect(withParameter("?q=a&s%61fe=off&x=%26safe", google)).toBe("?q=a&x=%26safe&safe=active")
    expect(withParameter("?safe=off&%71=a&safe", google)).toBe("?%71=a&safe=active")
    expect([withParameter("", google), withParameter("?", google)]).toEqual(["", "?"])
  })

  test("explain, and what is wrong", () => {
    expect(build().explain!(tunnel("www.bing.com"))).toEqual(["bing: dials strict.bing.com instead"])
    expect(build().explain!(tunnel("a.test"))).toEqual([])
    expect(safeSearch.options.safeParse({ engines: ["altavista"] }).success).toBe(false)
    expect(safeSearch.options.safeParse({ also: { "a b": "c" } }).success).toBe(false)
  })
})
