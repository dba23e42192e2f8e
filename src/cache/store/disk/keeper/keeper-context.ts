import type { DiskSettings } from "../disk-contract.ts"
import type { SharedState } from "../shared-state.ts"
import type { Budget } from "./budget.ts"
import type { KeeperFiles } from "./keeper-files.ts"
import type { OpenFolder } from "./open-folder.ts"
import type { WorkerPorts } from "./worker-ports.ts"
import type { WriterBook } from "./writer-book.ts"

/** What the keeper's desks have in common. */
export interface KeeperContext {
  readonly settings: DiskSettings
  readonly shared: SharedState
  readonly files: KeeperFiles
  readonly budget: Budget
  readonly book: WriterBook
  readonly ports: WorkerPorts
  /** null = the disk is left alone for now. */
  readonly folder: OpenFolder | null
  /** No look-up sees files any more that the index does not know. */
  hideUnknown(): void
}

/** Lets others have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
