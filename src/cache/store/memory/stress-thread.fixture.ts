import { isMainThread, parentPort, workerData } from "node:worker_threads"
import { Random } from "../../../base/index.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_PENDING, type MemoryEntry } from "../contract.ts"
import { Key } from "../key.ts"
import { attachMemoryStore } from "./create-memory-store.ts"
import { LOCK_FAILURES, type SharedMemoryStore } from "./layout.ts"
import type { ThreadMemoryStore } from "./memory-store.ts"

/** What a thread of the stress test is given. */
export interface StressSetup {
  readonly shared: SharedMemoryStore
  readonly self: number
  readonly seed: number
  /** How many keys there are, or `REPLACED`: thread 1 replaces one entry of a chain and removes others there, which the rest of the threads look for. */
  readonly keys: number
  /** Words: 1 = stop; then calls, bodies that were read whole, fills that were completed, over all threads. */
  readonly words: Int32Array
}

export const REPLACED = -1
const NEIGHBOURS = 6
const HEAD_BYTES = 8
const HELD_MAX = 12

/** Octet `at` of a body: it tells the key, the fill and the place. */
function octetOf(key: number, serial: number, at: number): number {
  return (Math.imul(key + 1, 167) + Math.imul(serial, 59) + at + (at >> 8) * 3) & 0xff
}

/** Finds, fills and removes as fast as it can, and checks every octet that it reads. */
class StressThread {
  private readonly setup: StressSetup
  private readonly store: ThreadMemoryStore
  private readonly random: Random
  private readonly keys: readonly Key[]
  private readonly held: { entry: MemoryEntry; key: number }[] = []
  private readonly inChain: boolean
  private found = false
  private readonly chunk = new Uint8Array(4096)

  constructor(setup: StressSetup) {
    this.setup = setup
    this.store = attachMemoryStore(setup.shared, setup.self)
    this.random = new Random(setup.seed)
    this.inChain = setup.keys === REPLACED
    this.keys = this.inChain
      ? Array.from({ length: NEIGHBOURS }, (_, i) => new Key("http://chain/", `#${i}`))
      : Array.from({ length: setup.keys }, (_, i) => new Key(`http://stress/${i >> 2}`, `#${i & 3}`))
  }

  /** Until it is told to stop; lets everything go then. Answers what went wrong first. */
  run(): string {
    const { words } = this.setup
    while (Atomics.load(words, 0) === 0 && !this.store.retired) {
      Atomics.add(words, 1, 1)
      const wrong = this.inChain ? this.stepInChain() : this.step()
      if (wrong !== "") return wrong
    }
    for (const { entry, key } of this.held) {
      const wrong = this.read(entry, key)
      entry.release()
      if (wrong !== "") return wrong
    }
    return ""
  }

  private step(): string {
    const { random, held } = this
    // few keys are asked for often
    const key = random.below(1 + random.below(this.setup.keys))
    const choice = random.below(100)
    if (choice < 70) return this.findOrFill(key)
    if (choice < 80) this.fill(key, true)
    else if (choice < 82) this.store.removeKey(this.keys[key]!)
    else if (choice < 83) this.store.removeGroup(this.keys[key]!, random.below(2) === 0)
    else if (held.length > 0) return this.letGo(random.below(held.length))
    return ""
  }

  /** Key 0 is always there once it has been, whatever happens around it. */
  private stepInChain(): string {
    const { random, keys, store } = this
    if (this.setup.self === 1) {
      const key = random.below(3) === 0 ? 1 + random.below(NEIGHBOURS - 1) : 0
      if (key === 0 || random.below(3) > 0) this.fill(key, true)
      else store.removeKey(keys[key]!)
      return ""
    }
    const { control } = store.parts.memory
    const failures = Atomics.load(control, LOCK_FAILURES)
    const entry = store.find(keys[0]!)
    // who has to look under the lock and does not get it finds nothing
    if (entry === null) return this.found && Atomics.load(control, LOCK_FAILURES) === failures ? "the entry was not found" : ""
    this.found ||= entry.state === ENTRY_COMPLETE
    const wrong = this.read(entry, 0)
    entry.release()
    return wrong
  }

  private findOrFill(key: number): string {
    const { random, held } = this
    const entry = random.below(10) === 0 ? this.store.pending(this.keys[key]!) : this.store.find(this.keys[key]!)
    if (entry === null) {
      this.fill(key, false)
      return ""
    }
    if (random.below(3) > 0) entry.touch()
    const wrong = this.read(entry, key)
    if (wrong !== "" || held.length >= HELD_MAX || random.below(4) > 0) entry.release()
    else held.push({ entry, key })
    return wrong
  }

  private letGo(at: number): string {
    const { entry, key } = this.held.splice(at, 1)[0]!
    const wrong = this.read(entry, key)
    entry.release()
    return wrong
  }

  private fill(key: number, replace: boolean): void {
    const entry = this.store.begin(this.keys[key]!, replace)
    if (entry === null) return
    const instead =
      this.random.below(8) === 0 && entry.setHead(new Uint8Array(HEAD_BYTES), -1, []) ? this.store.supersede(entry, this.keys[key]!) : entry
    if (instead !== null) this.fillEntry(instead, key)
    if (instead !== entry) entry.release()
  }

  private fillEntry(entry: MemoryEntry, key: number): void {
    const { random, setup } = this
    const serial = random.uint32() >>> 1
    const length = random.below(20) === 0 ? random.below(60_000) : random.below(3000)
    const head = new Uint8Array(new Uint32Array([serial, length]).buffer)
    if (
      entry.setHead(head, random.below(2) === 0 ? length : -1, ["all"]) &&
      this.write(entry, key, serial, length) &&
      (this.inChain || random.below(20) > 0)
    ) {
      if (entry.complete()) Atomics.add(setup.words, 3, 1)
    }
    entry.release()
  }

  private write(entry: MemoryEntry, key: number, serial: number, length: number): boolean {
    for (let at = 0; at < length; ) {
      const count = Math.min(length - at, 1 + this.random.below(this.chunk.length))
      for (let i = 0; i < count; i++) this.chunk[i] = octetOf(key, serial, at + i)
      if (!entry.append(this.chunk.subarray(0, count))) return false
      at += count
    }
    return true
  }

  /** Says what is wrong with an entry: it must be of its key and of one fill, as far as it goes. */
  private read(entry: MemoryEntry, key: number): string {
    const { state } = entry
    if (state === ENTRY_PENDING) return ""
    const { head } = entry
    if (state === ENTRY_FAILED && head.length === 0) return ""
    if (head.length !== HEAD_BYTES) return `a head of ${head.length} octets`
    const [serial, length] = new Uint32Array(head.slice().buffer) as unknown as [number, number]
    const { filled } = entry
    if (state === ENTRY_COMPLETE && (filled !== length || entry.bodyLength !== length)) return `complete with ${filled} of ${length} octets`
    for (let at = 0; at < filled; ) {
      const piece = entry.piece(at, filled - at)
      if (piece.length === 0) return `no octets at ${at} of ${filled}`
      for (let i = 0; i < piece.length; i++) {
        if (piece[i] !== octetOf(key, serial, at + i)) return `octet ${at + i} of ${length} is not this entry's (key ${key}, state ${state})`
      }
      at += piece.length
    }
    if (state === ENTRY_COMPLETE) Atomics.add(this.setup.words, 2, 1)
    return ""
  }
}

if (!isMainThread && parentPort !== null) {
  const thread = new StressThread(workerData as StressSetup)
  parentPort.postMessage("")
  parentPort.postMessage(thread.run())
}
