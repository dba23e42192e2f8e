import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Case, choices, type Fields, oracleOpinion, ownOpinion, verdictOf } from "./oracle.fixture.ts"

/** Where the two implementations may differ: in what, which rule decides for ours, and in which cases. */
interface Disagreement {
  readonly about: "storing" | "lifetime" | "age" | "reuse"
  readonly section: string
  applies(each: Case): boolean
}

function says(each: Case, pattern: RegExp): boolean {
  return pattern.test(each.response["cache-control"] ?? "")
}

function asks(each: Case, pattern: RegExp): boolean {
  return pattern.test(each.later["cache-control"] ?? "")
}

function has(each: Case, name: string): boolean {
  return (each.response[name] ?? "") !== ""
}

const inCapitals = /[A-Z]/
const notANumber = /max-age=100a/
const twice = /max-age=\d+, max-age/

/** By name. Every one is needed: the test fails when one explains nothing. */
const disagreements: Readonly<Record<string, Disagreement>> = {
  "any final status is stored with a lifetime": { about: "storing", section: "3", applies: each => [299, 403, 500, 503].includes(each.status) },
  "an answer to POST needs Content-Location": { about: "storing", section: "RFC 9110 9.3.3", applies: each => each.method === "POST" },
  "nothing is stored that can neither be fresh nor asked about": {
    about: "storing",
    section: "3",
    applies: each => verdictOf(each).reason === "no-freshness",
  },
  "what a cookie got is not stored without a word of the origin": {
    about: "storing",
    section: "7.3",
    applies: each => each.request.cookie !== undefined && verdictOf(each).reason === "cookie",
  },
  "what sets a cookie is not stored": { about: "storing", section: "7.3", applies: each => has(each, "set-cookie") },
  "what varies on everything is not stored": { about: "storing", section: "4.1", applies: each => each.response.vary === "*" },
  "must-understand takes the place of no-store": { about: "storing", section: "5.2.2.3", applies: each => says(each, /must-understand/) },
  "private with names is about those fields only": { about: "storing", section: "5.2.2.7", applies: each => says(each, /private="/) },
  "directives have any case (storing)": { about: "storing", section: "5.2", applies: each => says(each, inCapitals) },
  "a string hides what is in it": { about: "storing", section: "5.2", applies: each => says(each, /x="a, no-store/) },

  "directives have any case (lifetime)": { about: "lifetime", section: "5.2", applies: each => says(each, inCapitals) },
  "of two lifetimes the shorter counts": { about: "lifetime", section: "4.2.1", applies: each => says(each, twice) },
  "a lifetime that is no number is none": { about: "lifetime", section: "4.2.1", applies: each => says(each, notANumber) },
  "a greater number is 2^31": { about: "lifetime", section: "1.2.2", applies: each => says(each, /max-age=99999999999/) },
  "proxy-revalidate shortens no lifetime": { about: "lifetime", section: "5.2.2.8", applies: each => says(each, /proxy-revalidate/) },
  "a date of another form is none": { about: "lifetime", section: "4.2", applies: each => /UTC| Aug 50 /.test(each.response.expires ?? "") },
  "a heuristic lifetime has an end": {
    about: "lifetime",
    section: "4.2.2",
    applies: each => each.response["last-modified"] === choices.lastModified[2],
  },
  "immutable makes no lifetime": { about: "lifetime", section: "RFC 8246 2", applies: each => says(each, /immutable/) },
  "no-cache with names is about those fields only": { about: "lifetime", section: "5.2.2.4", applies: each => says(each, /no-cache="/) },
  "Pragma of a response means nothing where it says how long it is fresh": {
    about: "lifetime",
    section: "5.4",
    applies: each => has(each, "pragma"),
  },
  "who has credentials gets no lifetime that the origin does not give": {
    about: "lifetime",
    section: "7.3",
    applies: each => each.request.authorization !== undefined || each.request.cookie !== undefined,
  },

  "an Age that is no number is none": { about: "age", section: "5.1", applies: each => /;|-/.test(each.response.age ?? "") },
  "an old Date shows an age": { about: "age", section: "4.2.3", applies: each => each.response.date === choices.date[3] },

  "must-revalidate forbids nothing that is fresh": { about: "reuse", section: "5.2.2.2", applies: each => says(each, /must-revalidate/) },
  "s-maxage and proxy-revalidate forbid what is stale": {
    about: "reuse",
    section: "4.2.4",
    applies: each => says(each, /proxy-revalidate|s-maxage/),
  },
  "no-cache is never used without validation": {
    about: "reuse",
    section: "5.2.2.4",
    applies: each => says(each, /no-cache(?!=)/) || has(each, "pragma"),
  },
  "max-stale includes its last second": { about: "reuse", section: "5.2.1.2", applies: each => asks(each, /max-stale=\d/) },
  "an immutable response is not asked about while fresh": {
    about: "reuse",
    section: "RFC 8246 2",
    applies: each => says(each, /immutable/) && asks(each, /max-age/),
  },
  "who says max-age wants nothing stale": {
    about: "reuse",
    section: "5.2.1.1",
    applies: each => asks(each, /max-age/) && says(each, /stale-while-revalidate/),
  },
  "Pragma of a request counts only without Cache-Control": {
    about: "reuse",
    section: "5.4",
    applies: each => each.later.pragma !== undefined && asks(each, /./),
  },
}

const used = new Map<string, number>()

/** The rules that explain why two opinions differ; fails when none does. */
function explain(about: Disagreement["about"], each: Case, own: unknown, theirs: unknown): void {
  const names = Object.keys(disagreements).filter(name => disagreements[name]!.about === about && disagreements[name]!.applies(each))
  expect({ about, each, own, theirs, explained: names.length > 0 }).toEqual({ about, each, own, theirs, explained: true })
  // One that explains alone is needed.
  if (names.length === 1) used.set(names[0]!, (used.get(names[0]!) ?? 0) + 1)
}

function fieldsOf(fields: Record<string, string>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""))
}

/** The first of the values three times of four. */
function usually<T>(values: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(values[0]!) }, { weight: 1, arbitrary: fc.constantFrom(...values) })
}

const cacheControl = fc
  .tuple(usually(choices.lifetime), fc.array(usually(choices.directive), { maxLength: 2 }))
  .map(([lifetime, directives]) => [lifetime, ...directives].filter(part => part !== "").join(", "))

const requests = fc
  .record({ authorization: usually(choices.authorization), cookie: usually(choices.cookie), "cache-control": usually(choices.requestCacheControl) })
  .map(fieldsOf)

const responses = fc
  .record({
    "cache-control": cacheControl,
    expires: usually(choices.expires),
    date: usually(choices.date),
    age: usually(choices.age),
    etag: usually(choices.etag),
    "last-modified": usually(choices.lastModified),
    vary: usually(choices.vary),
    "set-cookie": usually(choices.setCookie),
    pragma: usually(choices.pragma),
  })
  .map(fieldsOf)

const later = fc.record({ "cache-control": fc.constantFrom(...choices.laterCacheControl), pragma: usually(choices.laterPragma) }).map(fieldsOf)

const cases: fc.Arbitrary<Case> = fc.record({
  method: usually(choices.method),
  request: requests,
  status: usually(choices.status),
  response: responses,
  laterSeconds: fc.constantFrom(...choices.laterSeconds),
  later,
})

test("storing, lifetime, age and reuse are those of http-cache-semantics, or a section says why not", () => {
  let agreed = 0
  fc.assert(
    fc.property(cases, each => {
      const own = ownOpinion(each)
      const theirs = oracleOpinion(each)
      if (own.store !== theirs.store) return explain("storing", each, own, theirs)
      if (!own.store) return
      const isSameAge = Math.abs(own.age - theirs.age) < 0.01
      const isSameLifetime = Math.abs(own.lifetime - theirs.lifetime) < 0.01
      if (!isSameAge) explain("age", each, own, theirs)
      if (!isSameLifetime) explain("lifetime", each, own, theirs)
      if (!isSameAge || !isSameLifetime) return
      if (own.reuse !== theirs.reuse) return explain("reuse", each, own, theirs)
      agreed++
    }),
    { numRuns: 50_000, seed: 20_261_126 },
  )
  expect(agreed).toBeGreaterThan(4_000)
}, 60_000)

test("every disagreement that is listed is met", () => {
  const unmet = Object.keys(disagreements).filter(name => !used.has(name))
  expect(unmet).toEqual([])
})
