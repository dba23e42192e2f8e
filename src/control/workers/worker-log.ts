import { type LogRecord, writeLog } from "../../base/index.ts"

/** How far apart workers may notice the same thing: each looks at files by itself, once a second. */
const SAME_MS = 3000
const KEPT_MAX = 256

/** What was said, by whom, and when first. */
interface Said {
  readonly wall: number
  readonly workers: Set<number>
}

/**
 * The operational log of all workers. What one of them says in the same words as another did a moment ago is the same event, seen by each of them,
 * and is said once; what a worker repeats is said again.
 */
export class WorkerLog {
  readonly #said = new Map<string, Said>()
  readonly #write: (record: LogRecord) => void

  constructor(write: (record: LogRecord) => void = writeLog) {
    this.#write = write
  }

  take(worker: number, record: LogRecord): void {
    const { wall, level, room, message, fields } = record
    const key = JSON.stringify([level, room, message, fields])
    const said = this.#said.get(key)
    if (said !== undefined && wall - said.wall < SAME_MS && !said.workers.has(worker)) {
      said.workers.add(worker)
      return
    }
    this.#said.delete(key)
    if (this.#said.size >= KEPT_MAX) this.#said.delete(this.#said.keys().next().value!)
    this.#said.set(key, { wall, workers: new Set([worker]) })
    this.#write(record)
  }
}
