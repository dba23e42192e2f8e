import { parentPort, workerData } from "node:worker_threads"
import { setLogSink } from "../../../base/index.ts"
import type { KeeperSetup } from "./create-disk-store.ts"
import { DiskKeeper } from "./keeper/disk-keeper.ts"
import { keeperFiles } from "./keeper/keeper-files.ts"
import type { FromControl, ToControl } from "./messages.ts"

/** The keeper's thread. Everything that it does is in DiskKeeper; this file joins it to its thread. */
const port = parentPort!
const { settings, shared } = workerData as KeeperSetup
const tell = (message: ToControl): void => port.postMessage(message)

setLogSink(record => tell({ type: "log", record }))
const keeper = new DiskKeeper(settings, shared, tell, keeperFiles)
port.on("message", (message: FromControl) => keeper.hearControl(message))
keeper.start()
