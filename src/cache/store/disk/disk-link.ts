import type { DiskSettings } from "./disk-contract.ts"
import type { FileCalls } from "./file-calls.ts"
import type { FromWorker } from "./messages.ts"
import type { SharedState } from "./shared-state.ts"

/** What readers and writers of one worker have in common. */
export interface DiskLink {
  readonly settings: DiskSettings
  readonly shared: SharedState
  readonly files: FileCalls
  /** Number of the worker. */
  readonly self: number
  /** To the keeper. */
  post(message: FromWorker): void
}

/** The system's word for what went wrong: ENOSPC, EIO, … */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? "EUNKNOWN"
}
