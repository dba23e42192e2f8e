import { describe, expect, test } from "bun:test"
import { Random } from "../hash.ts"
import { EXCEPT_BELOW, EXCEPT_SELF, FIRM_BELOW, FIRM_SELF, NAME_BELOW, NAME_SELF, NAME_TREE, NameSet } from "./name-set.ts"
import { NameSetBuilder } from "./name-set-builder.ts"

function setOf(entries: readonly (readonly [string, number])[]): NameSet {
  const builder = new NameSetBuilder()
  for (const [name, kinds] of entries) builder.add(name, 0, name.length, kinds)
  return new NameSet(builder.build())
}

describe("what an entry holds", () => {
  const set = setOf([
    ["tree.test", NAME_TREE],
    ["self.test", NAME_SELF],
    ["below.test", NAME_BELOW],
    ["zip", NAME_TREE],
  ])
  const cases: [string, string][] = [
    ["tree.test", "tree.test"],
    ["a.b.tree.test", "tree.test"],
    ["atree.test", ""],
    ["tree.test.evil", ""],
    ["self.test", "self.test"],
    ["a.self.test", ""],
    ["below.test", ""],
    ["a.below.test", "below.test"],
    [".below.test", "below.test"],
    ["archive.zip", "zip"],
    ["zip", "zip"],
    ["test", ""],
    ["", ""],
    [".", ""],
    ["..tree.test", "tree.test"],
    ["192.0.2.1", ""],
    ["::1", ""],
  ]
  test.each(cases)("%p is held by %p", (host, by) => {
    const at = set.find(host)
    expect(at < 0 ? "" : host.slice(at)).toBe(by)
    expect(set.has(host)).toBe(by !== "")
  })
})

test("exceptions take out, whatever is nearer, unless the name is firm", () => {
  const set = setOf([
    ["x.test", NAME_TREE],
    ["ok.x.test", EXCEPT_SELF | EXCEPT_BELOW],
    ["bad.ok.x.test", NAME_TREE],
    ["worse.ok.x.test", NAME_TREE | FIRM_SELF | FIRM_BELOW],
    ["self.x.test", EXCEPT_SELF],
  ])
  expect(
    ["x.test", "a.x.test", "ok.x.test", "a.ok.x.test", "bad.ok.x.test", "worse.ok.x.test", "self.x.test", "a.self.x.test"].map(h => set.has(h)),
  ).toEqual([true, true, false, false, false, true, false, true])
  set.find("a.ok.x.test")
  expect([set.nameAt, set.exceptAt]).toEqual(["a.ok.".length, "a.".length])
})

test("kinds of one name add up, and it is one name", () => {
  const set = setOf([
    ["a.test", NAME_SELF],
    ["A.TEST", NAME_BELOW],
    ["a.test", NAME_SELF],
  ])
  expect([set.names, set.has("a.test"), set.has("b.a.test")]).toEqual([1, true, true])
})

test("an empty set holds nothing", () => {
  const set = setOf([])
  expect([set.names, set.has("a.test"), set.has("")]).toEqual([0, false, false])
})

test("names twice cost no memory", () => {
  const once = new NameSetBuilder([1, 2])
  const twice = new NameSetBuilder([1, 2])
  for (let i = 0; i < 20_000; i++) {
    const name = `n${i}.test`
    once.add(name, 0, name.length, NAME_TREE)
    for (let k = 0; k < 3; k++) twice.add(name, 0, name.length, NAME_TREE)
  }
  expect(twice.build().byteLength).toBe(once.build().byteLength)
})

test("building stops again and again, and comes to the same", () => {
  const builders = [new NameSetBuilder([7, 7]), new NameSetBuilder([7, 7])]
  for (let i = 0; i < 100_000; i++) for (const builder of builders) builder.add(`host${i}.test`, 0, `host${i}.test`.length, NAME_SELF)
  const slices = builders[0]!.slices()
  let stops = 0
  let step = slices.next()
  for (; step.done !== true; step = slices.next()) stops++
  expect(stops).toBeGreaterThan(2)
  expect(Buffer.from(step.value).equals(Buffer.from(builders[1]!.build()))).toBe(true)
  expect(step.value.byteLength).toBeLessThan(12 * 100_000)
})

test("memory of a former set is used again where it fits, and nothing of it is left", () => {
  const add = (from: number, to: number): NameSetBuilder => {
    const builder = new NameSetBuilder()
    for (let i = from; i < to; i++) builder.add(`n${i}.test`, 0, `n${i}.test`.length, NAME_TREE)
    return builder
  }
  const rebuilt = (builder: NameSetBuilder, spare: SharedArrayBuffer): SharedArrayBuffer => {
    const slices = builder.slices(spare)
    for (;;) {
      const step = slices.next()
      if (step.done === true) return step.value
    }
  }
  const first = add(0, 10_000).build()
  const second = rebuilt(add(5000, 15_500), first)
  expect(second).toBe(first)
  const set = new NameSet(second)
  expect([set.names, set.has("n4999.test"), set.has("n5000.test"), set.has("n15499.test")]).toEqual([10_500, false, true, true])
  expect(rebuilt(add(0, 12_000), first)).not.toBe(first)
  expect(rebuilt(add(0, 2000), first)).not.toBe(first)
  expect(new NameSet(rebuilt(add(0, 2000), first)).names).toBe(2000)
})

// The naive reading of the rules: all suffixes, one after the other.
function naive(entries: readonly (readonly [string, number])[], host: string): boolean {
  const labels = host.split(".")
  const kinds = labels.map((_, i) => {
    const name = labels.slice(i).join(".")
    const all = entries.filter(entry => entry[0] === name).reduce((sum, entry) => sum | entry[1], 0)
    return i === 0 ? all & (NAME_SELF | EXCEPT_SELF | FIRM_SELF) : (all & (NAME_BELOW | EXCEPT_BELOW | FIRM_BELOW)) >> 1
  })
  const all = kinds.reduce((sum, one) => sum | one, 0)
  return (all & FIRM_SELF) !== 0 || ((all & NAME_SELF) !== 0 && (all & EXCEPT_SELF) === 0)
}

test("the set says what the naive reading says", () => {
  const random = new Random(20)
  const label = (): string => "abc"[random.below(3)]! + (random.below(3) === 0 ? "bc"[random.below(2)]! : "")
  const name = (most: number): string => Array.from({ length: 1 + random.below(most) }, label).join(".")
  let held = 0
  for (let round = 0; round < 300; round++) {
    const entries = Array.from({ length: random.below(30) }, () => {
      const firm = random.below(10) === 0
      return [name(3), firm ? 1 + random.below(63) : random.below(6) === 0 ? EXCEPT_SELF | EXCEPT_BELOW : 1 + random.below(3)] as const
    })
    const set = setOf(entries)
    for (let i = 0; i < 100; i++) {
      const host = name(5)
      const wanted = naive(entries, host)
      if (wanted) held++
      expect({ round, host, has: set.has(host) }).toEqual({ round, host, has: wanted })
    }
  }
  expect(held).toBeGreaterThan(3000)
})
