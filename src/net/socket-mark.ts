import { type Pointer, ptr } from "bun:ffi"
import { openLibc } from "./open-libc.ts"
import { findUdpSocket, nextDescriptor } from "./quic/udp-port.ts"

const symbols = openLibc({ setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" } } as const)
const SOL_SOCKET = 1
const SO_MARK = 36

const value = new Uint32Array(new ArrayBuffer(4))
const pointer: Pointer = ptr(value)

/** Sockets that this thread opens from now on bear this mark (SO_MARK, socket(7)), by which rules of the system tell them; 0 = none. */
export function setSocketMark(mark: number): void {
  value[0] = mark
}

/** Marks a socket before it connects. Without CAP_NET_ADMIN the system refuses, and the socket stays as it is. */
export function markSocket(fd: number): void {
  if (value[0] !== 0 && symbols !== null) symbols.setsockopt(fd, SOL_SOCKET, SO_MARK, pointer, 4)
}

/** The same for a UDP socket of the runtime, which is found by its port: it does not tell its descriptor. */
export function markUdpSocket(port: number): void {
  if (value[0] === 0 || symbols === null) return
  const fd = findUdpSocket(port, nextDescriptor() - 1)
  if (fd >= 0) markSocket(fd)
}
