import { describe, expect, test } from "bun:test"
import { Fields } from "../../http/index.ts"
import { decodeHead, encodeVaryRule } from "../stored.ts"
import { film, SlicingThread } from "./slices.fixture.ts"
import { keyForNames, leaveVaryRule, namesThatCount } from "./vary-slices.ts"

const one = Fields.of([["Origin", "http://one.test"]])
const two = Fields.of([["Origin", "http://two.test"]])

describe("variants of slices", () => {
  test("what all requests for slices say alike tells none apart", () => {
    expect(namesThatCount(["accept-encoding", "origin", "range"])).toEqual(["origin"])
    expect(namesThatCount(["accept-encoding"])).toEqual([])
  })

  test("by no names, or by names that a key knows already: where it was looked for", () => {
    expect(keyForNames(film, [], one)).toBe(film)
    const variant = keyForNames(film, ["accept-language", "origin"], one)
    expect(variant.text).not.toBe(film.text)
    expect(keyForNames(variant, ["origin"], one)).toBe(variant)
    expect(keyForNames(variant, [], one)).toBe(variant)
  })

  test("by other names: under the plain key, by their values", () => {
    const [a, b] = [keyForNames(film, ["origin"], one), keyForNames(film, ["origin"], two)]
    expect([a.text === b.text, a.group, a.text.startsWith(film.text)]).toEqual([false, film.group, true])
    expect(keyForNames(keyForNames(film, ["accept-language"], one), ["origin"], one).text).toBe(a.text)
  })

  test("the rule names them first, and keeps others", () => {
    const { cache, store } = new SlicingThread()
    const rule = store.begin(film)
    rule.setHead(encodeVaryRule([["accept-encoding"], ["origin"]]), 0, [])
    rule.complete()
    rule.release()
    leaveVaryRule(cache, keyForNames(film, ["origin"], one), ["origin"])
    const entry = store.store.find(film)!
    expect(decodeHead(entry.head)).toEqual({ kind: 1, sets: [["origin"], ["accept-encoding"]] })
    entry.release()
  })
})
