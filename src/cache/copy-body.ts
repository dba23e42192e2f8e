import { assert } from "../base/index.ts"
import type { HeldEntry } from "./held-entry.ts"
import type { MemoryEntry } from "./store/contract.ts"

const PIECE_BYTES_MAX = 1024 * 1024

/** Puts octets `from` up to, not including, `to` of a complete entry behind what another one has. False = there is no room. */
export function copyBody(old: HeldEntry, to: MemoryEntry, from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const piece = old.piece(at, Math.min(PIECE_BYTES_MAX, end - at))
    assert(piece.length > 0, "what is complete can be read")
    if (!to.append(piece)) return false
    at += piece.length
  }
  return true
}

/** Fills an entry with another head and the body of a complete one. False = there is no room. */
export function copyEntry(old: MemoryEntry, writer: MemoryEntry, head: Uint8Array, labels: readonly string[]): boolean {
  return writer.setHead(head, old.filled, labels) && copyBody(old, writer, 0, old.filled) && writer.complete()
}
