import { afterEach, expect, test } from "bun:test"
import { readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { pause, until } from "../../../../test/support/wait.ts"
import { type LogRecord, setLogSink } from "../../../base/index.ts"
import { attachDiskStore } from "./attach-disk-store.ts"
import { createDiskStore } from "./create-disk-store.ts"
import { get, keyOf, octetsOf, put } from "./disk.fixture.ts"
import type { DiskStore } from "./disk-contract.ts"
import type { Order } from "./disk-worker.fixture.ts"

const seed = 0x5eed
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function open(): Promise<{ store: DiskStore; path: string }> {
  const path = temporaryFolder("disk-store")
  const store = await createDiskStore({ path, bytes: 50_000_000, keySeed: seed, workersMax: 4, retryMs: 50 })
  closers.push(() => store.close())
  return { store, path }
}

class TestWorker {
  readonly worker: Worker
  private readonly answers: ((value: unknown) => void)[] = []

  constructor(store: DiskStore, self: number) {
    const attachment = store.attachment(self)
    this.worker = new Worker(new URL("./disk-worker.fixture.ts", import.meta.url), {
      workerData: { attachment, self, seed },
      transferList: [attachment.port],
    })
    this.worker.on("message", (value: unknown) => this.answers.shift()!(value))
    closers.unshift(() => this.worker.terminate())
  }

  ask(order: Order): Promise<unknown> {
    return new Promise(resolve => {
      this.answers.push(resolve)
      this.worker.postMessage(order)
    })
  }
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").filter(fd => {
    try {
      return /\/(?:temp|entries)\//.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }).length
}

test("what one thread stores another one finds, and what one removes nobody finds", async () => {
  const { store } = await open()
  const [a, b] = [new TestWorker(store, 0), new TestWorker(store, 1)]
  expect(await a.ask({ what: "put", name: "x", length: 700_000 })).toBe(true)
  expect(await b.ask({ what: "get", name: "x", length: 700_000 })).toBe(true)
  const ticket = (await a.ask({ what: "begin", name: "y", length: 400_000, labels: ["l"] })) as number
  const followed = b.ask({ what: "follow", name: "y", ticket })
  expect(await a.ask({ what: "commit" })).toBe(true)
  expect(await followed).toEqual({ state: 1, written: 400_000 })
  expect(await b.ask({ what: "remove", name: "x" })).toBe(true)
  expect(await a.ask({ what: "get", name: "x", length: 700_000 })).toBeNull()
  await a.ask({ what: "begin", name: "z", length: 1000, labels: ["l"] })
  expect(await store.purge({ by: "label", label: "l" }, false)).toBe(1)
  expect(await a.ask({ what: "commit" })).toBe(false)
  expect([await a.ask({ what: "get", name: "y", length: 400_000 }), await b.ask({ what: "get", name: "z", length: 1000 })]).toEqual([null, null])
})

test("a worker that dies: its writers end, its room and its files are free, who follows is told, its number serves again", async () => {
  const { store, path } = await open()
  const [a, b] = [new TestWorker(store, 0), new TestWorker(store, 1)]
  expect(await a.ask({ what: "put", name: "held", length: 2_000_000 })).toBe(true)
  expect(await a.ask({ what: "hold", name: "held" })).toBe(2_000_000)
  const ticket = (await a.ask({ what: "begin", name: "half", length: 300_000, labels: [] })) as number
  const followed = b.ask({ what: "follow", name: "half", ticket })
  await until(() => store.stats().reserved > 0 && readdirSync(join(path, "temp")).length === 1)
  // The one who holds, the one who writes, the one who follows.
  if (process.platform === "linux") await until(() => openFiles() === 3)
  else await pause(200)
  await a.worker.terminate()
  store.workerLost(0)
  // Who had not come to reading yet is told that there is nothing.
  const told = (await followed) as { state: number } | null
  expect(told?.state ?? 2).toBe(2)
  await until(() => store.stats().writers === 0 && store.stats().reserved === 0)
  expect(readdirSync(join(path, "temp"))).toEqual([])
  // The writer's own file stays open, empty: something may have been on its way to it.
  if (process.platform === "linux") await until(() => openFiles() <= 1)
  const again = new TestWorker(store, 0)
  expect(await again.ask({ what: "get", name: "held", length: 2_000_000 })).toBe(true)
  expect(await again.ask({ what: "put", name: "half", length: 5000 })).toBe(true)
  expect(await b.ask({ what: "get", name: "half", length: 5000 })).toBe(true)
}, 15_000)

test("the keeper's end is a log line, and misses from then on; nothing waits for it", async () => {
  const records: LogRecord[] = []
  setLogSink(record => void records.push(record))
  try {
    const path = temporaryFolder("disk-store")
    const { spawnHere } = await import("./disk.fixture.ts")
    const { keeperFiles } = await import("./keeper/keeper-files.ts")
    let end: (error: string) => void = () => {}
    const { setKeySeed } = await import("../key.ts")
    setKeySeed(seed)
    const store = await createDiskStore({ path, bytes: 1_000_000, keySeed: seed }, (setup, events) => {
      end = events.ended
      return spawnHere(keeperFiles)(setup, events)
    })
    const attached = attachDiskStore(store.attachment(0), 0)
    expect(await put(attached, keyOf("a"), octetsOf("a", 1000))).toBe(true)
    const purge = store.purge({ by: "all" }, false)
    end("an invariant was broken")
    expect(purge).rejects.toThrow("closed")
    expect(await get(attached, keyOf("a"))).toBeNull()
    expect(attached.begin(keyOf("b"), Buffer.from("h"), 1, [])).toBeNull()
    expect(store.stats().state).toBe("closed")
    expect(records.map(record => record.message)).toEqual(["the keeper of a disk store has ended; nothing is stored on disk from now on"])
    attached.close()
  } finally {
    setLogSink(null)
  }
})
