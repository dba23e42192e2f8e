import { afterEach, describe, expect, test } from "bun:test"
import { Worker } from "node:worker_threads"
import { Random } from "../../../base/index.ts"
import { Key } from "../key.ts"
import { audit, countFills } from "./audit.fixture.ts"
import { attachMemoryStore, createMemoryStore } from "./create-memory-store.ts"
import type { SharedMemoryStore } from "./layout.ts"
import type { ThreadMemoryStore } from "./memory-store.ts"
import { REPLACED, type StressSetup } from "./stress-thread.fixture.ts"
import { MemoryStoreSupervisor } from "./supervisor.ts"

const THREADS = 3
const random = new Random(Date.now())
const running = new Set<Worker>()

class Thread {
  readonly worker: Worker
  readonly self: number
  /** What it says in the end: "" or what is wrong. */
  readonly end: Promise<string>

  private constructor(worker: Worker, self: number) {
    this.worker = worker
    this.self = self
    this.end = next(worker)
  }

  static async start(shared: SharedMemoryStore, self: number, words: Int32Array, keys: number): Promise<Thread> {
    const workerData: StressSetup = { shared, self, seed: random.uint32(), keys, words }
    const worker = new Worker(new URL("stress-thread.fixture.ts", import.meta.url), { workerData })
    running.add(worker)
    expect(await next(worker)).toBe("")
    return new Thread(worker, self)
  }

  async kill(): Promise<void> {
    running.delete(this.worker)
    await this.worker.terminate()
  }
}

function next(worker: Worker): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve)
    worker.once("error", reject)
  })
}

afterEach(async () => {
  for (const worker of running) await worker.terminate()
  running.clear()
})

function makeStore(bytes: number): { store: ThreadMemoryStore; control: MemoryStoreSupervisor; shared: SharedMemoryStore } {
  const shared = createMemoryStore({ bytes, threadsMax: THREADS + 1, segmentBytes: 2 ** 20, entryBytesMax: 64 * 1024 })
  const store = attachMemoryStore(shared, 0)
  return { store, control: new MemoryStoreSupervisor(store), shared }
}

/** Everything that is there, as a worker's death or a purge may have left it. */
function expectSound(store: ThreadMemoryStore, control: MemoryStoreSupervisor): void {
  // what could not be freed for want of the lock is swept by those who begin
  for (let i = 0; i < 200; i++) store.begin(new Key("http://sweep/", ""), true)?.release()
  expect(audit(store.parts)).toEqual([])
  control.purge({ by: "all" }, false)
  expect(control.stats()).toMatchObject({ entries: 0, usedBytes: 0, wasteBytes: 0 })
  expect(audit(store.parts)).toEqual([])
}

describe("several threads at once", () => {
  test("find at each look what is only ever replaced, while its neighbours come and go", async () => {
    const { store, control, shared } = makeStore(1.5 * 2 ** 20)
    const words = new Int32Array(new SharedArrayBuffer(64))
    const threads = await Promise.all([1, 2, 3].map(self => Thread.start(shared, self, words, REPLACED)))
    await Bun.sleep(800)
    words[0] = 1
    expect(await Promise.all(threads.map(thread => thread.end))).toEqual(["", "", ""])
    if (process.env.STRESS_SAYS) console.log([...words.subarray(1, 4)], control.stats())
    expect(words[2]).toBeGreaterThan(50)
    expect(words[3]).toBeGreaterThan(20)
    expectSound(store, control)
  })

  test.each([40, 3000])("never see an octet of another entry, with %i keys", async keys => {
    const { store, control, shared } = makeStore(1.5 * 2 ** 20)
    const words = new Int32Array(new SharedArrayBuffer(64))
    const threads = await Promise.all([1, 2, 3].map(self => Thread.start(shared, self, words, keys)))
    const until = Date.now() + 1000
    while (Date.now() < until) {
      await Bun.sleep(30)
      control.purge(
        [{ by: "prefix", prefix: "http://stress/1" } as const, { by: "group", group: "http://stress/2" } as const][random.below(2)]!,
        false,
      )
      for (const { key, group } of control.list({ by: "label", label: "all" }, 50)) expect(key.startsWith(group)).toBe(true)
      expect(control.stats().usedBytes).toBeLessThanOrEqual(shared.bytes)
    }
    words[0] = 1
    expect(await Promise.all(threads.map(thread => thread.end))).toEqual(["", "", ""])
    if (process.env.STRESS_SAYS) console.log([...words.subarray(1, 4)], control.stats())
    expect(words[2]).toBeGreaterThan(50)
    expect(words[3]).toBeGreaterThan(20)
    expect(store.retired).toBe(false)
    expectSound(store, control)
  })

  test("go on when one of them dies in the middle of it, or find the store retired", async () => {
    let { store, control, shared } = makeStore(1.5 * 2 ** 20)
    let words = new Int32Array(new SharedArrayBuffer(64))
    let threads = await Promise.all([1, 2, 3].map(self => Thread.start(shared, self, words, 400)))
    let retired = 0
    let deaths = 0
    const until = Date.now() + 3000
    while (Date.now() < until) {
      await Bun.sleep(random.below(12))
      const victim = threads[random.below(THREADS)]!
      await victim.kill()
      control.workerLost(victim.self)
      deaths++
      if (store.retired) {
        retired++
        expect(store.find(new Key("http://stress/0", "#0"))).toBeNull()
        expect(await Promise.all(threads.filter(each => each !== victim).map(each => each.end))).toEqual(["", ""])
        ;({ store, control, shared } = makeStore(1.5 * 2 ** 20))
        words = new Int32Array(new SharedArrayBuffer(64))
        threads = await Promise.all([1, 2, 3].map(self => Thread.start(shared, self, words, 400)))
        continue
      }
      expect(countFills(store.parts, victim.self)).toBe(0)
      threads = await Promise.all(threads.map(each => (each === victim ? Thread.start(shared, victim.self, words, 400) : each)))
    }
    words[0] = 1
    expect(await Promise.all(threads.map(thread => thread.end))).toEqual(["", "", ""])
    if (process.env.STRESS_SAYS) console.log({ deaths, retired })
    // On a busy machine a thread takes its time to start.
    expect(deaths).toBeGreaterThan(0)
    expectSound(store, control)
  }, 20_000)
})
