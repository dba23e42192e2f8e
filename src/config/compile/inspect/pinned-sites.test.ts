import { expect, test } from "bun:test"
import { type PinnedRules, PinnedSites, pinnedMemory } from "./pinned-sites.ts"

const usual: PinnedRules = { after: 2, within: 60_000, for: 3_600_000, by: "client", max: 100 }

function sitesOf(change: Partial<PinnedRules> = {}) {
  const rules = { ...usual, ...change }
  const memory = new SharedArrayBuffer(pinnedMemory("egress", rules).bytes)
  return { sites: new PinnedSites(memory, rules), others: new PinnedSites(memory, rules) }
}

test("two handshakes that a client breaks off make a site its own, in every thread, for a time", () => {
  const { sites, others } = sitesOf()
  expect([sites.strike("192.0.2.1", "a.test", 1000), others.strike("192.0.2.1", "a.test", 2000)]).toEqual([false, true])
  expect([sites.holds("192.0.2.1", "a.test", 3000), sites.holds("192.0.2.2", "a.test", 3000), sites.holds("192.0.2.1", "b.test", 3000)]).toEqual([
    true,
    false,
    false,
  ])
  expect(sites.holds("192.0.2.1", "a.test", 2000 + usual.for)).toBe(false)
  // From the start again.
  expect(sites.strike("192.0.2.1", "a.test", 2001 + usual.for)).toBe(false)
})

test("what is too long ago does not count, and neither does what a client that takes our certificate has behind it", () => {
  const { sites } = sitesOf()
  expect([
    sites.strike("c", "a.test", 1000),
    sites.strike("c", "a.test", 1000 + usual.within),
    sites.strike("c", "a.test", 2000 + usual.within),
  ]).toEqual([false, false, true])
  sites.clear("c", "a.test")
  expect(sites.holds("c", "a.test", 3000 + usual.within)).toBe(true)
  expect(sites.strike("d", "a.test", 1000)).toBe(false)
  sites.clear("d", "a.test")
  expect(sites.strike("d", "a.test", 1001)).toBe(false)
})

test("by host they count for everybody", () => {
  const { sites } = sitesOf({ by: "host", after: 3 })
  expect(["a", "b", "c"].map(client => sites.strike(client, "a.test", 1000))).toEqual([false, false, true])
  expect(sites.holds("z", "a.test", 2000)).toBe(true)
  expect(sites.list(2000)).toEqual([{ client: "", host: "a.test", until: 1000 + usual.for }])
})

test("listed and forgotten, by host, by client, all; an address with colons is a client, too", () => {
  const { sites } = sitesOf({ after: 1 })
  for (const [client, host] of [
    ["192.0.2.1", "a.test"],
    ["2001:db8::1", "a.test"],
    ["192.0.2.1", "b.test"],
  ] as const)
    sites.strike(client, host, 1000)
  expect(
    sites
      .list(1000)
      .map(({ client, host }) => `${client} ${host}`)
      .sort(),
  ).toEqual(["192.0.2.1 a.test", "192.0.2.1 b.test", "2001:db8::1 a.test"])
  expect([
    sites.remove("a.test", "2001:db8::1", 1000),
    sites.remove("a.test", "", 1000),
    sites.remove("c.test", "", 1000),
    sites.remove("", "", 1000),
  ]).toEqual([1, 1, 0, 1])
  expect(sites.list(1000)).toEqual([])
})

test("a flood of names has no more room than it may", () => {
  const { sites } = sitesOf({ after: 1 })
  for (let i = 0; i < 5000; i++) sites.strike("c", `${"x".repeat(300)}${i}.test`, 1000)
  expect(sites.list(1000).length).toBeLessThanOrEqual(210)
})
