import { formatIp, writeIp } from "../../base/index.ts"
import { crc32c } from "./crc32c.ts"
import { type Endpoint, SIGNATURE_V2 } from "./preface.ts"

const PORTS_OCTETS = 4
const UNIX_PATH_OCTETS = 108
const CRC_TLV_OCTETS = 7

/** An address in octets; `octets` 0 = it is no address literal. */
interface Octets {
  readonly bytes: Uint8Array
  readonly octets: 0 | 4 | 16
}

/**
 * The PROXY protocol header to send ahead of a connection on behalf of `source`, who connected to `destination`. Null for either = the connection is our own,
 * as a health check's is: LOCAL in version 2, UNKNOWN in version 1. Unix sockets are written as `Endpoint` says; version 1 has no form for them.
 */
export function encodePreface(version: "v1" | "v2", source: Endpoint | null, destination: Endpoint | null): Uint8Array {
  return version === "v1" ? encodePrefaceV1(source, destination) : encodePrefaceV2(source, destination)
}

/** Version 1, one line of text. */
export function encodePrefaceV1(source: Endpoint | null, destination: Endpoint | null): Uint8Array {
  return Buffer.from(source === null || destination === null ? "PROXY UNKNOWN\r\n" : lineOf(source, destination), "latin1")
}

function lineOf(source: Endpoint, destination: Endpoint): string {
  const from = toOctets(source.address)
  const to = toOctets(destination.address)
  if (from.octets === 0 || to.octets === 0) return "PROXY UNKNOWN\r\n"
  const wide = from.octets === 16 || to.octets === 16
  return `PROXY ${wide ? "TCP6" : "TCP4"} ${addressText(from, wide)} ${addressText(to, wide)} ${source.port} ${destination.port}\r\n`
}

/** Version 2. `checksum` adds a CRC-32C, for receivers that want it; default false. */
export function encodePrefaceV2(source: Endpoint | null, destination: Endpoint | null, checksum = false): Uint8Array {
  if (source === null || destination === null) return header(0x20, 0, new Uint8Array(0), checksum)
  if (source.address.startsWith("unix:") || destination.address.startsWith("unix:"))
    return header(0x21, 0x31, unixBlock(source, destination), checksum)
  const from = toOctets(source.address)
  const to = toOctets(destination.address)
  if (from.octets === 0 || to.octets === 0) return header(0x20, 0, new Uint8Array(0), checksum)
  const wide = from.octets === 16 || to.octets === 16
  return header(
    0x21,
    wide ? 0x21 : 0x11,
    inetBlock(wide ? widen(from) : from.bytes, wide ? widen(to) : to.bytes, source.port, destination.port),
    checksum,
  )
}

function inetBlock(from: Uint8Array, to: Uint8Array, fromPort: number, toPort: number): Uint8Array {
  const block = new Uint8Array(from.length * 2 + PORTS_OCTETS)
  block.set(from)
  block.set(to, from.length)
  const ports = new DataView(block.buffer, from.length * 2)
  ports.setUint16(0, fromPort)
  ports.setUint16(2, toPort)
  return block
}

/** Paths that are too long are cut, an end that is no Unix socket has none. */
function unixBlock(source: Endpoint, destination: Endpoint): Uint8Array {
  const block = new Uint8Array(2 * UNIX_PATH_OCTETS)
  for (const [side, { address }] of [source, destination].entries()) {
    const path = address.startsWith("unix:") ? Buffer.from(address.slice("unix:".length), "latin1") : new Uint8Array(0)
    block.set(path.subarray(0, UNIX_PATH_OCTETS), side * UNIX_PATH_OCTETS)
  }
  return block
}

function header(command: number, family: number, block: Uint8Array, checksum: boolean): Uint8Array {
  const length = block.length + (checksum ? CRC_TLV_OCTETS : 0)
  const bytes = new Uint8Array(16 + length)
  bytes.set(SIGNATURE_V2)
  bytes.set([command, family, length >>> 8, length & 255], 12)
  bytes.set(block, 16)
  if (!checksum) return bytes
  const tlv = 16 + block.length
  bytes.set([0x03, 0, 4], tlv)
  new DataView(bytes.buffer).setUint32(tlv + 3, crc32c(bytes, tlv + 3))
  return bytes
}

function toOctets(address: string): Octets {
  const bytes = new Uint8Array(16)
  const zone = address.indexOf("%")
  const octets = writeIp(zone < 0 ? address : address.slice(0, zone), bytes, 0)
  return { bytes: bytes.subarray(0, octets), octets }
}

/** An IPv4 address as the IPv4-mapped IPv6 address, for a header that has one of each. */
function widen({ bytes, octets }: Octets): Uint8Array {
  if (octets === 16) return bytes
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytes)
}

/** Version 1 wants groups of hexadecimal digits, so an IPv4-mapped address does not get its dotted quad. */
function addressText(address: Octets, wide: boolean): string {
  const { bytes, octets } = address
  const text = formatIp(bytes, 0, octets as 4 | 16)
  if (!wide || text.includes(":")) return text
  const four = bytes.subarray(octets - 4)
  return `::ffff:${(four[0]! * 256 + four[1]!).toString(16)}:${(four[2]! * 256 + four[3]!).toString(16)}`
}
