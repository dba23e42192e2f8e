import { parentPort, workerData } from "node:worker_threads"
import { setLogSink } from "../base/index.ts"
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts"
import { DataPlane } from "./worker/data-plane.ts"

/** The data thread. Everything that it does is in DataPlane; this file joins it to its thread. */
const port = parentPort!
const post = (message: FromWorker): void => port.postMessage(message)

setLogSink(record => post({ type: "log", record }))
process.on("uncaughtException", error => post({ type: "fatal", error: error.stack ?? error.message }))
process.on("unhandledRejection", error => post({ type: "fatal", error: error instanceof Error ? (error.stack ?? error.message) : String(error) }))

const plane = new DataPlane(workerData as WorkerSetup, post)
let turn = Promise.resolve()
port.on("message", (message: ToWorker) => {
  // One after the other: a commit must not overtake its prepare.
  turn = turn.then(() => plane.handle(message))
})
post({ type: "ready" })
