// HOT
import type { NativeWire } from "./dispatch.ts"
import { isPlain } from "./lent-read.ts"
import { closeDescriptor, openPipe, readPipe, receiveBuffer, splice } from "./libc.ts"
import type { Wire } from "./wire.ts"

/** What `moveOctets` answers when these two connections cannot do it: whoever asked reads and writes from now on. */
export const UNMOVABLE = -1
/** What it answers when the connection that is read broke; the runtime will not tell any more. */
export const MOVE_BROKEN = -2

/** As much as `receiveBuffer` holds: what the other side does not take comes there. */
const MOVE_BYTES = receiveBuffer.length
/** Octets of a file that was sent take a place of the pipe for each of their pages, so there are more places than octets; an ordinary user's pipe may have so many. */
const PIPE_BYTES = 1024 * 1024
const ECONNRESET = 104
const ETIMEDOUT = 110
const EPIPE = 32
const nothing = receiveBuffer.subarray(0, 0)

// One for the thread, for it is empty again when a call returns.
let outlet = -1
let inlet = -1
let users = 0
let restBytes = 0

/** Somebody is going to move octets. False = it cannot be done here. Each needs a `releasePipe`. */
export function holdPipe(): boolean {
  if (outlet < 0) {
    const pipe = openPipe(PIPE_BYTES)
    if (pipe === null) return false
    outlet = pipe[0]
    inlet = pipe[1]
  }
  users++
  return true
}

/** One moves no more; the last one closes the pipe. */
export function releasePipe(): void {
  users--
  if (users === 0) closePipe()
}

function closePipe(): void {
  closeDescriptor(outlet)
  closeDescriptor(inlet)
  outlet = -1
  inlet = -1
}

/** Both are sockets without TLS, whose octets are what they carry. */
export function canMove(from: Wire, to: Wire): boolean {
  return isPlain(from) && isPlain(to)
}

/**
 * Moves what waits in one connection to another inside the kernel, at most 128 KB; a pipe is held. Nothing is owed to `to`. Answers how many octets left `from`:
 * `movedRest` has those of them that `to` did not take. 0 = nothing there now, or the end; below 0 = UNMOVABLE or MOVE_BROKEN.
 */
export function moveOctets(from: Wire, to: Wire): number {
  restBytes = 0
  const source = (from as NativeWire).fd
  const target = (to as NativeWire).fd
  if (source < 0 || target < 0 || inlet < 0) return UNMOVABLE
  const count = splice(source, inlet, MOVE_BYTES)
  if (count <= 0) return count === 0 ? 0 : count === -ECONNRESET || count === -ETIMEDOUT || count === -EPIPE ? MOVE_BROKEN : UNMOVABLE
  let left = count
  while (left > 0) {
    const gone = splice(outlet, target, left)
    // A reset, too: the write of the rest meets it.
    if (gone <= 0) break
    left -= gone
  }
  return left === 0 || takeRest(left) ? count : MOVE_BROKEN
}

function takeRest(left: number): boolean {
  restBytes = readPipe(outlet, left)
  if (restBytes === left) return true
  // Never seen. Octets of one connection must not come out in another.
  restBytes = 0
  closePipe()
  return false
}

/** What the last `moveOctets` took and could not hand on: lent until the next read. */
export function movedRest(): Buffer {
  return restBytes === 0 ? nothing : receiveBuffer.subarray(0, restBytes)
}
