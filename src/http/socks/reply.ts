// HOT
import { type Fault, FAULT, writeIp } from "../../base/index.ts"

// reply codes of SOCKS 5 (RFC 1928 section 6)
export const SUCCEEDED = 0
export const GENERAL_FAILURE = 1
const NOT_ALLOWED = 2
const HOST_UNREACHABLE = 4
const REFUSED = 5
/** The way takes too long; there is no better word for it. */
const TTL_EXPIRED = 6
export const NO_SUCH_COMMAND = 7

// reply codes of SOCKS 4
const GRANTED = 0x5a
const REJECTED = 0x5b

/** What a SOCKS 5 client is told when its exchange ended with this answer: the fault's own word, or what the status of somebody's answer comes down to. */
export function replyCode(fault: Fault | null, status: number): number {
  if (fault === FAULT.connectRefused) return REFUSED
  if (fault === FAULT.connectTimeout || fault === FAULT.requestTimeout) return TTL_EXPIRED
  if (fault === FAULT.resolveFailed || fault === FAULT.connectFailed) return HOST_UNREACHABLE
  if (fault === FAULT.socksCommand) return NO_SUCH_COMMAND
  if (fault === FAULT.loop || fault === FAULT.noRoute) return NOT_ALLOWED
  if (fault !== null && fault.status === 400) return GENERAL_FAILURE
  // A page in place of a tunnel is somebody's no.
  return status < 500 && status !== 408 ? NOT_ALLOWED : status === 504 ? TTL_EXPIRED : GENERAL_FAILURE
}

const octets = Buffer.alloc(16)

/** A reply, one character an octet. `address` is a literal; "" = there is none to tell. */
export function replyText(version: number, code: number, address: string, port: number): string {
  const length = address === "" ? 4 : writeIp(address, octets, 0)
  if (address === "") octets.fill(0, 0, 4)
  const ending = String.fromCharCode(port >>> 8, port & 255)
  if (version === 4) {
    const word = code === SUCCEEDED ? GRANTED : REJECTED
    return `\0${String.fromCharCode(word)}${ending}${length === 4 ? octets.latin1Slice(0, 4) : "\0\0\0\0"}`
  }
  return `\x05${String.fromCharCode(code)}\0${length === 16 ? "\x04" : "\x01"}${octets.latin1Slice(0, length === 16 ? 16 : 4)}${ending}`
}
