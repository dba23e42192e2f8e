import { describe, expect, test } from "bun:test"
import { FakeClock } from "../base/index.ts"
import { HEALTH_DOWN, PeerStates } from "./peer-states.ts"
import { RetryBudget } from "./retry-budget.ts"
import { SlotTable, slotKey } from "./slot-table.ts"

function make(slotsMax = 4) {
  const clock = new FakeClock()
  const states = PeerStates.create(slotsMax, 2, clock)
  return { clock, states, table: new SlotTable(states, 60_000, clock) }
}

describe("SlotTable", () => {
  test("a key keeps its slot and what is known of it over reloads", () => {
    const { states, table } = make()
    const slot = table.slot(slotKey("shop", "127.0.0.1:80"))
    states.setHealth(slot, HEALTH_DOWN)
    table.slot(slotKey("shop", "127.0.0.2:80"))
    table.keep("shop", new Set([slotKey("shop", "127.0.0.1:80")]))
    expect(table.slot(slotKey("shop", "127.0.0.1:80"))).toBe(slot)
    expect(states.health(slot)).toBe(HEALTH_DOWN)
    expect(table.find(slotKey("shop", "127.0.0.2:80"))).toBe(-1)
  })

  test("the same address in two clusters is two peers", () => {
    const { table } = make()
    expect(table.slot(slotKey("a", "127.0.0.1:80"))).not.toBe(table.slot(slotKey("b", "127.0.0.1:80")))
    table.keep("a", new Set())
    expect(table.find(slotKey("b", "127.0.0.1:80"))).not.toBe(-1)
  })

  test("a slot is given on after its grace only, idle only, and clean", () => {
    const { clock, states, table } = make(2)
    const old = table.slot("a|1")
    table.slot("a|2")
    states.setHealth(old, HEALTH_DOWN)
    states.begin(old)
    expect(table.slot("a|3")).toBe(-1)
    table.keep("a", new Set(["a|2"]))
    expect(table.slot("a|3")).toBe(-1)
    clock.advance(61_000)
    expect(table.slot("a|3")).toBe(-1)
    states.finish(old)
    expect(table.slot("a|3")).toBe(old)
    expect([states.health(old), states.requestsTotal(old)]).toEqual([0, 0])
    expect(table.taken).toBe(2)
  })

  test("an idle slot too waits for its grace", () => {
    const { clock, table } = make(1)
    const slot = table.slot("a|1")
    table.keep("a", new Set())
    clock.advance(59_000)
    expect(table.slot("a|2")).toBe(-1)
    clock.advance(2_000)
    expect(table.slot("a|2")).toBe(slot)
  })

  test("a peer that comes back within the grace is the one it was", () => {
    const { clock, states, table } = make()
    const slot = table.slot("a|1")
    states.setHealth(slot, HEALTH_DOWN)
    table.keepClusters(new Set(["b"]))
    clock.advance(59_000)
    expect(table.slot("a|1")).toBe(slot)
    expect(states.health(slot)).toBe(HEALTH_DOWN)
    clock.advance(120_000)
    for (const key of ["x|1", "x|2", "x|3"]) expect(table.slot(key)).not.toBe(slot)
    expect(table.slot("x|4")).toBe(-1)
  })

  test("a cluster's own record stays with any list of peers and is given on when the cluster is gone", () => {
    const { clock, states, table } = make(2)
    const own = table.slot(slotKey("shop", ""))
    const budget = new RetryBudget(states, own, 0.2)
    expect(budget.tryRetry()).toBe(true)
    table.slot("shop|1")
    table.keep("shop", new Set())
    expect(table.find(slotKey("shop", ""))).toBe(own)
    table.keepClusters(new Set())
    clock.advance(61_000)
    expect(new Set([table.slot("x|1"), table.slot("x|2")])).toEqual(new Set([0, 1]))
  })
})
