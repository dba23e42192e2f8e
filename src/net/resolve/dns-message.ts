import { formatIp } from "../../base/index.ts"
import { DnsReader } from "./dns-reader.ts"
import { decodeHttpsRecord, type HttpsRecord } from "./https-record.ts"

/** Record types (IANA DNS parameters) that this resolver reads. */
export const TYPE_A = 1
export const TYPE_CNAME = 5
export const TYPE_SOA = 6
export const TYPE_AAAA = 28
export const TYPE_HTTPS = 65
const TYPE_OPT = 41
const OPTION_PADDING = 12
const OPTION_HEAD = 4
const CLASS_IN = 1

export const RCODE_OK = 0
export const RCODE_FORMAT_ERROR = 1
export const RCODE_NO_NAME = 3
export const RCODE_NOT_IMPLEMENTED = 4

/** What we say we take over UDP: fits every path without fragments (DNS flag day 2020, RFC 9715). */
const UDP_PAYLOAD_OCTETS = 1232

export interface DnsQuestion {
  /** Lower case, no final dot. */
  readonly name: string
  readonly type: number
}

export interface DnsRecord {
  readonly name: string
  readonly type: number
  /** Seconds. */
  readonly ttl: number
  /** Address text of A and AAAA, target of CNAME, else "". */
  readonly value: string
  /** The negative lifetime of SOA (RFC 2308 section 4) in seconds, else 0. */
  readonly minimum: number
  /** What HTTPS says, or how it is malformed; null = another type. */
  readonly https: HttpsRecord | string | null
}

export interface DnsMessage {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionAvailable: boolean
  /** With the upper bits of EDNS (RFC 6891 section 6.1.3). */
  readonly rcode: number
  readonly questions: readonly DnsQuestion[]
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
}

/** A recursive query for one name. `name` is a host name (see `hostNameFault`), with or without the final dot. `paddedTo`: its length becomes a multiple of this (RFC 7830), 0 = as it is. */
export function encodeQuery(id: number, name: string, type: number, edns: boolean, paddedTo = 0): Uint8Array {
  const labels = name.replace(/\.$/, "").split(".")
  const octets = [id >>> 8, id & 255, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, edns ? 1 : 0]
  for (const label of labels) {
    octets.push(label.length)
    for (let i = 0; i < label.length; i++) octets.push(label.charCodeAt(i))
  }
  octets.push(0, type >>> 8, type & 255, 0, CLASS_IN)
  // OPT (RFC 6891 section 6.1.2): root name, type, payload size as class, no flags, no options.
  if (edns) octets.push(0, 0, TYPE_OPT, UDP_PAYLOAD_OCTETS >>> 8, UDP_PAYLOAD_OCTETS & 255, 0, 0, 0, 0, 0, 0)
  if (edns && paddedTo > 0) pad(octets, paddedTo)
  return Uint8Array.from(octets)
}

/** Zeroes as the only option: its code, its length and then itself. */
function pad(octets: number[], to: number): void {
  const bare = octets.length + OPTION_HEAD
  const zeroes = Math.ceil(bare / to) * to - bare
  octets[octets.length - 1] = OPTION_HEAD + zeroes
  octets.push(0, OPTION_PADDING, 0, zeroes)
  for (let i = 0; i < zeroes; i++) octets.push(0)
}

/** Reads a message whole; a text answer says what is wrong with it. Of a truncated message only the questions are read, since the rest may be cut anywhere. */
export function decodeMessage(bytes: Uint8Array): DnsMessage | string {
  const reader = new DnsReader(bytes)
  const id = reader.uint16()
  const flags = reader.uint16()
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()] as const
  const truncated = (flags & 0x0200) !== 0
  const questions = readQuestions(reader, counts[0])
  const answers = truncated ? [] : readRecords(reader, counts[1])
  const authorities = truncated ? [] : readRecords(reader, counts[2])
  const extended = truncated ? 0 : readExtendedRcode(reader, counts[3])
  if (reader.fault !== "") return reader.fault
  return {
    id,
    response: (flags & 0x8000) !== 0,
    opcode: (flags >>> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated,
    recursionAvailable: (flags & 0x0080) !== 0,
    rcode: extended * 16 + (flags & 15),
    questions,
    answers,
    authorities,
  }
}

function readQuestions(reader: DnsReader, count: number): DnsQuestion[] {
  const questions: DnsQuestion[] = []
  for (let i = 0; i < count && reader.fault === ""; i++) {
    const name = reader.name()
    const type = reader.uint16()
    if (reader.uint16() !== CLASS_IN) reader.fail("a question is not of class IN")
    questions.push({ name, type })
  }
  return questions
}

/** The records of class IN; others are passed over. */
function readRecords(reader: DnsReader, count: number): DnsRecord[] {
  const records: DnsRecord[] = []
  for (let i = 0; i < count && reader.fault === ""; i++) {
    const name = reader.name()
    const type = reader.uint16()
    const internet = reader.uint16() === CLASS_IN
    const seconds = reader.uint32()
    const length = reader.uint16()
    const end = reader.at + length
    if (end > reader.bytes.length) reader.fail("a record ends too early")
    const { value, minimum } = internet ? readData(reader, type, length) : nothing
    const https = internet && type === TYPE_HTTPS ? decodeHttpsRecord(reader.bytes.subarray(reader.at, end)) : null
    if (reader.fault === "" && reader.at > end) reader.fail("a record is longer than it says")
    if (reader.fault === "") reader.at = end
    // A lifetime with the top bit set is 0 (RFC 2181 section 8).
    if (internet) records.push({ name, type, ttl: seconds > 0x7fffffff ? 0 : seconds, value, minimum, https })
  }
  return records
}

const nothing = { value: "", minimum: 0 }

function readData(reader: DnsReader, type: number, length: number): { value: string; minimum: number } {
  if (type === TYPE_A) return { value: readAddress(reader, length, 4), minimum: 0 }
  if (type === TYPE_AAAA) return { value: readAddress(reader, length, 16), minimum: 0 }
  if (type === TYPE_CNAME) return { value: reader.name(), minimum: 0 }
  if (type !== TYPE_SOA) return nothing
  reader.name()
  reader.name()
  reader.skip(16)
  return { value: "", minimum: reader.uint32() }
}

function readAddress(reader: DnsReader, length: number, octets: 4 | 16): string {
  const from = reader.at
  if (length !== octets) reader.fail(`an address record has ${length} octets instead of ${octets}`)
  reader.skip(octets)
  return reader.fault === "" ? formatIp(reader.bytes, from, octets) : ""
}

/** The upper eight bits of the response code from OPT, which stands among the additional records; all else there is of no interest. */
function readExtendedRcode(reader: DnsReader, count: number): number {
  let extended = 0
  for (let i = 0; i < count && reader.fault === ""; i++) {
    reader.name()
    const type = reader.uint16()
    reader.skip(2)
    const seconds = reader.uint32()
    reader.skip(reader.uint16())
    if (type === TYPE_OPT) extended = seconds >>> 24
  }
  return extended
}
