import { describe, expect, test } from "bun:test"
import type { Exchange } from "../../../flow/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import url from "./url.ts"

/** The exchange that this URL makes; `host:port` alone is a tunnel. */
function asked(text: string): Exchange {
  if (!text.includes("://")) {
    const [host = "", port] = text.split(":")
    return Object.assign(exchangeOf({ host, method: "CONNECT" }), { port: Number(port), path: "", rulePath: "" })
  }
  const { protocol, hostname, port, pathname, search } = new URL(text)
  const scheme = protocol.slice(0, -1)
  return Object.assign(exchangeOf({ host: hostname.replace(/^\[|\]$/g, ""), path: pathname, query: search }), {
    scheme,
    port: Number(port) || (scheme === "https" ? 443 : 80),
  })
}

const held = (options: unknown, text: string): boolean => url.compile(url.options.parse(options))(asked(text))

describe("url", () => {
  test.each([
    ["*://*.example.com/ads/*", "http://a.example.com/ads/1.gif", true],
    ["*://*.example.com/ads/*", "https://a.b.example.com/ads/", true],
    ["*://*.example.com/ads/*", "https://example.com/ads/1", false],
    ["*://*.example.com/ads/*", "http://a.example.com/news/ads/1", false],
    ["http://example.com/", "http://example.com/", true],
    ["http://example.com/", "http://example.com/a", false],
    ["http://example.com", "http://example.com/a?b", true],
    ["http://EXAMPLE.com/A", "http://example.com/A", true],
    ["http://example.com/A", "http://example.com/a", false],
    ["https://example.com/*", "http://example.com/a", false],
    ["http://example.com:8080/*", "http://example.com:8080/a", true],
    ["http://example.com:8080/*", "http://example.com/a", false],
    ["http://example.com/*", "http://example.com:8080/a", true],
    ["*://example.com/watch?*v=bad*", "https://example.com/watch?a=1&v=bad2", true],
    ["*://example.com/watch?*v=bad*", "https://example.com/watch?a=1", false],
    ["*://example.com/?q=*", "https://example.com/?q=", true],
    ["*://[2001:db8::1]/*", "http://[2001:db8::1]/x", true],
    ["*://example.com/*.exe", "http://example.com/a/b.exe?c", true],
    // What rules see has no dot segments, however they are spelt.
    ["*://example.com/private/*", "http://example.com/public/%2e%2e/private/x", true],
  ])("%s on %s: %p", (glob, text, wanted) => expect(held(glob, text)).toBe(wanted))

  test("of a tunnel only host and port are known: a path never holds, not even the root", () => {
    expect([
      held("https://example.com/*", "example.com:443"),
      held("*://example.com", "example.com:443"),
      held("*://*/*", "example.com:443"),
    ]).toEqual([true, true, true])
    expect([
      held("https://example.com/", "example.com:443"),
      held("*://example.com/a*", "example.com:443"),
      held("*://example.com/*?*", "example.com:443"),
    ]).toEqual([false, false, false])
    expect([held("http://example.com/*", "example.com:443"), held("https://example.com:8443/*", "example.com:443")]).toEqual([false, false])
    expect([
      held("~^https://example\\.com$", "example.com:443"),
      held("~^https://example\\.com/", "example.com:443"),
      held("~:8443$", "example.com:8443"),
    ]).toEqual([true, false, true])
  })

  test("patterns see the URL, its own port left out", () => {
    expect([held("~^https?://[^/]+/(?:casino|poker)/", "http://a.test/poker/1"), held("~^http://a\\.test:8080/x$", "http://a.test:8080/x")]).toEqual([
      true,
      true,
    ])
    expect([
      held("~(?i)/ADS/", "http://a.test/ads/1"),
      held("~/ADS/", "http://a.test/ads/1"),
      held("~^http://a\\.test/$", "http://a.test:80/"),
    ]).toEqual([true, false, true])
  })

  test("the text is made anew for another request", () => {
    const match = url.compile("~/b$")
    expect(["http://a.test/a", "http://a.test/b", "http://a.test/b?c", "http://c.test/b"].map(text => match(asked(text)))).toEqual([
      false,
      true,
      false,
      true,
    ])
  })

  test("globs of thousands of hosts are one look", () => {
    const list = Array.from({ length: 5000 }, (_, i) => `*://h${i}.test/a/*`)
    const match = url.compile(list)
    expect([match(asked("http://h4999.test/a/b")), match(asked("http://h4999.test/b")), match(asked("http://x.test/a/"))]).toEqual([
      true,
      false,
      false,
    ])
  })

  test.each([
    ["example.com/ads", "is no URL"],
    ["ftp://example.com/", "scheme ftp"],
    ["http://example.com/#top", "fragment"],
    ["http://bücher.example/", "A-labels"],
    ["http://example.com/ü", "%XX"],
    ["http://example.com:99999/", "port 99999"],
    ["~(", "RE2"],
    ["~(?=a)", "look-around"],
  ])("refuses %s", (text, message) => {
    const result = url.options.safeParse(text)
    expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(message)
  })

  test("says what the URL is", () => {
    expect(url.describe(["*://a.test/*", "*://b.test/*", "*://c.test/*", "*://d.test/*"], asked("http://e.test/x?y"))).toBe(
      "the URL is http://e.test/x?y, not *://a.test/*, *://b.test/*, *://c.test/* or one of 1 more",
    )
  })
})
