import type { SharedMemoryStore } from "../../cache/index.ts"

/** A cache of the config: memory that all threads share. */
export interface SharedCache {
  /** The same number is the same memory: what is posted arrives as another object each time. */
  readonly id: number
  readonly memory: SharedMemoryStore
  /** Number of its disk, 0 = none. */
  readonly disk: number
}

export interface SharedCaches {
  /** Of this process's keys. */
  readonly seed: number
  readonly byName: Readonly<Record<string, SharedCache>>
}

export const NO_CACHES: SharedCaches = { seed: 0, byName: {} }
