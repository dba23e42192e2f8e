import type { MemoryEntry } from "./store/contract.ts"

/** What an answer is served from: an entry of the memory store, or one on disk (DiskHandle). Given back once. */
export type HeldEntry = Pick<MemoryEntry, "state" | "bodyLength" | "piece" | "touch" | "release">
