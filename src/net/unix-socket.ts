import { type Pointer, ptr, read } from "bun:ffi"
import { openLibc } from "./open-libc.ts"

// The runtime removes the file of a Unix socket when it stops listening, also when another process goes on with the socket. So ours are bound here.
const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const

const AF_UNIX = 1
const STREAM_NONBLOCK_CLOEXEC = 0o2004001
const DATAGRAM_NONBLOCK_CLOEXEC = 0o2004002
const MSG_NOSIGNAL = 0x4000
const ENAMETOOLONG = 36
const ENOSYS = 38
/** struct sockaddr_un: the family and 108 octets of path (unix(7)). */
const ADDRESS_BYTES = 110

let symbols: ReturnType<typeof openLibc<typeof SYMBOLS>> | undefined
const address = new Uint8Array(new ArrayBuffer(ADDRESS_BYTES))
const addressPointer: Pointer = ptr(address)

/** Opened when the first Unix socket is made: it costs a thread that has none a millisecond at its start. */
function libc(): NonNullable<typeof symbols> | null {
  symbols ??= openLibc(SYMBOLS)
  return symbols
}

function errno(): number {
  return read.i32(libc()!.__errno_location()!, 0)
}

/** Answers the address's length, 0 = it is too long. What begins with a NUL is a name without a file. */
function writeAddress(path: string): number {
  const octets = Buffer.from(path)
  if (octets.length === 0 || octets.length > ADDRESS_BYTES - 3) return 0
  address.fill(0)
  address[0] = AF_UNIX
  address.set(octets, 2)
  return path.charCodeAt(0) === 0 ? 2 + octets.length : 2 + octets.length + 1
}

/** A listening socket at `path`, whose file stays until somebody removes it. Answers the descriptor, or the system's error number made negative. */
export function listenUnix(path: string, backlog: number): number {
  const calls = libc()
  if (calls === null) return -ENOSYS
  const length = writeAddress(path)
  if (length === 0) return -ENAMETOOLONG
  const fd = calls.socket(AF_UNIX, STREAM_NONBLOCK_CLOEXEC, 0)
  if (fd < 0) return -errno()
  if (calls.bind(fd, addressPointer, length) === 0 && calls.listen(fd, backlog) === 0) return fd
  const error = errno()
  calls.close(fd)
  return -error
}

/** Sends one datagram to the Unix socket at `path`, a NUL and a name for one without a file. Answers whether it went. */
export function sendToUnix(path: string, text: string): boolean {
  const calls = libc()
  const length = calls === null ? 0 : writeAddress(path)
  if (calls === null || length === 0) return false
  const fd = calls.socket(AF_UNIX, DATAGRAM_NONBLOCK_CLOEXEC, 0)
  if (fd < 0) return false
  const octets = Uint8Array.from(Buffer.from(text))
  const sent = calls.sendto(fd, ptr(octets), octets.length, MSG_NOSIGNAL, addressPointer, length)
  calls.close(fd)
  return sent === octets.length
}
