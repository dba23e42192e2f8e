import { expect, test } from "bun:test"
import { type CacheStatus, cacheStatus, shownKeyLengthMax, upstreamStatusLengthMax } from "./cache-status.ts"

const nothing: CacheStatus = {
  cache: "bothways",
  hit: false,
  forward: "",
  forwardStatus: 0,
  ttl: Number.NaN,
  stored: false,
  collapsed: false,
  key: "",
  detail: "",
}

function status(changes: Partial<CacheStatus>, upstream = ""): string {
  return cacheStatus(upstream, { ...nothing, ...changes })
}

test("our member (RFC 9211 section 2)", () => {
  expect(status({})).toBe("bothways")
  expect(status({ hit: true })).toBe("bothways; hit")
  expect(status({ hit: true, ttl: 376 })).toBe("bothways; hit; ttl=376")
  expect(status({ hit: true, ttl: -412.9, detail: "stale-if-error" })).toBe("bothways; hit; ttl=-412; detail=stale-if-error")
  expect(status({ hit: true, ttl: 0 })).toBe("bothways; hit; ttl=0")
  expect(status({ forward: "uri-miss", stored: true, collapsed: true, ttl: 60 })).toBe("bothways; fwd=uri-miss; stored; collapsed; ttl=60")
  expect(status({ forward: "stale", forwardStatus: 304 })).toBe("bothways; fwd=stale; fwd-status=304")
  expect(status({ forward: "bypass", detail: "no-store" })).toBe("bothways; fwd=bypass; detail=no-store")
  // hit and fwd exclude each other, and the rest of fwd means nothing without it.
  expect(status({ hit: true, forward: "miss", forwardStatus: 200, stored: true, collapsed: true })).toBe("bothways; hit")
  expect(status({ forwardStatus: 200, stored: true, collapsed: true })).toBe("bothways")
})

test("a key is a string of visible ASCII, of limited length", () => {
  expect(status({ hit: true, key: 'http://a/"\\\n\u00ff' })).toBe('bothways; hit; key="http://a/\\"\\\\??"')
  expect(status({ key: "k".repeat(5000) })).toHaveLength('bothways; key=""'.length + shownKeyLengthMax)
})

test("behind what upstream caches said", () => {
  expect(status({ hit: true }, "OriginCache; hit; ttl=1100")).toBe("OriginCache; hit; ttl=1100, bothways; hit")
  expect(status({ hit: true }, "x".repeat(upstreamStatusLengthMax + 1))).toBe("bothways; hit")
})
