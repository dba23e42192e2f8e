import { createHash, type Hash } from "node:crypto"
import type { MemoryEntry } from "../store/contract.ts"

/** Octets between two turns of the event loop: half a millisecond. */
const SLICE_BYTES = 1024 * 1024

/** SHA-256 of a whole body, in base64. For short ones: it takes half a millisecond for each MiB. */
export function bodyDigest(entry: MemoryEntry): string {
  const hash = createHash("sha256")
  for (let at = 0, piece = entry.piece(0); piece.length > 0; piece = entry.piece(at)) {
    hash.update(piece)
    at += piece.length
  }
  return hash.digest("base64")
}

/** A copy of a whole body with its digest, made without holding up the thread. */
export async function copyBody(entry: MemoryEntry): Promise<{ body: Uint8Array; digest: string }> {
  const body = Buffer.allocUnsafeSlow(entry.filled)
  const hash = createHash("sha256")
  for (let at = 0; at < body.length; ) {
    if (at > 0) await new Promise<void>(resolve => setImmediate(resolve))
    at = copySlice(entry, { body, hash }, at)
  }
  return { body, digest: hash.digest("base64") }
}

function copySlice(entry: MemoryEntry, to: { body: Uint8Array; hash: Hash }, from: number): number {
  const end = Math.min(to.body.length, from + SLICE_BYTES)
  let at = from
  while (at < end) {
    const piece = entry.piece(at, end - at)
    to.body.set(piece, at)
    at += piece.length
  }
  to.hash.update(to.body.subarray(from, end))
  return end
}
