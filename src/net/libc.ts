import { getSystemErrorName } from "node:util"
import { type Pointer, ptr, read } from "bun:ffi"
import { writeIp } from "../base/index.ts"
import { openLibc } from "./open-libc.ts"
import { noteDial } from "./own-dials.ts"
import { markSocket } from "./socket-mark.ts"

// What the runtime does not offer: a connection that can be given up while it is being made, the length of the accept queue, a second handle on a
// listening socket, a read into memory that is there already, octets that go from socket to socket inside the kernel. Linux on x86-64 and arm64, where these numbers are the same; elsewhere `libc` is null and the callers do without.
const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  // ssize_t; what it can be here fits.
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  splice: { args: ["i32", "ptr", "i32", "ptr", "u64", "u32"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  dup: { args: ["i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const STREAM_NONBLOCK_CLOEXEC = 0o2004001
const NONBLOCK_CLOEXEC = 0o2004000
const SOL_SOCKET = 1
const SO_ERROR = 4
const SO_REUSEADDR = 2
const IPPROTO_IP = 0
const IP_BIND_ADDRESS_NO_PORT = 24
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const F_SETPIPE_SZ = 1031
const SPLICE_MOVE_NONBLOCK = 3
const MSG_DONTWAIT = 0x40
const MSG_PEEK_DONTWAIT = 0x42
const EINTR = 4
const EAGAIN = 11
const EINPROGRESS = 115
const EINVAL = 22

const symbols = openLibc(SYMBOLS)
/** True when the functions below can be called. */
export const hasLibc: boolean = symbols !== null

// The buffers are made explicitly: the engine moves the octets of a small array that has none of its own, and the pointer then points to the past.
// struct sockaddr_in6 is 28 octets, sockaddr_in 16 (ip(7), ipv6(7)).
const address = new Uint8Array(new ArrayBuffer(28))
const addressPointer: Pointer = ptr(address)
const number = new Int32Array(new ArrayBuffer(4))
const numberPointer: Pointer = ptr(number)
const numberBytes = new Int32Array(new ArrayBuffer(4))
const numberBytesPointer: Pointer = ptr(numberBytes)
const pair = new Int32Array(new ArrayBuffer(8))
const pairPointer: Pointer = ptr(pair)

function errno(): number {
  return read.i32(symbols!.__errno_location()!, 0)
}

/** Writes a socket address into `address`; answers its length, or 0 when `host` is no literal. */
function writeSocketAddress(host: string, port: number): number {
  const octets = writeIp(host, address, 8)
  if (octets === 0) return 0
  // The kernel's own byte order in the family, the network's in the port; an IPv4 address stands at 4, an IPv6 address behind the flow label at 8.
  address[0] = octets === 4 ? AF_INET : AF_INET6
  address[1] = 0
  address[2] = port >>> 8
  address[3] = port
  if (octets === 4) address.copyWithin(4, 8, 12)
  address.fill(0, octets === 4 ? 8 : 4, octets === 4 ? 16 : 8)
  if (octets === 16) address.fill(0, 24, 28)
  return octets === 4 ? 16 : 28
}

/**
 * Begins a TCP connection to an address literal, from the address `source`, "" = the system's choice. Answers the descriptor, or the system's error number
 * made negative. The connection stands when the descriptor becomes writable.
 */
export function beginConnect(host: string, port: number, source = ""): number {
  const length = writeSocketAddress(host, port)
  if (length === 0) return -EINVAL
  const family = address[0]!
  const fd = symbols!.socket(family, STREAM_NONBLOCK_CLOEXEC, 0)
  if (fd < 0) return -errno()
  markSocket(fd)
  number[0] = 1
  symbols!.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, numberPointer, 4)
  let error = 0
  if (source !== "") {
    error = bindSource(fd, source, family)
    writeSocketAddress(host, port)
  }
  if (error === 0) error = symbols!.connect(fd, addressPointer, length) === 0 ? 0 : errno()
  if (error === 0 || error === EINPROGRESS) {
    noteDial(fd)
    return fd
  }
  symbols!.close(fd)
  return -error
}

/** The port is chosen when the target is known, so that one address has as many connections as there are pairs (ip(7)). Answers 0 or the error number. */
function bindSource(fd: number, source: string, family: number): number {
  const length = writeSocketAddress(source, 0)
  if (length === 0 || address[0] !== family) return EINVAL
  number[0] = 1
  symbols!.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, numberPointer, 4)
  return symbols!.bind(fd, addressPointer, length) === 0 ? 0 : errno()
}

/** Two connected sockets without a name, or null. */
export function openPair(): readonly [number, number] | null {
  if (symbols === null || symbols.socketpair(AF_UNIX, STREAM_NONBLOCK_CLOEXEC, 0, pairPointer) !== 0) return null
  return [pair[0]!, pair[1]!]
}

/**
 * Takes an address without listening on it, so that nobody who looks finds a listener that is gone a moment later, and gives it back. Answers the
 * port, or the system's error number made negative. `host` "" = every address, IPv4 and IPv6.
 */
export function tryBind(host: string, port: number): number {
  const fd = openBound(host, port)
  if (fd < 0) return fd
  const result = boundPort(fd)
  symbols!.close(fd)
  return result
}

/** The port that a socket has, or the system's error number made negative. */
export function boundPort(fd: number): number {
  numberBytes[0] = address.length
  return symbols!.getsockname(fd, addressPointer, numberBytesPointer) === 0 ? address[2]! * 256 + address[3]! : -errno()
}

/** Listens, for oneself alone. Answers the descriptor, or the system's error number made negative. `host` "" = every address, IPv4 and IPv6. */
export function listenTcp(host: string, port: number, backlog: number): number {
  const fd = openBound(host, port)
  if (fd < 0 || symbols!.listen(fd, backlog) === 0) return fd
  const error = errno()
  symbols!.close(fd)
  return -error
}

function openBound(host: string, port: number): number {
  const length = writeSocketAddress(host === "" ? "::" : host, port)
  if (length === 0) return -EINVAL
  const fd = symbols!.socket(address[0]!, STREAM_NONBLOCK_CLOEXEC, 0)
  if (fd < 0) return -errno()
  // As listeners do: connections that linger from before are no obstacle, another listener is.
  number[0] = 1
  symbols!.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, numberPointer, 4)
  number[0] = host === "" ? 0 : 1
  if (length === 28) symbols!.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, numberPointer, 4)
  if (symbols!.bind(fd, addressPointer, length) === 0) return fd
  const error = errno()
  symbols!.close(fd)
  return -error
}

/** What became of a connection that was being made: 0 = it stands, else the system's error number. Asking clears it. */
export function connectError(fd: number): number {
  number[0] = 0
  numberBytes[0] = 4
  return symbols!.getsockopt(fd, SOL_SOCKET, SO_ERROR, numberPointer, numberBytesPointer) === 0 ? number[0]! : errno()
}

/** Whether small writes leave at once (Nagle's algorithm is off). */
export function hasNoDelay(fd: number): boolean {
  number[0] = 0
  numberBytes[0] = 4
  return symbols !== null && symbols.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, numberPointer, numberBytesPointer) === 0 && number[0] === 1
}

/** `ECONNREFUSED` and the like. */
export function errorName(error: number): string {
  try {
    return getSystemErrorName(-error)
  } catch {
    return `error ${error}`
  }
}

/** Sets the length of the accept queue of a listening socket; the system caps it at net.core.somaxconn. */
export function resizeBacklog(fd: number, backlog: number): void {
  symbols?.listen(fd, backlog)
}

/** Closes a listening socket and answers the descriptors of all who waited there: between the last look and the close there is nothing else. */
export function acceptAndClose(fd: number): number[] {
  const waiting: number[] = []
  if (symbols === null || fd < 0) return waiting
  for (;;) {
    const one = symbols.accept4(fd, null, null, NONBLOCK_CLOEXEC)
    if (one < 0) break
    waiting.push(one)
  }
  symbols.close(fd)
  return waiting
}

/** A second descriptor for the same socket, or -1. */
export function duplicate(fd: number): number {
  return symbols === null ? -1 : symbols.dup(fd)
}

export function closeDescriptor(fd: number): void {
  symbols?.close(fd)
}

/** Whether octets wait in a socket that nobody has read yet. */
export function hasUnread(fd: number): boolean {
  return symbols !== null && symbols.recv(fd, numberPointer, 1, MSG_PEEK_DONTWAIT) > 0
}

const RECEIVE_BYTES = 128 * 1024
/** Where `receive` puts what it read; the next call writes over it. */
export const receiveBuffer: Buffer = Buffer.from(new ArrayBuffer(RECEIVE_BYTES))
const receivePointer: Pointer = ptr(receiveBuffer)

/** Reads from a socket without waiting. Answers the number of octets; 0 = none now, or the end of the stream; -1 = the connection is broken. */
export function receive(fd: number): number {
  const count = symbols!.recv(fd, receivePointer, RECEIVE_BYTES, MSG_DONTWAIT)
  if (count >= 0) return count
  const error = errno()
  return error === EAGAIN || error === EINTR ? 0 : -1
}

/** A pipe, its reading end first, that holds `bytes`; null = it cannot be had, or not of that size: what a user's pipes may hold together has a limit (pipe(7)). */
export function openPipe(bytes: number): readonly [number, number] | null {
  if (symbols === null || symbols.pipe2(pairPointer, NONBLOCK_CLOEXEC) !== 0) return null
  if (symbols.fcntl(pair[1]!, F_SETPIPE_SZ, bytes) >= 0) return [pair[0]!, pair[1]!]
  symbols.close(pair[0]!)
  symbols.close(pair[1]!)
  return null
}

/** Moves octets from or into a pipe without waiting (splice(2)). Answers their number; 0 = none now, or the end; else the system's error number made negative. */
export function splice(from: number, to: number, bytes: number): number {
  const count = symbols!.splice(from, null, to, null, bytes, SPLICE_MOVE_NONBLOCK)
  if (count >= 0) return count
  const error = errno()
  return error === EAGAIN || error === EINTR ? 0 : -error
}

/** Takes so many octets, at most 128 KB, out of a pipe that has them, to the front of `receiveBuffer`. Answers their number, which pipes never make smaller. */
export function readPipe(fd: number, bytes: number): number {
  return symbols!.read(fd, receivePointer, bytes)
}
