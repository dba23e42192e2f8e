import { readdirSync } from "node:fs"
import { type Pointer, ptr } from "bun:ffi"
import { formatIp, normaliseIp } from "../base/index.ts"
import { openLibc } from "./open-libc.ts"

// Which connections this process has opened itself. Rules that bring connections here, and do not tell the proxy's own from others, would have it call itself
// without end: each call is taken for a client's and dialled anew.
const symbols = openLibc({
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
} as const)

const AF_INET = 2
const AF_INET6 = 10
const SOL_SOCKET = 1
const SO_TYPE = 3
const SOCK_STREAM = 1
const PORTS = 65_536

// Made with buffers of their own, which stay where they are (see libc.ts).
const address = new Uint8Array(new ArrayBuffer(28))
const addressPointer: Pointer = ptr(address)
const number = new Int32Array(new ArrayBuffer(4))
const numberPointer: Pointer = ptr(number)
const length = new Int32Array(new ArrayBuffer(4))
const lengthPointer: Pointer = ptr(length)

let dialled: Uint8Array | null = null

/** Octets of the memory that all threads share for it. */
export const OWN_DIALS_BYTES: number = PORTS

/** From now on ports that this thread dials from are remembered there; null = nobody asks. */
export function watchOwnDials(memory: SharedArrayBuffer | null): void {
  dialled = memory === null || symbols === null ? null : new Uint8Array(memory)
}

/** A connection is being made by this socket. */
export function noteDial(fd: number): void {
  if (dialled !== null && nameOf(fd)) dialled[port()] = 1
}

/**
 * Whether a connection that comes from this address is one of ours. A port that nobody of us dialled from costs a look at one octet; any other is looked for among
 * the descriptors of this process, for another program may have it by now.
 */
export function isOwnDial(from: string, fromPort: number): boolean {
  if (dialled === null || dialled[fromPort] !== 1) return false
  for (const entry of readdirSync("/proc/self/fd")) if (isStreamAt(Number(entry), from, fromPort)) return true
  dialled[fromPort] = 0
  return false
}

function isStreamAt(fd: number, from: string, fromPort: number): boolean {
  if (!nameOf(fd) || port() !== fromPort) return false
  const octets = address[0] === AF_INET ? 4 : 16
  if (normaliseIp(formatIp(address, octets === 4 ? 4 : 8, octets)) !== from) return false
  length[0] = 4
  return symbols!.getsockopt(fd, SOL_SOCKET, SO_TYPE, numberPointer, lengthPointer) === 0 && number[0] === SOCK_STREAM
}

/** Asks for a socket's own address; false = it is none of the Internet's. */
function nameOf(fd: number): boolean {
  length[0] = address.length
  if (symbols!.getsockname(fd, addressPointer, lengthPointer) !== 0) return false
  return address[0] === AF_INET || address[0] === AF_INET6
}

function port(): number {
  return address[2]! * 256 + address[3]!
}
