import { type Pointer, ptr } from "bun:ffi"
import { formatIp } from "../base/index.ts"
import type { ConnectionInfo } from "./connection-info.ts"
import { plainAddress, WireInfo } from "./connection-info.ts"
import type { NativeWire } from "./dispatch.ts"
import { isOwnDial } from "./own-dials.ts"
import { openLibc } from "./open-libc.ts"
import type { Wire } from "./wire.ts"

// Connections that the system brought here although their clients called somebody else (nftables' redirect and tproxy). Linux only.
const SYMBOLS = {
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
} as const

// linux/netfilter_ipv4.h, netfilter_ipv6/ip6_tables.h; ip(7), ipv6(7).
const SOL_IP = 0
const SO_ORIGINAL_DST = 80
const IP_TRANSPARENT = 19
const SOL_IPV6 = 41
const IP6T_SO_ORIGINAL_DST = 80

const symbols = openLibc(SYMBOLS)
// Made with buffers of their own, which stay where they are (see libc.ts). struct sockaddr_in6 is 28 octets, sockaddr_in 16.
const address = new Uint8Array(new ArrayBuffer(28))
const addressPointer: Pointer = ptr(address)
const number = new Int32Array(new ArrayBuffer(4))
const numberPointer: Pointer = ptr(number)

/** How connections are brought to a listener. */
export type CaptureMode = "redirect" | "tproxy"

/** A connection whose client called somebody else: `localAddress` and `localPort` are whom it called. */
export class CapturedInfo extends WireInfo {}

/**
 * What is known of a connection that nftables brought here: with `tproxy` the socket's own address is the one that was called, with `redirect` the system
 * remembers it. null = there is nobody to bring it to: it was made to this listener itself, or by this process.
 */
export function capturedInfo(wire: Wire, info: ConnectionInfo, mode: CaptureMode): ConnectionInfo | null {
  if (isOwnDial(info.remoteAddress, info.remotePort)) return null
  const native = wire as NativeWire
  if (mode === "tproxy") return new CapturedInfo(native, false, null, { address: info.localAddress, port: info.localPort })
  const destination = originalDestination(native.fd, plainAddress(wire.localAddress).includes(":"))
  if (destination === null) return null
  const isOurs = destination.port === info.localPort && destination.address === info.localAddress
  return isOurs ? null : new CapturedInfo(native, false, null, destination)
}

function originalDestination(fd: number, six: boolean): { address: string; port: number } | null {
  if (symbols === null || fd < 0) return null
  number[0] = address.length
  const failed = six
    ? symbols.getsockopt(fd, SOL_IPV6, IP6T_SO_ORIGINAL_DST, addressPointer, numberPointer)
    : symbols.getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, addressPointer, numberPointer)
  if (failed !== 0) return null
  return { address: six ? plainAddress(formatIp(address, 8, 16)) : formatIp(address, 4, 4), port: address[2]! * 256 + address[3]! }
}

/** Lets a listening socket take connections to addresses that are not this machine's. False = the system does not allow it: it takes CAP_NET_ADMIN. */
export function makeTransparent(fd: number): boolean {
  if (symbols === null || fd < 0) return false
  number[0] = 1
  // One bit for both families, also on a socket of IPv6.
  return symbols.setsockopt(fd, SOL_IP, IP_TRANSPARENT, numberPointer, 4) === 0
}
