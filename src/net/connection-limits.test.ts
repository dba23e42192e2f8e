import { describe, expect, test } from "bun:test"
import { ConnectionLimits, type LimitOptions, REFUSED, UNTRACKED } from "./connection-limits.ts"

function limits(options: Partial<LimitOptions>): [ConnectionLimits, ConnectionLimits] {
  const whole = { connectionsMax: 4, perClientMax: 0, workers: 2, ...options }
  const shared = ConnectionLimits.share(whole)
  return [new ConnectionLimits(shared, whole, 0), new ConnectionLimits(shared, whole, 1)]
}

describe("ConnectionLimits", () => {
  test("all workers together stay under connectionsMax", () => {
    const [a, b] = limits({ connectionsMax: 3 })
    expect([a.openOne(), b.openOne(), a.openOne(), b.openOne(), a.openOne()]).toEqual([true, true, true, false, false])
    expect(a.open).toBe(5)
    b.closeOne()
    a.closeOne()
    a.closeOne()
    expect([a.open, b.openOne()]).toEqual([2, true])
  })

  test("a worker that died leaves nothing behind", () => {
    const [a, b] = limits({})
    a.openOne()
    a.openOne()
    b.openOne()
    b.forgetWorker(0)
    expect(b.open).toBe(1)
  })

  test("0 is no limit", () => {
    const [a] = limits({ connectionsMax: 0 })
    for (let i = 0; i < 1000; i++) expect(a.openOne()).toBeTrue()
    expect(a.admit("192.0.2.1")).toBe(UNTRACKED)
  })

  test("a client's connections are counted over the workers, and other clients are not touched", () => {
    const [a, b] = limits({ perClientMax: 2, connectionsMax: 1000 })
    const first = a.admit("192.0.2.1")
    expect(first).toBeGreaterThan(0)
    expect(b.admit("192.0.2.1")).toBe(first)
    expect([a.admit("192.0.2.1"), b.admit("192.0.2.1")]).toEqual([REFUSED, REFUSED])
    expect(a.admit("192.0.2.2")).toBeGreaterThan(0)
    b.release(first)
    expect(a.admit("192.0.2.1")).toBe(first)
    a.release(REFUSED)
    a.release(UNTRACKED)
  })

  test("an IPv6 client is its network of 64 bits; IPv4 does not meet IPv6", () => {
    const [a] = limits({ perClientMax: 1, connectionsMax: 1000 })
    expect(a.admit("2001:db8:1:2::1")).toBeGreaterThan(0)
    expect(a.admit("2001:db8:1:2:ffff::9")).toBe(REFUSED)
    expect(a.admit("2001:db8:1:3::1")).toBeGreaterThan(0)
    expect(a.admit("::1")).toBeGreaterThan(0)
    expect(a.admit("0.0.0.0")).toBeGreaterThan(0)
    expect(a.admit("fe80::1%eth0")).toBeGreaterThan(0)
    expect(a.admit("fe80::1%eth0")).toBe(REFUSED)
  })

  test("thousands of clients come and go; the table is empty afterwards", () => {
    const options = { perClientMax: 3, connectionsMax: 8192, workers: 1 }
    const shared = ConnectionLimits.share(options)
    const a = new ConnectionLimits(shared, options, 0)
    const slots: number[] = []
    for (let round = 0; round < 3; round++) for (let i = 0; i < 2700; i++) slots.push(a.admit(`10.0.${i >> 8}.${i & 255}`))
    expect(slots.filter(slot => slot === REFUSED)).toEqual([])
    expect(slots.filter(slot => slot === UNTRACKED).length).toBeLessThan(30)
    expect(a.admit("10.0.0.0")).toBe(REFUSED)
    for (const slot of slots) a.release(slot)
    const cells = new Int32Array(shared)
    let held = 0
    for (let bucket = 32; bucket < cells.length; bucket += 16) for (let i = 3; i < 16; i += 3) held += cells[bucket + i]!
    expect(held).toBe(0)
  })
})

test("two threads that count the same client at once agree", async () => {
  const options = { perClientMax: 1_000_000, connectionsMax: 64, workers: 2 }
  const shared = ConnectionLimits.share(options)
  const source = `
    import { ConnectionLimits } from ${JSON.stringify(new URL("./connection-limits.ts", import.meta.url).href)}
    onmessage = ({ data }) => {
      const limits = new ConnectionLimits(data.shared, data.options, 1)
      for (let i = 0; i < 50000; i++) limits.release(limits.admit("192.0.2.1"))
      for (let i = 0; i < 10; i++) limits.admit("192.0.2.1")
      postMessage("done")
    }`
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "application/javascript" })))
  const done = new Promise(resolve => worker.addEventListener("message", resolve))
  worker.postMessage({ shared, options })
  const own = new ConnectionLimits(shared, options, 0)
  for (let i = 0; i < 50000; i++) own.release(own.admit("192.0.2.1"))
  const slot = own.admit("192.0.2.1")
  await done
  worker.terminate()
  expect(new Int32Array(shared)[slot + 2]).toBe(11)
})
