import { type MessagePort, Worker } from "node:worker_threads"
import { moduleUrl } from "../../base/index.ts"
import type { FromWorker, ToWorker, WorkerSetup } from "../protocol.ts"

/** A worker as its slot sees it. Tests put a fake behind it. */
export interface WorkerPort {
  /** `transfer`: ports in the message that go with it. */
  post(message: ToWorker, transfer?: readonly MessagePort[]): void
  /** Ends the thread at once, with its listeners and connections, also when it spins. `ended` is called after it. */
  terminate(): void
}

export interface WorkerEvents {
  message(message: FromWorker): void
  /** The thread is gone; called once. `error` is what it threw, "" when it was ended from outside. */
  ended(error: string): void
}

export type SpawnWorker = (setup: WorkerSetup, events: WorkerEvents) => WorkerPort

/** Starts the data thread. */
export const spawnThread: SpawnWorker = (setup, events) => startThread(moduleUrl("control/worker.ts"), setup, events)

/** Starts a thread from a module. An uncaught error in it is told through `ended`; a hung one only its heartbeat gives away. */
export function startThread(module: URL, setup: WorkerSetup, events: WorkerEvents): WorkerPort {
  const worker = new Worker(module, { workerData: setup })
  let error = ""
  let terminated = false
  let ended = false
  worker.on("message", (message: FromWorker) => {
    if (!ended) events.message(message)
  })
  worker.on("error", (cause: unknown) => {
    error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    // half a worker is worse than none, should the runtime leave it running
    terminated = true
    worker.terminate()
  })
  worker.on("exit", code => {
    if (ended) return
    ended = true
    events.ended(error !== "" || terminated ? error : `it ended by itself, exit code ${code}`)
  })
  return {
    post: (message, transfer = []) => {
      if (!ended) worker.postMessage(message, [...transfer])
    },
    terminate: () => {
      terminated = true
      worker.terminate()
    },
  }
}
