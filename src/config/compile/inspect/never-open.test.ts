import { expect, test } from "bun:test"
import { hostNameFault } from "../../../base/index.ts"
import type { Lists, NameList } from "../../../plugin/index.ts"
import { forwardInspectSchema } from "../../schema/forward-inspect.ts"
import { compileNeverOpen } from "./never-open.ts"
import { privateSites } from "./private-sites/private-sites.ts"
import { SiteSet } from "./site-set.ts"

function neverOpen(options: unknown, lists?: Lists) {
  return compileNeverOpen(forwardInspectSchema.parse({ neverOpen: options })!.neverOpen, lists)
}

test("a name with all below it, and nothing that only ends like it", () => {
  const set = new SiteSet(["bank.test", "gov", "192.0.2.7"])
  const held = ["bank.test", "my.bank.test", "x.gov", "192.0.2.7"]
  const free = ["savebank.test", "test", "gov.test", "2.7", "", "."]
  expect([...held, ...free].map(host => set.has(host))).toEqual([...held.map(() => true), ...free.map(() => false)])
})

test("what comes with the program is on unless it is turned off, and exceptions win", () => {
  const sites = ["www.paypal.com", "anything.bank", "tax.service.gov.uk", "shop.example"]
  expect(sites.map(neverOpen(true))).toEqual([true, true, true, false])
  expect(sites.map(neverOpen(false))).toEqual([false, false, false, false])
  expect(sites.map(neverOpen({ except: ["paypal.com"], names: "shop.example" }))).toEqual([false, true, true, true])
  expect(sites.map(neverOpen({ builtIn: false, names: ["*.example"] }))).toEqual([false, false, false, true])
})

test("categories of lists", () => {
  const list = { name: "l", category: "finance", has: (host: string) => host === "shop.example", find: () => -1 } satisfies NameList
  const lists: Lists = { get: () => list, ofCategory: name => (name === "finance" ? [list] : []) }
  expect(neverOpen({ builtIn: false, categories: ["finance"] }, lists)("shop.example")).toBe(true)
  expect(() => neverOpen({ categories: ["finance"] })).toThrow("there is no list of the category")
})

test("the names that come with the program are names, each once", () => {
  expect(privateSites.filter(name => hostNameFault(name) !== null || name !== name.toLowerCase())).toEqual([])
  expect(new Set(privateSites).size).toBe(privateSites.length)
})
