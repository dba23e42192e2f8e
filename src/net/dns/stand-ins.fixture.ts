import { parentPort, workerData } from "node:worker_threads"
import { formatIp } from "../../base/index.ts"
import { type StandInRange, StandIns } from "./stand-ins.ts"

// Names that all threads ask for, more than there is room for. No time passes, so nobody's place may be another's.
export interface StandInTask {
  readonly memory: SharedArrayBuffer
  readonly options: StandInRange
  readonly seed: number
}

const { memory, options, seed } = workerData as StandInTask
const standIns = new StandIns(memory, options, () => 1000)
let wrong = 0
for (let i = 0; i < 20_000; i++) {
  const name = `n${(i * seed * 7) % 100}.test`
  const octets = standIns.give(name, 4)
  if (octets !== null && standIns.nameOf(formatIp(octets, 0, 4)) !== name) wrong++
}
parentPort!.postMessage(wrong)
