import { Worker } from "node:worker_threads"
import type { FromWorker, ToWorker, WorkerSetup } from "../protocol.ts"

/** A worker as its slot sees it. Tests put a fake behind it. */
export interface WorkerPort {
  post(message: ToWorker): void
  /** Ends the thread at once, with its listeners and connections, also when it spins. `ended` is called after it. */
  terminate(): void
}

export interface WorkerEvents {
  message(message: FromWorker): void
  /** The thread is gone; called once. `error` is what it threw, "" when it was ended from outside. */
  ended(error: string): void
}

export type SpawnWorker = (setup: WorkerSetup, events: WorkerEvents) => WorkerPort

/** Starts the data thread. An uncaught error in it is told through `ended`; a hung one only its heartbeat gives away. */
export const spawnThread: SpawnWorker = (setup, events) => {
  const worker = new Worker(new URL("../worker.ts", import.meta.url), { workerData: setup, name: `bothways-${setup.index}` })
  let error = ""
  let ended = false
  worker.on("message", (message: FromWorker) => {
    if (!ended) events.message(message)
  })
  worker.on("error", (cause: unknown) => {
    error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    // the runtime does not always end a thread that threw; half a worker is worse than none
    worker.terminate()
  })
  worker.on("exit", code => {
    if (ended) return
    ended = true
    events.ended(error === "" && code !== 0 && code !== 1 ? `exit code ${code}` : error)
  })
  return {
    post: message => {
      if (!ended) worker.postMessage(message)
    },
    terminate: () => void worker.terminate(),
  }
}
