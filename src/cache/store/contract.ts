/**
 * What the engine and the stores say to each other. Keys, heads and bodies are octets without a meaning here; everything that HTTP says about them is the engine's.
 *
 * The memory store is one for all threads and holds whatever is under way: a fill is an entry from its first moment, so that equal requests find it,
 * wherever they come in, and read from it while it grows. A disk store is a second level: where a fill may take an entry from before it asks upstream,
 * and where entries go that are too large for memory.
 */

/** Names an entry. Texts are latin1, one character an octet. */
export interface CacheKey {
  /** All of it: the group, and what tells the entries of a group apart. */
  readonly text: string
  /** What the entries of one URL have in common; they are found and removed together. */
  readonly group: string
  /** Hash of `text` and of `group`, 32 bits unsigned. */
  readonly hash: number
  readonly groupHash: number
}

/** Begun, and no head yet: wait. */
export const ENTRY_PENDING = 0
/** The head is there, the body grows. */
export const ENTRY_FILLING = 1
/** All of it is there. */
export const ENTRY_COMPLETE = 2
/** The fill ended before it was complete, or the thread that did it died: look again. */
export const ENTRY_FAILED = 3

export type EntryState = 0 | 1 | 2 | 3

/**
 * An entry that this thread reads or fills. Whoever has it holds its memory: `release` when done, exactly once. Objects may be used again after that.
 */
export interface MemoryEntry {
  readonly state: EntryState
  /** False since it was removed, replaced or evicted: it may be read to its end, and nobody finds it any more. */
  readonly live: boolean
  /** Somebody marked it (a soft purge). */
  readonly marked: boolean
  /** Octets of the head; a view that holds until `release`. Empty while pending. */
  readonly head: Uint8Array
  /** Octets of the whole body, -1 = not known yet. */
  readonly bodyLength: number
  /** Octets of the body that are there. */
  readonly filled: number
  /** Whether this handle is the one that fills. */
  readonly filling: boolean
  /** Identifies the entry among all that ever were in this store and this thread's notes about it: a place and a generation. */
  readonly place: number
  readonly generation: number
  /** The longest piece of the body from `at` on that lies in one run, at most `max` octets; empty when nothing is there yet. A view that holds until `release`. */
  piece(at: number, max?: number): Uint8Array
  /** Counts as a use for eviction. */
  touch(): void
  /** True for one caller among all threads until `untilMs` of the wall clock has passed: who may revalidate. A dead claim lapses by itself. */
  claim(nowMs: number, untilMs: number): boolean
  unclaim(): void
  /** Calls `changed` once, soon after state or `filled` differ from what this handle last told of them (from now, when it told nothing), or `live` ends while pending. From a timer or the fill's own calls, never before `watch` returns. */
  watch(changed: () => void): void
  unwatch(changed: () => void): void
  release(): void

  // ---- for the one that fills

  /** The head is known. `bodyLength` -1 = not known. False = no room: it is pending as before, for a smaller head or to fail. */
  setHead(head: Uint8Array, bodyLength: number, labels: readonly string[]): boolean
  /** Copies a chunk in. False = no room, or over the limit: nothing of it was taken, and the entry is to be superseded or to fail. */
  append(chunk: Uint8Array): boolean
  /** The body is complete. An entry that was removed since `begin` is none that others find. */
  complete(): boolean
  fail(): void
}

export interface MemoryStore {
  /** Octets that one entry may have, head and body. */
  readonly entryBytesMax: number
  /** The entry under this key, held; pending and filling ones, too. null = none. */
  find(key: CacheKey): MemoryEntry | null
  /** The entry in this place, held, if it is still the one of this generation and live. null = none. The quick way to an entry that this thread has seen before. */
  hold(place: number, generation: number): MemoryEntry | null
  /** Another hold on an entry that this thread holds: also on one that nobody finds any more. */
  share(entry: MemoryEntry): MemoryEntry
  /** The fill under way under this key, held; also one that will replace what `find` gives. null = none. */
  pending(key: CacheKey): MemoryEntry | null
  /** Begins to fill. What was there under the key goes on being found until the new entry's head is set (`replace`), or there must be nothing (else null). null also for no room. */
  begin(key: CacheKey, replace: boolean): MemoryEntry | null
  /**
   * Begins to fill anew in place of an entry that this thread fills, and that is to fail then: whoever looks meanwhile finds the new one. null = there is no room, or the
   * old one has been removed.
   */
  supersede(entry: MemoryEntry, key: CacheKey): MemoryEntry | null
  /** Entries of this group: removed, or with `mark` marked. Returns how many. Fills under way are removed in both cases. */
  removeGroup(key: { readonly group: string; readonly groupHash: number }, mark: boolean): number
  removeKey(key: CacheKey): boolean
  /** Grows with each purge that may concern this group. Who began before a purge and has no entry that it could doom must not begin one behind it. */
  purges(groupHash: number): number
  /** A purge of more than one group is under way: some entries that it means are gone, others are not yet. */
  readonly purging: boolean
}

/** What a purge names. Prefixes are of the group's text. */
export type PurgeTarget =
  | { readonly by: "group"; readonly group: string }
  | { readonly by: "prefix"; readonly prefix: string }
  | { readonly by: "label"; readonly label: string }
  | { readonly by: "all" }

export interface StoredFacts {
  readonly key: string
  readonly group: string
  readonly head: Uint8Array
  readonly bodyLength: number
  readonly marked: boolean
  readonly tier: "memory" | "disk"
}
