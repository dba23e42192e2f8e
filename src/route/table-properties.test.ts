import { expect, test } from "bun:test"
import fc from "fast-check"
import type { Exchange } from "../flow/index.ts"
import { rulePath, rulePathResult } from "../http/index.ts"
import type { MatcherDefinition } from "../plugin/index.ts"
import { compileRoutes, type RouteInput } from "./compile-routes.ts"
import { exchangeOf } from "./exchange-of.fixture.ts"
import header from "./match/header/header.ts"
import { HASH_SEED, hashStep } from "./key-table.ts"
import host from "./match/host/host.ts"
import listener from "./match/listener/listener.ts"
import method from "./match/method/method.ts"
import path from "./match/path/path.ts"

const matchers = [listener, host, path, method, header] as readonly MatcherDefinition<unknown>[]

interface TestMatch extends Record<string, unknown> {
  readonly listener?: string | string[]
  readonly host?: string | string[]
  readonly path?: string | string[]
  readonly method?: string
  readonly header?: { readonly "x-a": boolean }
}

const oneOrMore = (...values: string[]) => fc.oneof(fc.constantFrom(...values), fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 4 }))
const patterns: Record<string, (path: string) => boolean> = { "~^/a/1": text => text.startsWith("/a/1"), "~b$": text => text.endsWith("b") }
const match = fc.record(
  {
    listener: oneOrMore("web", "egress"),
    host: oneOrMore("a.test", "b.test", "test", "*.a.test", "*.b.a.test", "*.test", "*"),
    path: oneOrMore(
      "/",
      "/a",
      "/a/",
      "/a/b",
      "/a/b/c/d",
      "/a/*",
      "/a/b/*",
      "/a/b/a/*",
      "/*",
      "/b",
      "/b/*",
      "/a%2Fb",
      "/a%2Fb/*",
      ...Object.keys(patterns),
    ),
    method: fc.constantFrom("GET", "POST"),
    header: fc.record({ "x-a": fc.boolean() }),
  },
  { requiredKeys: [] },
)
const route = fc.record({ match, encodedSlashes: fc.constantFrom("refuse", "allow") }, { requiredKeys: ["match"] })
const askedPath = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .array(fc.constantFrom("a", "b", "c", "d", "1", "", "a%2Fb", "%61", "a%5cb", "a;x=%2f"), { maxLength: 5 })
      .map(parts => `/${parts.join("/")}`),
  },
  { weight: 1, arbitrary: fc.constantFrom("", "*") },
)
const request = fc.record({
  listener: fc.constantFrom("web", "egress", "other"),
  host: fc.constantFrom("a.test", "b.test", "x.a.test", "y.x.a.test", "x.b.a.test", "b.a.test", "test", "c.org", ".a.test", ""),
  path: askedPath,
  method: fc.constantFrom("GET", "POST"),
  headers: fc.constantFrom([], [["X-A", "1"]] as [string, string][]),
})

test("find, trace and the plain definition agree on random routes and requests", () => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(route, { maxLength: 12 }), fc.array(request, { minLength: 8, maxLength: 8 }), (routes, requests) => {
      const table = compileRoutes(routes as RouteInput[], matchers)
      for (const facts of requests) {
        const x = exchangeOf(facts)
        const expected = plainly(routes as RouteInput[], x)
        const visited: number[] = []
        const deciding: number[] = []
        const traced = table.trace(x, (index, matched) => {
          visited.push(index)
          if (matched) deciding.push(index)
        })
        expect({ facts, find: table.find(x), traced }).toEqual({ facts, find: expected, traced: expected })
        expect(visited).toEqual(routes.map((_, index) => index))
        expect(deciding.length).toBe(expected === -1 ? 0 : 1)
        if (expected >= 0) expect(deciding).toEqual([expected])
        const kind = expected < 0 ? String(expected) : "found"
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1)
      }
    }),
    { seed: 20_261_125, numRuns: 700 },
  )
  for (const kind of ["found", "-1", "-2"]) expect(outcomes.get(kind) ?? 0).toBeGreaterThan(150)
})

test("the same with many routes, so that hashes share slots", () => {
  const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
  const manyRoutes = fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.boolean(), fc.boolean()), {
    minLength: 300,
    maxLength: 400,
  })
  fc.assert(
    fc.property(
      manyRoutes,
      fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), { minLength: 60, maxLength: 60 }),
      (parts, asked) => {
        const routes = parts.map(([name, segment, below, prefix]) => ({
          match: { host: `${below ? "*." : ""}${name}.test`, path: `/${segment}${prefix ? "/*" : ""}` },
        }))
        const table = compileRoutes(routes, matchers)
        asked.forEach(([name, segment], i) => {
          const x = exchangeOf({ host: `${i % 2 === 0 ? "www." : ""}${name}.test`, path: `/${segment}${i % 3 === 0 ? "/x" : ""}` })
          expect(table.find(x)).toBe(plainly(routes, x))
        })
      },
    ),
    { seed: 20_261_125, numRuns: 25 },
  )
})

test("texts of the same hash are told apart", () => {
  const [hostA, hostB] = collision(true)
  const [pathA, pathB] = collision(false)
  const hosts = compileRoutes([{ match: { host: hostA } }, { match: { host: `*.${hostA}` } }, { match: { host: hostB } }], matchers)
  expect([hostA, hostB, `x.${hostA}`, `x.${hostB}`].map(asked => hosts.find(exchangeOf({ host: asked })))).toEqual([0, 2, 1, -1])
  const paths = compileRoutes([{ match: { path: `/${pathA}` } }, { match: { path: `/${pathA}/*` } }, { match: { path: `/${pathB}` } }], matchers)
  expect([`/${pathA}`, `/${pathB}`, `/${pathA}/x`, `/${pathB}/x`].map(asked => paths.find(exchangeOf({ path: asked })))).toEqual([0, 2, 1, -1])
})

/** Two texts of seven characters to which the index gives one hash: read backwards, as hosts are, or behind a slash, as paths are. */
function collision(backwards: boolean): [string, string] {
  const seen = new Map<number, string>()
  for (let number = 30_000_000; ; number += 7919) {
    const text = (number * 97).toString(36)
    let hash = backwards ? HASH_SEED : hashStep(HASH_SEED, 0x2f)
    for (let i = 0; i < text.length; i++) hash = hashStep(hash, text.charCodeAt(backwards ? text.length - 1 - i : i))
    const other = seen.get(hash)
    if (other !== undefined) return [other, text]
    seen.set(hash, text)
  }
}

/** What the READMEs say, one route after the other, without the code under test. */
function plainly(routes: readonly RouteInput[], x: Exchange): number {
  const readings = [/%2f/gi, /%5c/gi, /%2f|%5c/gi].map(escape => rulePath(x.path.replace(escape, "/"))).concat(x.rulePath)
  expect(rulePathResult.refused).toBe(false)
  for (const [index, { match, encodedSlashes }] of routes.entries()) {
    const refuses = x.encodedSlash && (encodedSlashes ?? ("path" in match ? "refuse" : "allow")) === "refuse"
    if (refuses && readings.some(reading => holds(match, x, reading))) return -2
    if (holds(match, x, x.rulePath)) return index
  }
  return -1
}

function holds(wanted: TestMatch, x: Exchange, seen: string): boolean {
  const some = (values: string | string[] | undefined, test: (value: string) => boolean) => values === undefined || [values].flat().some(test)
  const headerHolds = wanted.header === undefined || wanted.header["x-a"] === (x.request.find("x-a") !== undefined)
  return (
    some(wanted.listener, name => name === x.listener!.name) &&
    some(wanted.method, name => name === x.method) &&
    some(wanted.host, name => hostHolds(name, x.host)) &&
    some(wanted.path, text => pathHolds(text, seen)) &&
    headerHolds
  )
}

function hostHolds(wanted: string, asked: string): boolean {
  if (wanted === "*" || wanted === asked) return true
  const suffix = wanted.slice(1)
  return wanted.startsWith("*.") && asked.endsWith(suffix) && asked.slice(0, -suffix.length) !== ""
}

function pathHolds(wanted: string, seen: string): boolean {
  const pattern = patterns[wanted]
  if (pattern !== undefined) return pattern(seen)
  return wanted.endsWith("/*") ? `${seen}/`.startsWith(`${wanted.slice(0, -1)}`) && seen !== "" && seen !== "*" : seen === wanted
}
