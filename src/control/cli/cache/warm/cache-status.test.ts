import { expect, test } from "bun:test"
import { readCacheStatus } from "./cache-status.ts"

const table: [string, string, string][] = [
  ["", "none", ""],
  ["other; hit", "none", ""],
  ["bothways; hit", "hit", ""],
  ["bothways;hit;ttl=30", "hit", ""],
  ["bothways; fwd=uri-miss; fwd-status=200; stored; ttl=60", "stored", ""],
  ["bothways; fwd=uri-miss; collapsed", "waited", "uri-miss"],
  ["bothways; fwd=uri-miss; fwd-status=200; detail=no-store", "uncacheable", "no-store"],
  ["bothways; fwd=bypass", "uncacheable", "bypass"],
  ['"bothways"; fwd=miss; detail="a; \\"b\\", stored"', "uncacheable", 'a; "b", stored'],
  ["bothways; hit, cdn; fwd=uri-miss", "hit", ""],
  ["bothways; hit, bothways; fwd=uri-miss; stored", "stored", ""],
  ['cdn; key="bothways; hit, x"', "none", ""],
  ['bothways; hit; key="never ends', "hit", ""],
  [",,;;=,", "none", ""],
]

for (const [value, did, reason] of table) {
  test(`Cache-Status ${JSON.stringify(value)}: ${did}`, () => expect(readCacheStatus(value)).toEqual({ did, reason } as never))
}
