import { formatIp } from "../../base/index.ts"
import { crc32c } from "./crc32c.ts"
import { type Endpoint, incomplete, invalid, type Preface, SIGNATURE_V2 } from "./preface.ts"

const HEAD_OCTETS = 16
/** The longest preface that is read. The format would allow 65,551 octets; real ones, even with a client certificate in a TLV, have a few thousand. */
export const prefaceOctetsMax = 16_384

const LOCAL = 0x20
const PROXY = 0x21
const TLV_CRC32C = 0x03
const UNIX_PATH_OCTETS = 108

/** Octets of both addresses by the family's half of octet 13: unspecified, IPv4, IPv6, Unix. */
const addressOctets = [0, 12, 36, 2 * UNIX_PATH_OCTETS] as const
const STREAM = 1
const DATAGRAM = 2

/**
 * Version 2 (section 2.2):
 *
 *   0  signature, 12 octets     12  version 2, command     13  family, transport     14  length of the rest, 16 bits
 *   16  addresses and ports by family, then TLVs: type, length (16 bits), value
 */
export function parsePrefaceV2(chunk: Uint8Array): Preface {
  const seen = Math.min(chunk.length, SIGNATURE_V2.length)
  for (let at = 0; at < seen; at++) if (chunk[at] !== SIGNATURE_V2[at]) return invalid("the signature of version 2 is broken")
  if (chunk.length > 12 && chunk[12] !== LOCAL && chunk[12] !== PROXY)
    return invalid("the version is not 2, or the command is neither LOCAL nor PROXY")
  if (chunk.length < HEAD_OCTETS) return incomplete
  const length = HEAD_OCTETS + chunk[14]! * 256 + chunk[15]!
  if (length > prefaceOctetsMax) return invalid(`the header has more than ${prefaceOctetsMax} octets`)
  const local = chunk[12] === LOCAL
  const fault = local ? null : familyFault(chunk[13]!, length - HEAD_OCTETS)
  if (fault !== null) return invalid(fault)
  if (chunk.length < length) return incomplete
  // The block of LOCAL is to be discarded with its family.
  if (local) return { status: "ok", version: 2, length, source: null, destination: null }
  return readBlock(chunk.subarray(0, length))
}

function familyFault(octet: number, octets: number): string | null {
  const family = octet >> 4
  const transport = octet & 15
  if (octet === 0) return null
  if (family > 3 || transport > DATAGRAM) return "the address family or the transport is unknown"
  if (family === 0 || transport === 0) return null
  return octets < addressOctets[family]! ? "the header is too short for its addresses" : null
}

function readBlock(header: Uint8Array): Preface {
  const family = header[13]! >> 4
  const transport = header[13]! & 15
  const { length } = header
  // An unspecified protocol tells no addresses; what its block holds is not said.
  if (family === 0 || transport === 0) return { status: "ok", version: 2, length, source: null, destination: null }
  const fault = tlvFault(header, HEAD_OCTETS + addressOctets[family]!)
  if (fault !== null) return invalid(fault)
  // A datagram's addresses say nothing of a connection.
  const known = transport === STREAM
  return {
    status: "ok",
    version: 2,
    length,
    source: known ? readEndpoint(header, family, 0) : null,
    destination: known ? readEndpoint(header, family, 1) : null,
  }
}

/** `side` 0 = source, 1 = destination: both addresses come first, then both ports. */
function readEndpoint(header: Uint8Array, family: number, side: 0 | 1): Endpoint {
  if (family === 3) return { address: `unix:${readPath(header, HEAD_OCTETS + side * UNIX_PATH_OCTETS)}`, port: 0 }
  const octets = family === 1 ? 4 : 16
  const portAt = HEAD_OCTETS + 2 * octets + 2 * side
  return { address: formatIp(header, HEAD_OCTETS + side * octets, octets), port: header[portAt]! * 256 + header[portAt + 1]! }
}

/** The path up to its NUL; a leading NUL (a socket without a name, or in Linux's abstract space) gives none. */
function readPath(header: Uint8Array, from: number): string {
  const field = header.subarray(from, from + UNIX_PATH_OCTETS)
  const nul = field.indexOf(0)
  return Buffer.from(nul < 0 ? field : field.subarray(0, nul)).toString("latin1")
}

/** Walks the TLVs: their lengths must fit, and a checksum must be right (section 2.2.3). Nothing else in them is used. */
function tlvFault(header: Uint8Array, from: number): string | null {
  let checked = false
  for (let at = from; at < header.length; ) {
    if (at + 3 > header.length) return "a TLV ends too early"
    const length = header[at + 1]! * 256 + header[at + 2]!
    const value = at + 3
    if (value + length > header.length) return "a TLV ends too early"
    if (header[at] === TLV_CRC32C) {
      if (checked || length !== 4) return "a checksum of the wrong length, or two of them"
      if (crc32c(header, value) !== new DataView(header.buffer, header.byteOffset).getUint32(value)) return "the checksum is wrong"
      checked = true
    }
    at = value + length
  }
  return null
}
