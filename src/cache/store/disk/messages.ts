import type { MessagePort } from "node:worker_threads"
import type { LogRecord } from "../../../base/index.ts"
import type { PurgeTarget, StoredFacts } from "../contract.ts"

/** What a worker tells the keeper. `ticket` names a writer, `call` an answer that is waited for. */
export type FromWorker =
  | {
      readonly type: "begin"
      readonly ticket: number
      /** Of purges, when it began. */
      readonly epoch: number
      readonly key: string
      readonly groupLength: number
      readonly labels: readonly string[]
      /** Of the file, as a first part of what it will need. */
      readonly bytes: number
    }
  /** It needs a file of so many octets in all. */
  | { readonly type: "grow"; readonly ticket: number; readonly bytes: number }
  /** The file is whole and has so many octets. */
  | { readonly type: "commit"; readonly ticket: number; readonly bytes: number }
  | { readonly type: "abort"; readonly ticket: number }
  | { readonly type: "touch"; readonly names: readonly string[] }
  | { readonly type: "remove"; readonly call: number; readonly epoch: number; readonly key: string }
  | { readonly type: "purge"; readonly call: number; readonly epoch: number; readonly target: PurgeTarget; readonly mark: boolean }
  | {
      readonly type: "head"
      readonly call: number
      readonly epoch: number
      readonly key: string
      readonly version: number
      readonly head: Uint8Array
      readonly labels: readonly string[]
    }
  /** The table says that there is such a file, and there is none. */
  | { readonly type: "missing"; readonly key: string }
  /** The file with this number is damaged; -1 = what has its name is no plain file. */
  | { readonly type: "damaged"; readonly name: string; readonly ino: number }
  | { readonly type: "trouble"; readonly writing: boolean; readonly code: string }
  | { readonly type: "pong"; readonly epoch: number }
  | { readonly type: "detach" }

export type ToWorker =
  /** The file may have so many octets in all. */
  | { readonly type: "granted"; readonly ticket: number; readonly bytes: number }
  /** There is no room, or no disk: the writer is over, for both sides. */
  | { readonly type: "refused"; readonly ticket: number }
  | { readonly type: "committed"; readonly ticket: number; readonly stored: boolean }
  | { readonly type: "answer"; readonly call: number; readonly value: number }
  /** Answer with a pong: all writers that began before this epoch are known then. */
  | { readonly type: "ping"; readonly epoch: number }
  /** There is no keeper any more. */
  | { readonly type: "gone" }

export type FromControl =
  | { readonly type: "attach"; readonly self: number; readonly port: MessagePort }
  /** `open`: descriptors that the worker left. */
  | { readonly type: "lost"; readonly self: number; readonly open: readonly number[] }
  | { readonly type: "purge"; readonly call: number; readonly epoch: number; readonly target: PurgeTarget; readonly mark: boolean }
  | { readonly type: "list"; readonly call: number; readonly filter: PurgeTarget; readonly limit: number }
  | { readonly type: "close" }

export type ToControl =
  | { readonly type: "opened" }
  /** It cannot be opened: for the operator. */
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "purged"; readonly call: number; readonly count: number }
  | { readonly type: "listed"; readonly call: number; readonly entries: StoredFacts[] }
  | { readonly type: "refused"; readonly call: number; readonly message: string }
  | { readonly type: "log"; readonly record: LogRecord }
  | { readonly type: "closed" }
