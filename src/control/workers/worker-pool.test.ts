import { afterEach, describe, expect, test } from "bun:test"
import { type Behaviour, FakeThread } from "./fake-thread.ts"
import { HeartbeatMonitor } from "./heartbeat.ts"
import { WorkerPool, type WorkerPoolOptions } from "./worker-pool.ts"
import type { Prepare } from "./worker-slot.ts"

const pools: WorkerPool[] = []
afterEach(() => {
  for (const pool of pools.splice(0)) pool.stop()
})

function make(count: number, behave: Behaviour = {}, more: Partial<WorkerPoolOptions> = {}) {
  const threads: FakeThread[] = []
  const errors: string[] = []
  const log = {
    debug() {},
    info() {},
    warn() {},
    error: (_message: string, facts: { error: string }) => void errors.push(facts.error),
  } as unknown as WorkerPoolOptions["log"]
  const memory = () => new SharedArrayBuffer(64)
  const pool = new WorkerPool({
    count,
    shared: { peers: memory(), metrics: memory(), heartbeat: new SharedArrayBuffer(HeartbeatMonitor.bytes(count)) },
    instanceId: "test",
    spawn: (setup, events) => {
      const thread = new FakeThread(setup, events, behave)
      threads.push(thread)
      return thread.port
    },
    log,
    ...more,
  })
  pools.push(pool)
  return { pool, threads, errors }
}

const peersOfAll = { shop: [] }
const version = (n: number): Prepare =>
  ({
    type: "prepare",
    version: n,
    config: {},
    file: null,
    baseDir: "/",
    peers: peersOfAll,
    layout: { capacity: 0, blocks: [] },
  }) as unknown as Prepare
const types = (thread: FakeThread) => thread.got.map(message => ("version" in message ? `${message.type} ${message.version}` : message.type))

async function until(condition: () => boolean, ms = 2000): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await new Promise(resolve => setTimeout(resolve, 5))) if (condition()) return true
  return false
}

async function serving(count: number, behave: Behaviour = {}, more: Partial<WorkerPoolOptions> = {}) {
  const made = make(count, behave, more)
  await made.pool.start()
  expect(await made.pool.prepare(version(1))).toEqual([])
  await made.pool.commit(version(1))
  return made
}

describe("worker pool", () => {
  test("ready only when every worker has committed", async () => {
    const { pool, threads } = make(2)
    await pool.start()
    expect(pool.ready()).toBe(false)
    await pool.prepare(version(1))
    expect(pool.ready()).toBe(false)
    await pool.commit(version(1))
    expect(pool.ready()).toBe(true)
    expect(threads.map(types)).toEqual([
      ["prepare 1", "commit 1"],
      ["prepare 1", "commit 1"],
    ])
  })

  test("one refusal is the pool's answer", async () => {
    const wrong = { message: "wrong", where: "", expected: "" }
    const { pool } = await serving(2, {
      refuse: (message, thread) => (message.version === 2 && thread.index === 1 ? { type: "refused", version: 2, problems: [wrong] } : null),
    })
    expect(await pool.prepare(version(2))).toEqual([wrong])
    pool.discard(2)
    expect(pool.ready()).toBe(true)
  })

  test("a worker that dies over a version has refused it, and comes back with the old one", async () => {
    const { pool, threads } = await serving(2, {
      silent: (message, thread) => {
        if (message.type !== "prepare" || message.version !== 2 || thread.index !== 0) return false
        thread.die("out of memory")
        return true
      },
    })
    const problems = await pool.prepare(version(2))
    expect(problems[0]!.message).toContain("out of memory")
    pool.discard(2)
    expect(await until(() => threads.length === 3 && pool.ready())).toBe(true)
    expect(types(threads[2]!)).toEqual(["prepare 1", "commit 1"])
  })

  test("terminate ends one worker; its replacement serves within a second, the other never notices", async () => {
    const lost: number[] = []
    const { pool, threads } = await serving(2, {}, { lost: index => void lost.push(index) })
    const before = types(threads[1]!).length
    const start = performance.now()
    expect(pool.terminate(0)).toBe(true)
    expect(await until(() => threads.length === 3 && pool.ready())).toBe(true)
    expect(performance.now() - start).toBeLessThan(1000)
    expect(types(threads[2]!)).toEqual(["prepare 1", "commit 1"])
    expect(types(threads[1]!).length).toBe(before)
    expect(lost).toEqual([0])
    expect(pool.status()[0]).toMatchObject({ restarts: 1, state: "live", version: 1 })
    expect(pool.terminate(7)).toBe(false)
  })

  test("drills in a row are each replaced at once: they say nothing about the worker's health", async () => {
    const { pool, threads } = await serving(1)
    const start = performance.now()
    for (let round = 2; round < 12; round++) {
      expect(pool.terminate(0)).toBe(true)
      expect(await until(() => threads.length === round && pool.ready())).toBe(true)
    }
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test("a worker whose event loop stands still is ended and replaced, and only that one", async () => {
    const { pool, threads, errors } = await serving(2)
    threads[1]!.hung = true
    expect(await until(() => threads.length === 3 && pool.ready(), 5000)).toBe(true)
    expect(threads[2]!.index).toBe(1)
    expect(threads[0]!.alive).toBe(true)
    expect(errors[0]).toContain("event loop")
  }, 8000)

  test("a worker that took long to start is not blamed for the beats that it could not give before", async () => {
    const { pool, threads, errors } = make(1, { startMs: 3100 })
    await pool.start()
    threads[0]!.hung = true
    await new Promise(resolve => setTimeout(resolve, 600))
    expect([threads.length, errors]).toEqual([1, []])
  }, 8000)

  test("sockets are lent by every worker, or by none", async () => {
    const { pool, threads } = await serving(2)
    expect((await pool.lend()).map(({ fd }) => fd)).toEqual([1_000_000, 1_000_001])
    pool.terminate(1)
    await expect(pool.lend()).rejects.toThrow("ended by the operator")
    expect(await until(() => threads.length === 3)).toBe(true)
    await pool.untilReady()
    expect((await pool.lend()).length).toBe(2)
  })

  test("fatal: the worker says itself that it cannot go on", async () => {
    const { pool, threads, errors } = await serving(1)
    threads[0]!.say({ type: "fatal", error: "assertion failed" })
    expect(await until(() => threads.length === 2 && pool.ready())).toBe(true)
    expect(errors).toEqual(["assertion failed"])
  })

  test("a replacement that comes up during a reload ends on the new version", async () => {
    const { pool, threads } = await serving(2)
    pool.terminate(0)
    await until(() => threads.length === 3)
    const problems = await pool.prepare(version(2))
    expect(problems).toEqual([])
    await pool.commit(version(2))
    expect(await until(() => types(threads[2]!).includes("commit 2"))).toBe(true)
    expect(types(threads[1]!)).toEqual(["prepare 1", "commit 1", "prepare 2", "commit 2"])
    expect(types(threads[2]!).slice(-2)).toEqual(["prepare 2", "commit 2"])
  })

  test("crash loop: the pauses grow", async () => {
    let deaths = 0
    const { pool, threads } = await serving(1, { dieAtStart: () => deaths > 0 && deaths++ < 4 })
    deaths = 1
    const start = performance.now()
    pool.terminate(0)
    expect(await until(() => threads.length === 5 && pool.ready(), 3000)).toBe(true)
    // at once, then 100 and 200 ms, after two deaths more
    expect(performance.now() - start).toBeGreaterThan(290)
    expect(pool.status()[0]!.restarts).toBe(4)
  }, 5000)

  test("addresses that change between prepare and commit reach everybody, and those who come later", async () => {
    const { pool, threads } = await serving(1)
    const peers = [{ address: "127.0.0.2", port: 1, path: "", host: "app.test", weight: 1, backup: false, slot: 0, metrics: 0 }]
    pool.peersChanged("shop", peers)
    expect(threads[0]!.got.at(-1)).toEqual({ type: "peers", cluster: "shop", peers })
    pool.terminate(0)
    expect(await until(() => threads.length === 2 && pool.ready())).toBe(true)
    expect((threads[1]!.got[0] as Prepare).peers["shop"]).toEqual(peers)
  })

  test("drain: everybody is told, the cut exchanges are summed, nobody is replaced", async () => {
    const { pool, threads } = await serving(3)
    expect(await pool.drain(1000)).toBe(0 + 1 + 2)
    threads[0]!.die("after the drain")
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(threads.length).toBe(3)
    pool.stop()
    expect(threads.every(thread => !thread.alive)).toBe(true)
  })

  test("inspect: null for a worker that does not answer in time", async () => {
    const { pool } = await serving(2, { silent: (message, thread) => message.type === "inspect" && thread.index === 0 })
    const seen = await pool.inspect(50)
    expect(seen[0]).toBeNull()
    expect(seen[1]).toMatchObject({ exchanges: 1, heapBytes: 1 })
  })
})

describe("heartbeat monitor", () => {
  test("a pause of the control thread itself is nobody's fault", () => {
    const buffer = new SharedArrayBuffer(HeartbeatMonitor.bytes(1))
    const monitor = new HeartbeatMonitor(buffer, 1)
    monitor.begin(0, 0)
    monitor.look(100)
    monitor.look(60_000)
    expect(monitor.stalled(0, 60_000, false)).toBe(false)
    for (let now = 60_250; now <= 63_250; now += 250) monitor.look(now)
    expect(monitor.stalled(0, 63_250, false)).toBe(true)
    expect(monitor.stalled(0, 63_250, true)).toBe(false)
  })
})
