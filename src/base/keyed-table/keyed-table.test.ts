import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { FakeClock } from "../clock.ts"
import { Random } from "../hash.ts"
import { KeyHash } from "./key-hash.ts"
import { KeyedTable, KIND_METER, KIND_TALLY, TALLY_AT, type TableShape, tallyWords } from "./keyed-table.ts"
import { SharedTime } from "./shared-time.ts"
import type { ThreadTask } from "./table-thread.fixture.ts"

const shape: TableShape = { keysMax: 1000, valueWords: 16, kind: KIND_METER }

function tableOf(of: TableShape = shape): KeyedTable {
  return new KeyedTable(new SharedArrayBuffer(KeyedTable.bytes(of)), of)
}

function countIn(table: KeyedTable, key: string): number {
  const base = table.find(key)
  const count = base === -1 ? -1 : table.words[base + 1]!
  table.leave()
  return count
}

function add(table: KeyedTable, key: string): void {
  table.words[table.enter(key) + 1]!++
  table.leave()
}

function startThread(task: ThreadTask): { readonly thread: Worker; readonly told: Promise<number[]> } {
  const thread = new Worker(join(import.meta.dirname, "table-thread.fixture.ts"), { workerData: task })
  return { thread, told: new Promise((resolve, reject) => thread.once("message", resolve).once("error", reject)) }
}

describe("keyed table", () => {
  test("does what a map does as long as there is room", () => {
    const table = tableOf()
    const model = new Map<string, number>()
    const random = new Random(1)
    for (let i = 0; i < 20_000; i++) {
      const key = `k${random.below(500)}`
      if (random.below(20) === 0) {
        if (table.find(key) !== -1) table.drop()
        table.leave()
        model.delete(key)
      } else {
        add(table, key)
        model.set(key, (model.get(key) ?? 0) + 1)
      }
    }
    expect(table.evictions).toBeLessThan(20)
    let wrong = 0
    for (let i = 0; i < 500; i++) wrong += countIn(table, `k${i}`) === (model.get(`k${i}`) ?? -1) ? 0 : 1
    expect(wrong).toBeLessThanOrEqual(table.evictions)
  })

  test("a new entry is all zeroes, also where another one was", () => {
    const table = tableOf({ ...shape, keysMax: 1 })
    for (let i = 0; i < 1000; i++) {
      const base = table.enter(`k${i}`)
      expect(table.isNew).toBe(true)
      expect(table.words.subarray(base + 1, base + 16).every(word => word === 0)).toBe(true)
      table.words.fill(-1, base + 1, base + 16)
      table.leave()
    }
    expect(table.evictions).toBeGreaterThan(900)
  })

  test("a flood takes the places of those that are idle, never of those that come again and again", () => {
    const table = tableOf()
    for (let i = 0; i < 100_000; i++) {
      add(table, `flood ${i}`)
      if (i % 50 === 0) for (let heavy = 0; heavy < 5; heavy++) add(table, `heavy ${heavy}`)
    }
    for (let heavy = 0; heavy < 5; heavy++) expect(countIn(table, `heavy ${heavy}`)).toBe(2000)
  })

  test("threads lose no count and count nothing twice", async () => {
    const memory = new SharedArrayBuffer(KeyedTable.bytes(shape))
    const table = new KeyedTable(memory, shape)
    const keys = 40
    const told = await Promise.all([1, 2, 3, 4].map(seed => startThread({ memory, seed, keys, rounds: 100_000 }).told))
    for (let key = 0; key < keys; key++) expect(countIn(table, `key ${key}`)).toBe(told.reduce((sum, counts) => sum + counts[key]!, 0))
    expect([table.evictions, table.takenLocks]).toEqual([0, 0])
  })

  test("a thread that died with a lock holds up nobody for long", async () => {
    const memory = new SharedArrayBuffer(KeyedTable.bytes(shape))
    const table = new KeyedTable(memory, shape)
    add(table, "key 0")
    const { thread, told } = startThread({ memory, seed: 1, keys: 1, rounds: 0 })
    await told
    await thread.terminate()
    const before = performance.now()
    add(table, "key 0")
    expect(performance.now() - before).toBeLessThan(2000)
    expect([countIn(table, "key 0"), table.takenLocks]).toEqual([2, 1])
  })

  test("tallies stay while they count, and go with their worker", () => {
    const table = tableOf({ keysMax: 1, valueWords: tallyWords(40), kind: KIND_TALLY })
    expect(table.valueWords).toBe(32)
    const held: number[] = []
    for (let i = 0; i < 200; i++) {
      const base = table.enter(`k${i}`)
      if (base !== -1) {
        table.halves[(base + TALLY_AT) * 2 + (i % 2 === 0 ? 3 : 39)]!++
        held.push(base)
      }
      table.leave()
    }
    expect(held.length).toBe(56)
    table.forgetWorker(3)
    table.enterAt(held[1]!)
    expect(table.tallies(held[1]!)).toBe(1)
    table.leave()
    expect(table.enter("later")).not.toBe(-1)
    table.leave()
  })

  test("what is in a memory can be told", () => {
    const memory = new SharedArrayBuffer(KeyedTable.bytes(shape))
    expect(KeyedTable.kindOf(memory)).toBe(0)
    add(new KeyedTable(memory, shape), "a")
    expect(KeyedTable.kindOf(memory)).toBe(KIND_METER)
    expect(countIn(KeyedTable.open(memory), "a")).toBe(1)
  })
})

describe("key hash", () => {
  test("texts that differ little fall apart, and seeds tell tables apart", () => {
    const hash = new KeyHash(1, 2)
    const seen = new Set<string>()
    const texts = Array.from({ length: 20_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
    for (const text of ["", "\0", "\0\0", "a", "a\0", ...texts]) {
      hash.read(text)
      seen.add(`${hash.high} ${hash.low}`)
    }
    expect(seen.size).toBe(20_005)
    const other = new KeyHash(1, 3)
    other.read("a")
    hash.read("a")
    expect(other.high).not.toBe(hash.high)
  })

  test("buckets are filled evenly", () => {
    const hash = new KeyHash(7, 9)
    const buckets = new Array<number>(64).fill(0)
    for (let i = 0; i < 64_000; i++) {
      hash.read(`2001:db8::${i.toString(16)}`)
      buckets[(hash.high >>> 0) >>> 26]!++
    }
    expect(Math.min(...buckets)).toBeGreaterThan(850)
    expect(Math.max(...buckets)).toBeLessThan(1150)
  })
})

describe("shared time", () => {
  test("follows the wall clock, with fractions between", () => {
    const own = new FakeClock()
    const shared = new SharedTime(own)
    const start = shared.now()
    expect(start).toBe(own.wall())
    own.advance(0.25)
    expect(shared.now()).toBe(start + 0.25)
    own.setWall(own.wall() - 60_000)
    own.advance(1000)
    expect(shared.now()).toBe(own.wall())
  })
})
