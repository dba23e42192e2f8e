import { describe, expect, test } from "bun:test"
import { NameSet, NameSetBuilder } from "../../../base/index.ts"
import type { Lists, NameList } from "../../../plugin/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import { ListReader } from "../../lists/list-reader.ts"
import domain from "./domain.ts"

function listOf(name: string, text: string): NameList {
  const builder = new NameSetBuilder()
  const reader = new ListReader(builder, { format: "auto", thirdParty: false })
  reader.feed(text)
  reader.end()
  const set = new NameSet(builder.build())
  return { name, category: "", has: host => set.has(host), find: host => set.find(host) }
}

const all = [listOf("ads", "||ads.test^\n@@||ok.ads.test^\n0.0.0.0 exact.test"), listOf("banks", "bank.test")]
const lists: Lists = {
  get: name => {
    const list = all.find(one => one.name === name)
    if (list === undefined) throw new Error(`there is no list "${name}"`)
    return list
  },
  ofCategory: () => [],
}
const deps = { reading: () => ({ name: "", text: "", read: () => 0 }), lists }

function matches(options: unknown, host: string): boolean {
  return domain.compile(domain.options.parse(options), deps)(exchangeOf({ host }))
}

describe("names", () => {
  const cases: [unknown, string, boolean][] = [
    ["a.test", "a.test", true],
    ["a.test", "x.y.a.test", true],
    ["a.test", "xa.test", false],
    ["a.test", "a.test.evil.test", false],
    ["*.a.test", "a.test", false],
    ["*.a.test", "x.a.test", true],
    [["a.test", "b.test"], "x.b.test", true],
    ["BÜCHER.test", "xn--bcher-kva.test", true],
    ["192.0.2.1", "192.0.2.1", true],
    [".zip", "a.zip", true],
  ]
  for (const [options, host, wanted] of cases) test(`${JSON.stringify(options)} and ${host}`, () => expect(matches(options, host)).toBe(wanted))
})

describe("lists", () => {
  const cases: [unknown, string, boolean][] = [
    [{ list: "ads" }, "x.ads.test", true],
    [{ list: "ads" }, "x.ok.ads.test", false],
    [{ list: "ads" }, "exact.test", true],
    [{ list: "ads" }, "x.exact.test", false],
    [{ list: "ads" }, "bank.test", false],
    [{ list: ["ads", "banks"] }, "bank.test", true],
    [["a.test", { list: "banks" }], "a.test", true],
    [["a.test", { list: "banks" }], "bank.test", true],
    [["a.test", { list: "banks" }], "c.test", false],
    // An exception of one list is no exception to a name that the rule itself gives.
    [["ok.ads.test", { list: "ads" }], "ok.ads.test", true],
  ]
  for (const [options, host, wanted] of cases) test(`${JSON.stringify(options)} and ${host}`, () => expect(matches(options, host)).toBe(wanted))
})

test("says what is wrong with options", () => {
  const trouble = (options: unknown) => JSON.stringify(domain.options.safeParse(options).error?.issues ?? "")
  expect(trouble("com")).toMatch(/one label/)
  expect(trouble("http://a.test/")).toMatch(/is no name/)
  expect(trouble([])).toMatch(/list is empty/)
  expect(trouble({ list: "" })).toMatch(/expected|small/i)
  expect(trouble({ lists: "ads" })).toMatch(/lists/)
})

test("names the lists with the keys that lead there", () => {
  const uses = (options: unknown) => domain.lists!(domain.options.parse(options)).map(({ kind, name, at }) => [kind, name, at.join(".")])
  expect(uses({ list: "ads" })).toEqual([["list", "ads", "list"]])
  expect(uses(["a.test", { list: ["ads", "banks"] }])).toEqual([
    ["list", "ads", "1.list.0"],
    ["list", "banks", "1.list.1"],
  ])
  expect(() => domain.compile(domain.options.parse({ list: "none" }), deps)).toThrow('there is no list "none"')
  expect(() => domain.compile(domain.options.parse({ list: "ads" }))).toThrow("cannot be read here")
})

test("explains what holds and what does not", () => {
  const options = domain.options.parse(["a.test", { list: ["banks", "ads"] }])
  expect(domain.found!(options, exchangeOf({ host: "x.a.test" }), deps)).toBe("a.test")
  expect(domain.found!(options, exchangeOf({ host: "x.ads.test" }), deps)).toBe("list ads has ads.test")
  expect(domain.describe(options, exchangeOf({ host: "c.test" }), deps)).toBe("host is c.test, not in a.test, list banks or list ads")
})
