import type { Exchange } from "../flow/index.ts"
import type { Asked } from "./judge-answer.ts"
import type { MemoryEntry } from "./store/contract.ts"

/** A request of the cache's own that has been made, for which nothing of the answer has been taken. */
export interface Adopted {
  readonly f: Exchange
  readonly asked: Asked
  /** What others wait for under the key of the whole. */
  readonly writer: MemoryEntry | null
  /** Of the key's group, when it was made. */
  readonly purgesBefore: number
  /** What comes is stored if it may be. */
  readonly keeps: boolean
}
