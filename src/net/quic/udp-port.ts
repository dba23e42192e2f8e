import { readdirSync } from "node:fs"
import { getSystemErrorName } from "node:util"
import { type Pointer, ptr, read } from "bun:ffi"
import { type Address, writeIp } from "../../base/index.ts"
import { ListenError } from "../listen-error.ts"
import { openLibc } from "../open-libc.ts"

// The runtime binds its UDP socket for itself alone and tells of a failure too late. So it gets a port of the system's choice, and its socket is then unbound and
// bound again, to where it should be and with what it should have (Linux). The numbers are those of x86-64 and arm64.
const SYMBOLS = {
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  dup: { args: ["i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const

const AF_INET = 2
const AF_INET6 = 10
const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_REUSEPORT = 15
const SO_RCVBUF = 8
const SO_SNDBUF = 7
const SO_ATTACH_REUSEPORT_CBPF = 51
const SO_ATTACH_FILTER = 26
const SO_DETACH_FILTER = 27
const SOCK_DGRAM = 2
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPPROTO_IP = 0
const IP_RECVERR = 11
const IPV6_RECVERR = 25
const EINVAL = 22

let symbols: ReturnType<typeof openLibc<typeof SYMBOLS>> | undefined

/** Opened when the first QUIC socket is made: it costs a thread that has none a millisecond at its start. */
function libc(): NonNullable<typeof symbols> | null {
  symbols ??= openLibc(SYMBOLS)
  return symbols
}

/** Ports can be shared here, and a failure to bind is told at once. */
export function canRebind(): boolean {
  return libc() !== null
}

const address = new Uint8Array(new ArrayBuffer(28))
const addressPointer: Pointer = ptr(address)
const number = new Int32Array(new ArrayBuffer(4))
const numberPointer: Pointer = ptr(number)
const length = new Int32Array(new ArrayBuffer(4))
const lengthPointer: Pointer = ptr(length)

/** The descriptor that a socket made now most likely gets, for `findUdpSocket` to look at first. -1 = unknown. */
export function nextDescriptor(): number {
  const calls = libc()
  if (calls === null) return -1
  const fd = calls.dup(0)
  if (fd >= 0) calls.close(fd)
  return fd
}

/** The UDP socket of this process that is bound to `port`; -1 = there is none. */
export function findUdpSocket(port: number, guess: number): number {
  if (libc() === null) return -1
  if (isUdpSocket(guess, port)) return guess
  for (const entry of readdirSync("/proc/self/fd")) if (isUdpSocket(Number(entry), port)) return Number(entry)
  return -1
}

function isUdpSocket(fd: number, port: number): boolean {
  length[0] = address.length
  if (fd < 0 || libc()!.getsockname(fd, addressPointer, lengthPointer) !== 0) return false
  const isInternet = address[0] === AF_INET || address[0] === AF_INET6
  if (!isInternet || address[2]! * 256 + address[3]! !== port) return false
  length[0] = 4
  return libc()!.getsockopt(fd, SOL_SOCKET, SO_TYPE, numberPointer, lengthPointer) === 0 && number[0] === SOCK_DGRAM
}

/**
 * Makes the socket deaf to ICMP. The runtime asks for such errors, takes one for a full queue and then sends nothing to anybody for a second: every client that closes
 * its port without a word would hold up all others.
 */
export function ignoreIcmp(fd: number): void {
  if (fd < 0) return
  setNumber(fd, IPPROTO_IP, IP_RECVERR, 0)
  setNumber(fd, IPPROTO_IPV6, IPV6_RECVERR, 0)
}

/** Where the runtime should bind, so that the socket has the right family and can be bound again. */
export function interimAddress(host: string): string {
  return host === "" || host.includes(":") ? "[::]:0" : "0.0.0.0:0"
}

export interface RebindOptions {
  reusePort: boolean
  /** Octets that the kernel keeps for us, each way; it caps them at net.core.rmem_max and wmem_max. */
  bufferBytes: number
}

/** Binds a bound UDP socket anew. Answers the port. Throws ListenError. `host` "" = every address, IPv4 and IPv6. */
export function rebind(fd: number, bind: { host: string; port: number }, { reusePort, bufferBytes }: RebindOptions): number {
  const isSix = bind.host === "" || bind.host.includes(":")
  // AF_UNSPEC: a socket whose port was the system's choice gives it back (udp(7), connect(2)).
  address.fill(0)
  check(libc()!.connect(fd, addressPointer, 16), bind)
  if (isSix) setNumber(fd, IPPROTO_IPV6, IPV6_V6ONLY, bind.host === "" ? 0 : 1)
  if (reusePort) setNumber(fd, SOL_SOCKET, SO_REUSEPORT, 1)
  if (bufferBytes > 0) {
    setNumber(fd, SOL_SOCKET, SO_RCVBUF, bufferBytes)
    setNumber(fd, SOL_SOCKET, SO_SNDBUF, bufferBytes)
  }
  const size = writeSocketAddress(bind.host === "" ? "::" : bind.host, bind.port)
  if (size === 0) throw new ListenError(bind, "EINVAL")
  check(libc()!.bind(fd, addressPointer, size), bind)
  length[0] = address.length
  check(libc()!.getsockname(fd, addressPointer, lengthPointer), bind)
  return address[2]! * 256 + address[3]!
}

function check(result: number, bind: Address): void {
  if (result === 0) return
  const error = read.i32(libc()!.__errno_location()!, 0)
  throw new ListenError(bind, error === EINVAL ? "EINVAL" : getSystemErrorName(-error))
}

function setNumber(fd: number, level: number, option: number, value: number): void {
  number[0] = value
  libc()!.setsockopt(fd, level, option, numberPointer, 4)
}

/** Fills `address`; answers the length, 0 when the text is no address. */
function writeSocketAddress(host: string, port: number): number {
  address.fill(0)
  const octets = writeIp(host, address, 8)
  if (octets === 0) return 0
  if (octets === 4) address.copyWithin(4, 8, 12)
  address[0] = octets === 4 ? AF_INET : AF_INET6
  address[2] = port >>> 8
  address[3] = port
  if (octets === 4) address.fill(0, 8, 16)
  return octets === 4 ? 16 : 28
}

// Instructions of the classic packet filter (bpf(4)); loads from NET on are from the network header.
export const BPF = {
  NET: 0xfff00000,
  LD_W: 0x20,
  LD_H: 0x28,
  LD_B: 0x30,
  LD_M: 0x60,
  ST: 0x02,
  RSH: 0x74,
  MUL: 0x24,
  MOD: 0x94,
  XOR_X: 0xac,
  TAX: 0x07,
  JA: 0x05,
  JEQ: 0x15,
  JGT: 0x25,
  RET: 0x06,
  RET_A: 0x16,
} as const

export type FilterProgram = readonly (readonly [operation: number, whenTrue: number, whenFalse: number, value: number])[]

const HASH = 0x9e3779b1

/**
 * Lets the client's address alone decide which of `sockets` sharing sockets a packet goes to: IPv4 whole, IPv6 by its network of 64 bits. A client whose port changes
 * (a NAT forgot it) then stays where its connection is. Set on one, it holds for all who share the port.
 */
export function steerByAddress(fd: number, sockets: number): boolean {
  const { NET, LD_B, LD_W, RSH, JEQ, JA, TAX, XOR_X, MUL, MOD, RET_A } = BPF
  return attach(fd, SO_ATTACH_REUSEPORT_CBPF, [
    [LD_B, 0, 0, NET],
    [RSH, 0, 0, 4],
    [JEQ, 0, 2, 4],
    [LD_W, 0, 0, NET + 12],
    [JA, 0, 0, 4],
    [LD_W, 0, 0, NET + 8],
    [TAX, 0, 0, 0],
    [LD_W, 0, 0, NET + 12],
    [XOR_X, 0, 0, 0],
    [MUL, 0, 0, HASH],
    [RSH, 0, 0, 16],
    [MOD, 0, 0, sockets],
    [RET_A, 0, 0, 0],
  ])
}

/** Lets a program decide which packets the socket gets; null = all. Loads begin at the UDP header. */
export function setFilter(fd: number, program: FilterProgram | null): void {
  if (libc() === null) return
  if (program === null) setNumber(fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
  else attach(fd, SO_ATTACH_FILTER, program)
}

function attach(fd: number, option: number, program: FilterProgram): boolean {
  const code = new DataView(new ArrayBuffer(program.length * 8))
  for (const [i, [operation, whenTrue, whenFalse, value]] of program.entries()) {
    code.setUint16(i * 8, operation, true)
    code.setUint8(i * 8 + 2, whenTrue)
    code.setUint8(i * 8 + 3, whenFalse)
    code.setUint32(i * 8 + 4, value, true)
  }
  const filter = new DataView(new ArrayBuffer(16))
  filter.setUint16(0, program.length, true)
  filter.setBigUint64(8, BigInt(ptr(new Uint8Array(code.buffer))), true)
  return libc()!.setsockopt(fd, SOL_SOCKET, option, ptr(new Uint8Array(filter.buffer)), 16) === 0
}
