// HOT
import { hasLibc, receive, receiveBuffer } from "./libc.ts"
import type { NativeWire } from "./dispatch.ts"
import type { Wire } from "./wire.ts"

/** What `readLent` answers when the connection is broken; the runtime will not tell any more. */
export const BROKEN = Buffer.alloc(0)

/** What sockets without TLS have in common. The runtime has no other way to tell one from the other. */
let plainKind: object | null = null

/** A connection without TLS was opened. */
export function notePlain(wire: Wire): void {
  if (plainKind === null) plainKind = Object.getPrototypeOf(wire)
}

/** A socket of the runtime without TLS, where there is a libc that can read it. */
export function isPlain(wire: Wire): boolean {
  return hasLibc && Object.getPrototypeOf(wire) === plainKind
}

/**
 * Reads what the kernel already holds for an open connection, at most 128 KB, into memory of this thread: it is lent until the next call.
 * The runtime makes a buffer of up to 512 KB for every read, and large bodies fill the memory with them faster than it is collected; what comes
 * this way needs none. null = nothing there now, the end, or a connection that only events can read (TLS, another system): they then say more.
 */
export function readLent(wire: Wire): Buffer | null {
  if (!isPlain(wire)) return null
  const { fd } = wire as NativeWire
  if (fd < 0) return null
  const count = receive(fd)
  if (count > 0) return count === receiveBuffer.length ? receiveBuffer : receiveBuffer.subarray(0, count)
  return count === 0 ? null : BROKEN
}
