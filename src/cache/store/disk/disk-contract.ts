import type { MessagePort } from "node:worker_threads"
import type { CacheKey, PurgeTarget, StoredFacts } from "../contract.ts"

/**
 * The disk store as its users see it. The control thread makes one (`createDiskStore`) and gives each worker an attachment, of which the worker makes its
 * own end (`attachDiskStore`). Nothing here throws into the data path and nothing blocks: trouble with the disk is a miss, a writer that is refused or one that fails.
 */
export interface DiskOptions {
  /** The folder; made when it is not there. One process at a time. */
  readonly path: string
  /** Octets that the files may take, each rounded up to 4,096. Never exceeded. */
  readonly bytes: number
  /** What the control thread gave to `setKeySeed`: the keeper hashes the keys that it finds on disk like everybody else. */
  readonly keySeed: number
  /** Entries. Default: one for each 8,192 octets of `bytes`, at most 1,048,576. Sets the size of the table of keys: about 10 octets of memory each. */
  readonly entriesMax?: number
  /** Octets of one entry: head, body and what the file adds. Default: a quarter of `bytes`. */
  readonly entryBytesMax?: number
  /** Octets of a head with its labels. Default 262,144. */
  readonly headBytesMax?: number
  /** Writers at a time in one worker. Default 64. */
  readonly writersMax?: number
  /** Octets in one worker that wait to be written. Default 16 MiB. */
  readonly bytesWaitingMax?: number
  /** Entries that one worker holds open, each with a file. Default 1,024. */
  readonly readersMax?: number
  /** Workers, living at one time; `self` is below. Default 64. */
  readonly workersMax?: number
  /** After trouble with the disk it is left alone for so long. Default 5,000. */
  readonly retryMs?: number
  /** Between two of 4,096 steps of the scan behind the start. Default 10; none when the index cannot be trusted. */
  readonly scanPauseMs?: number
}

/** What a worker makes its end of. Goes through `postMessage` or `workerData`; `port` has to be in the transfer list. */
export interface DiskAttachment {
  readonly shared: SharedArrayBuffer
  readonly port: MessagePort
  readonly settings: DiskSettings
}

/** The options with their defaults. */
export type DiskSettings = Required<DiskOptions>

/** An entry, open. It can be read to its end whatever becomes of it meanwhile: `close` when done, exactly once. */
export interface DiskEntry {
  readonly head: Uint8Array
  readonly bodyLength: number
  /** Somebody marked it (a soft purge). */
  readonly marked: boolean
  /** Which body this is, for `updateHead`. A safe integer. */
  readonly version: number
  /**
   * From `at` on at most `max` octets of the body, at least one unless `at` is its end; often fewer than `max`: no further than the end of a block of 262,144.
   * Whole blocks were verified before. The octets are the caller's to keep, not to change. null = damaged or gone: the body ends here, and the entry is removed.
   * One read at a time.
   */
  read(at: number, max: number): Promise<Uint8Array | null>
  close(): void
}

/** It may grow. */
export const TAIL_GROWING = 0
/** All of the body can be read. Whether it is stored is another question. */
export const TAIL_WHOLE = 1
/** It ended before its time: `written` is all there will be. */
export const TAIL_FAILED = 2

/** Reads what a writer has written so far. `close` when done, exactly once. */
export interface DiskTail {
  readonly head: Uint8Array
  /** -1 = not known yet; known at the latest when it is whole. */
  readonly bodyLength: number
  /** Octets of the body that can be read. */
  readonly written: number
  readonly state: 0 | 1 | 2
  /** As DiskEntry's, but only what was written, and unverified: it comes from the page cache. Empty = nothing there yet. null = the read failed. One at a time. */
  read(at: number, max: number): Promise<Uint8Array | null>
  /** Calls `changed` once, soon after `written` or `state` differ from what they are now, never before `watch` returns. */
  watch(changed: () => void): void
  unwatch(changed: () => void): void
  close(): void
}

/** Writes one entry; others see it when `commit` has answered true. Ends with `commit` or `abort`, also after it failed. */
export interface DiskWriter {
  /** No room, no disk or too much waiting: nothing more is written, `commit` will answer false. */
  readonly failed: boolean
  /** Octets of the body that are in the file. */
  readonly written: number
  /** Names the writer for `follow` in any thread of the process. A safe integer. */
  readonly ticket: number
  /** Which body this is, for `updateHead` once it is stored. */
  readonly version: number
  /** Called each time that a pause may end which `write` asked for. */
  onDrain: (() => void) | null
  /** Called once when it fails before `commit` or `abort` was called. */
  onFail: (() => void) | null
  /** Takes a copy. False = please pause until `onDrain`; or it has failed. */
  write(chunk: Uint8Array): boolean
  /** The body is whole. True = stored and found from now on. False = it failed, was purged since `begin`, or has not the length that it announced. Never rejects. */
  commit(): Promise<boolean>
  /** Nothing is stored, tails end as failed. May be called at any time, also when it is over. */
  abort(): void
  /** For this thread; from the first moment on, until it is over. */
  tail(): DiskTail
}

/** A worker's end. All promises resolve, none rejects. */
export interface AttachedDiskStore {
  readonly entryBytesMax: number
  /** False = it is not there, for certain. True, seldom: it is not there all the same. While the index loads, always true; when the disk is left alone, false. */
  mayHave(key: CacheKey): boolean
  /** null = a miss. */
  load(key: CacheKey): Promise<DiskEntry | null>
  /**
   * Begins to write; an entry under the key stays until `commit`. `bodyLength` -1 = not known. null = cannot be: too large, too many, no disk. The head is copied.
   * A purge dooms the writers that began before it. So that none slips in between: look *after* `begin` whether what you copy from is still live, else `abort`.
   */
  begin(key: CacheKey, head: Uint8Array, bodyLength: number, labels: readonly string[]): DiskWriter | null
  /** Reads along with a writer of any thread, by its `ticket`. null = it failed or was over before: `load` finds what was stored. */
  follow(key: CacheKey, ticket: number): Promise<DiskTail | null>
  /**
   * A new head and labels for the body that is there; the mark goes. False = that version is not there any more, was purged since this call, or no disk.
   * `version` keeps the head of one body from landing on the next one.
   */
  updateHead(key: CacheKey, version: number, head: Uint8Array, labels: readonly string[]): Promise<boolean>
  /** Counts as a use for eviction. Batched. */
  touch(key: CacheKey): void
  /** Over, for writers of all threads too, when it resolves. */
  remove(key: CacheKey): Promise<boolean>
  /** The entries of a group: removed, or with `mark` marked. Resolves to how many. Writers under way that began before are doomed in both cases. */
  removeGroup(key: { readonly group: string }, mark: boolean): Promise<number>
  /** Aborts the writers and closes what is open. For a worker that lives on. */
  close(): void
}

/** What is in it now, and counts since the start. */
export interface DiskStats {
  /** opening, loading (the index), scanning (for files that the index does not know), ready, away (the disk is left alone for a while), closed. */
  readonly state: DiskState
  readonly entries: number
  readonly entriesMax: number
  /** Of the files, rounded up; `reserved` are the octets of those being written. */
  readonly bytes: number
  readonly reserved: number
  readonly bytesMax: number
  readonly writers: number
  readonly counts: Readonly<Record<DiskCount, number>>
}

export type DiskState = "opening" | "loading" | "scanning" | "ready" | "away" | "closed"

/** What is counted. Those that end in `Faults` are trouble. */
export const DISK_COUNTS = [
  "hits",
  "misses",
  "stored",
  /** Writers that `begin` or the keeper refused: over a limit, no room. */
  "refused",
  /** Writers that a purge doomed. */
  "doomed",
  "evicted",
  "purged",
  "adopted",
  /** Files with a wrong key, length or checksum. */
  "damageFaults",
  "readFaults",
  "writeFaults",
  "indexFaults",
] as const

export type DiskCount = (typeof DISK_COUNTS)[number]

/** The control thread's end. */
export interface DiskStore {
  /** For a worker; `self` is its number, below `workersMax`, and the same that it gives to `attachDiskStore`. `port` goes into the transfer list. */
  attachment(self: number): DiskAttachment
  /** The thread with this number is gone: its writers end, its room is free. To be called before `attachment` for the next one with the number. */
  workerLost(self: number): void
  /**
   * Removes, or marks. From when it resolves on no load that begins, in any thread, finds what was there before the call (or it finds it marked), and no writer that
   * began before the call commits. What was stored between the call and its end may go, too. Resolves to how many there were. Rejects when the folder cannot be
   * reached: then it is done before anything is read from there again.
   */
  purge(target: PurgeTarget, mark: boolean): Promise<number>
  /** Entries that `filter` names, in no order, at most `limit` and at most 10,000. */
  list(filter: PurgeTarget, limit: number): Promise<StoredFacts[]>
  stats(): DiskStats
  /** No writer begins any more; those under way go on, and `stats().writers` says when there are none. For a store that is about to close. */
  endWrites(): void
  /** A clean stop. Workers' ends miss from now on. */
  close(): Promise<void>
}
