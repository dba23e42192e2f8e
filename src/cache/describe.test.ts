import { expect, test } from "bun:test"
import { describeEntry } from "./describe.ts"
import { encodePassRule, encodeResponse, encodeVaryRule } from "./stored.ts"

const NOW = 1_767_225_600_000
const FACTS = {
  status: 200,
  responseMs: NOW,
  initialAgeMs: 2000,
  lifetimeMs: 10_000,
  swrMs: 0,
  sieMs: 0,
  mustRevalidate: false,
  noCache: false,
  immutable: false,
  requestMs: NOW,
  vary: "x-a",
}
const LINES = "Content-Type: text/plain\r\nCache-Tag: a, b\r\n"

function described(head: Uint8Array, atMs: number, marked = false) {
  const group = "http://a.test/p"
  return describeEntry({ key: `${group}\ncluster:a\0x-a\n1`, group, head, bodyLength: 5, marked, tier: "memory" }, atMs)
}

test("a response is fresh until its last millisecond, and stale from then on", () => {
  const head = encodeResponse(FACTS, LINES)
  const at = (ms: number) => {
    const { state, age, ttl } = described(head, NOW + ms)!
    return { state, age, ttl }
  }
  expect(at(0)).toEqual({ state: "fresh", age: 2, ttl: 8 })
  expect(at(7999)).toEqual({ state: "fresh", age: 9, ttl: 0 })
  expect(at(8000)).toEqual({ state: "stale", age: 10, ttl: 0 })
  expect(at(9001)).toEqual({ state: "stale", age: 11, ttl: -2 })
})

test("what it is, and what it can be purged by", () => {
  const head = encodeResponse(FACTS, LINES)
  expect(described(head, NOW)).toMatchObject({
    url: "http://a.test/p",
    key: "cluster:a | x-a 1",
    kind: "response",
    status: 200,
    bytes: head.length + 5,
    tags: ["a", "b"],
    vary: "x-a",
    tier: "memory",
    head: LINES,
  })
  expect(described(head, NOW, true)!.state).toBe("marked")
})

test("rules say which and for how long", () => {
  expect(described(encodeVaryRule([["x-a"], ["accept", "x-b"]]), NOW)).toMatchObject({
    kind: "vary-rule",
    vary: "x-a; accept, x-b",
    state: "fresh",
    head: "",
  })
  const pass = encodePassRule("private", NOW + 60_000)
  expect(described(pass, NOW)).toMatchObject({ kind: "pass-rule", reason: "private", ttl: 60, state: "fresh" })
  expect(described(pass, NOW + 60_001)).toMatchObject({ state: "stale" })
})

test("a head that this version does not know is none", () => {
  expect(described(Buffer.from("[9,1]\n"), NOW)).toBeNull()
})
