import { parentPort, workerData } from "node:worker_threads"
import { Random } from "../hash.ts"
import { KeyedTable } from "./keyed-table.ts"

/** What a thread of the test is to do. */
export interface ThreadTask {
  readonly memory: SharedArrayBuffer
  readonly seed: number
  readonly keys: number
  /** Times that it counts; 0 = it takes the lock of `key 0` and keeps it. */
  readonly rounds: number
}

const { memory, seed, keys, rounds } = workerData as ThreadTask
const table = KeyedTable.open(memory)
const random = new Random(seed)
const counts = new Array<number>(keys).fill(0)
for (let i = 0; i < rounds; i++) {
  const key = random.below(keys)
  counts[key]!++
  const base = table.enter(`key ${key}`)
  // Two words that must agree: whoever looks in between sees half a change.
  table.words[base + 1]!++
  table.words[base + 2]!++
  if (table.words[base + 1] !== table.words[base + 2]) throw new Error("two threads were inside at once")
  table.leave()
}
if (rounds === 0) table.enter("key 0")
parentPort!.postMessage(counts)
if (rounds === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
