import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { describe, expect, test } from "bun:test"
import { formatIp } from "../../base/index.ts"
import type { StandInTask } from "./stand-ins.fixture.ts"
import { type StandInRange, StandIns } from "./stand-ins.ts"

const small: StandInRange = { range: "198.18.0.0/15", ipv6: null, namesMax: 16, ttl: 60_000 }

function make(options: StandInRange = small): { standIns: StandIns; memory: SharedArrayBuffer; at: { seconds: number } } {
  const memory = new SharedArrayBuffer(StandIns.bytes(options))
  const at = { seconds: 1000 }
  return { standIns: new StandIns(memory, options, () => at.seconds), memory, at }
}

function text(octets: Uint8Array | null): string {
  return octets === null ? "" : formatIp(octets, 0, octets.length as 4 | 16)
}

describe("addresses that stand for names", () => {
  test("there and back, in both families", () => {
    const { standIns } = make({ range: "198.18.0.0/15", ipv6: "fd00:6277::/96", namesMax: 16_384, ttl: 60_000 })
    for (let i = 0; i < 2000; i++) {
      const name = `host-${i}.site.test`
      const four = text(standIns.give(name, 4))
      expect([four, standIns.nameOf(four)]).toEqual([expect.stringMatching(/^198\.1[89]\./), name])
      expect(standIns.nameOf(text(standIns.give(name, 6)))).toBe(name)
      expect(text(standIns.give(name, 4))).toBe(four)
    }
    expect([standIns.givenUp, standIns.refused]).toEqual([0, 0])
  })

  test("other addresses stand for nothing; those of the range that nobody has, for no name that is known", () => {
    const { standIns } = make({ range: "198.18.5.9/24", ipv6: "fd00::/64", namesMax: 16, ttl: 1000 })
    for (const address of ["198.18.4.1", "198.18.6.1", "10.0.0.1", "fe80::1", "", "site.test"])
      expect([address, standIns.nameOf(address)]).toEqual([address, null])
    for (const address of ["198.18.5.0", "198.18.5.1", "198.18.5.255", "fd00::", "fd00::1", "fd00::1:0:0:1"])
      expect([address, standIns.nameOf(address)]).toEqual([address, ""])
  })

  test("as many names as there is room; then the oldest gives its place up, but none that a client may remember", () => {
    const { standIns, at } = make()
    const given = Array.from({ length: 500 }, (_, i) => text(standIns.give(`n${i}.test`, 4)))
    expect(given.filter(address => address !== "").length).toBe(16)
    expect([standIns.refused, standIns.givenUp]).toEqual([484, 0])
    const kept = given.findIndex(address => address !== "")
    at.seconds += 61
    // It is called, so it is in use.
    expect(standIns.nameOf(given[kept]!)).toBe(`n${kept}.test`)
    const later = Array.from({ length: 500 }, (_, i) => text(standIns.give(`later${i}.test`, 4)))
    expect(later.filter(address => address !== "").length).toBe(15)
    expect(standIns.givenUp).toBe(15)
    expect(standIns.nameOf(given[kept]!)).toBe(`n${kept}.test`)
  })

  test("a small range has no more places than addresses, and they stay inside", () => {
    const { standIns } = make({ range: "192.0.2.0/28", ipv6: null, namesMax: 1000, ttl: 1000 })
    const given = new Set(Array.from({ length: 50 }, (_, i) => text(standIns.give(`n${i}`, 4))).filter(address => address !== ""))
    expect([...given].sort()).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8"])
  })

  test("a name of 253 octets, and the same name for another thread after a restart", () => {
    const name = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`
    expect(name.length).toBe(253)
    const first = make().standIns
    const address = text(first.give(name, 4))
    expect(first.nameOf(address)).toBe(name)
    expect(text(make().standIns.give(name, 4))).toBe(address)
  })

  test("what a thread left half-written is free, and its lock is nobody's", () => {
    const { standIns, memory } = make({ ...small, namesMax: 8 })
    const address = text(standIns.give("a.test", 4))
    const words = new Int32Array(memory)
    // The one group's lock, and its place's count.
    words[16] = (Date.now() - 1000) | 1
    words[20 + (Number(address.split(".")[3]) - 1) * 68]! |= 1
    expect(standIns.nameOf(address)).toBe("")
    expect(standIns.nameOf(text(standIns.give("b.test", 4)))).toBe("b.test")
    expect(standIns.nameOf(text(standIns.give("a.test", 4)))).toBe("a.test")
  })

  test("threads that write at the same time never hand out one address for two names", async () => {
    const options = { ...small, namesMax: 64, ttl: 1000 }
    const memory = new SharedArrayBuffer(StandIns.bytes(options))
    const workers = [1, 2, 3].map(
      seed => new Worker(join(import.meta.dirname, "stand-ins.fixture.ts"), { workerData: { memory, options, seed } satisfies StandInTask }),
    )
    const wrong = await Promise.all(
      workers.map(worker => new Promise<number>((resolve, reject) => worker.once("message", resolve).once("error", reject))),
    )
    expect(wrong).toEqual([0, 0, 0])
  })
})
