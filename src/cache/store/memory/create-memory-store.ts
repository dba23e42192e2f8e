import { assert } from "../../../base/index.ts"
import { allocateShared, type MemoryStoreOptions, type SharedMemoryStore, StoreMemory, THREADS_USED } from "./layout.ts"
import { ThreadMemoryStore } from "./memory-store.ts"
import { Space } from "./space.ts"
import { StoreParts } from "./store-parts.ts"

/** Makes a store. The control thread does this and posts the answer to the other threads; all of them, itself included, attach to it. */
export function createMemoryStore(options: MemoryStoreOptions): SharedMemoryStore {
  const shared = allocateShared(options)
  new Space(new StoreMemory(shared, 0)).clear(shared.units)
  return shared
}

/** The store as thread `self` has it: 0 is the control thread, worker `index` is `index + 1`. One thread attaches once. */
export function attachMemoryStore(shared: SharedMemoryStore, self: number): ThreadMemoryStore {
  assert(self >= 0 && self < shared.threadsMax, "a thread has its number in the memory store")
  const parts = new StoreParts(shared, self)
  const { control } = parts.memory
  for (let used = Atomics.load(control, THREADS_USED); used <= self; used = Atomics.load(control, THREADS_USED)) {
    Atomics.compareExchange(control, THREADS_USED, used, self + 1)
  }
  return new ThreadMemoryStore(parts)
}
