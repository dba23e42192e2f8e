import type { MemoryEntry } from "../contract.ts"
import type { Key } from "../key.ts"
import { attachMemoryStore, createMemoryStore } from "./create-memory-store.ts"
import type { MemoryStoreOptions } from "./layout.ts"
import type { ThreadMemoryStore } from "./memory-store.ts"
import { MemoryStoreSupervisor } from "./supervisor.ts"

export const MB = 1024 * 1024
export const head = Buffer.from("a head of some octets")

/** A store in one thread, and what tests do with it all the time. */
export class TestStore {
  readonly store: ThreadMemoryStore
  readonly control: MemoryStoreSupervisor

  constructor(options: Partial<MemoryStoreOptions> = {}) {
    this.store = attachMemoryStore(createMemoryStore({ bytes: MB, threadsMax: 2, ...options }), 0)
    this.control = new MemoryStoreSupervisor(this.store)
  }

  /** The store as another thread would have it. */
  other(): ThreadMemoryStore {
    return attachMemoryStore(this.store.parts.memory.shared, 1)
  }

  begin(key: Key, replace = false): MemoryEntry {
    const entry = this.store.begin(key, replace)
    if (entry === null) throw new Error("no entry")
    return entry
  }

  fill(key: Key, octets: Uint8Array, labels: readonly string[] = [], known = true): boolean {
    const entry = this.store.begin(key, true)
    if (entry === null) return false
    const done = entry.setHead(head, known ? octets.length : -1, labels) && entry.append(octets) && entry.complete()
    entry.release()
    return done
  }
}

export function bodyOf(length: number, salt = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + salt) & 0xff)
}

/** All of the body that is there. */
export function readBody(entry: MemoryEntry): Buffer {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < entry.filled; at += pieces.at(-1)!.length) pieces.push(entry.piece(at))
  return Buffer.concat(pieces)
}
