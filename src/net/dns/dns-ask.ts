import { DnsReader } from "../resolve/dns-reader.ts"

// What a client asks of us. Strict: what could be read in two ways, or asks for more than a name, is not answered.

/** RFC 1035 section 4.1.1, RFC 6891 section 9. */
export const RCODE = { ok: 0, formatError: 1, failed: 2, noName: 3, notImplemented: 4, refused: 5 } as const

export const TYPE = { a: 1, ptr: 12, aaaa: 28, opt: 41, ixfr: 251, axfr: 252 } as const

const HEAD_OCTETS = 12
const CLASS_IN = 1
/** What everybody takes over UDP without saying so (RFC 1035 section 4.2.1). */
const PLAIN_UDP_BYTES = 512
/** As much as we send over UDP at the most: it fits every path (RFC 9715). */
const UDP_BYTES_MAX = 1232

/** A question that can be answered. */
export interface DnsAsk {
  readonly id: number
  /** Name in lower case, no final dot; octets that no host name has as \ddd. */
  readonly name: string
  readonly type: number
  /** The question as it came: clients check that its letters come back as they wrote them. */
  readonly question: Uint8Array
  /** The client wants us to look further than our own records (RD). */
  readonly recursion: boolean
  /** It speaks EDNS. */
  readonly edns: boolean
  /** Octets that it takes over UDP. */
  readonly udpBytesMax: number
}

/** A message that is answered with a code alone. */
export interface DnsRefusal {
  readonly id: number
  readonly opcode: number
  readonly rcode: number
}

/** Reads a message from a client. null = it is no query at all, and must not be answered: two servers would talk for ever. */
export function readAsk(bytes: Uint8Array): DnsAsk | DnsRefusal | null {
  if (bytes.length < HEAD_OCTETS) return null
  const id = bytes[0]! * 256 + bytes[1]!
  const flags = bytes[2]! * 256 + bytes[3]!
  if ((flags & 0x8000) !== 0) return null
  const opcode = (flags >>> 11) & 15
  const refusal = (rcode: number): DnsRefusal => ({ id, opcode, rcode })
  if (opcode !== 0) return refusal(RCODE.notImplemented)
  const counts = [4, 6, 8, 10].map(at => bytes[at]! * 256 + bytes[at + 1]!)
  if (counts[0] !== 1 || counts[1] !== 0 || counts[2] !== 0 || counts[3]! > 1 || (flags & 0x0200) !== 0) return refusal(RCODE.formatError)
  const reader = new DnsReader(bytes)
  reader.skip(HEAD_OCTETS)
  const name = reader.name(false)
  const type = reader.uint16()
  const internet = reader.uint16() === CLASS_IN
  const question = bytes.slice(HEAD_OCTETS, reader.at)
  const udpBytesMax = counts[3] === 1 ? readOptions(reader) : PLAIN_UDP_BYTES
  if (reader.fault !== "" || reader.at !== bytes.length) return refusal(RCODE.formatError)
  // Transfers of whole zones, and of classes that nobody has.
  if (!internet || type === TYPE.axfr || type === TYPE.ixfr) return refusal(RCODE.refused)
  return { id, name, type, question, recursion: (flags & 0x0100) !== 0, edns: counts[3] === 1, udpBytesMax }
}

/** The one additional record that is understood is OPT, version 0 (RFC 6891 section 6.1); its options are of no interest. Answers the size that it gives. */
function readOptions(reader: DnsReader): number {
  if (reader.name(false) !== "") reader.fail("OPT belongs to the root")
  if (reader.uint16() !== TYPE.opt) reader.fail("an additional record that is not OPT")
  const size = reader.uint16()
  reader.skip(1)
  if (reader.uint8() !== 0) reader.fail("a version of EDNS that does not exist")
  reader.skip(2)
  reader.skip(reader.uint16())
  return Math.min(UDP_BYTES_MAX, Math.max(PLAIN_UDP_BYTES, size))
}
