import { type DnsAsk, type DnsRefusal, RCODE, TYPE } from "./dns-ask.ts"
import { relayedReply } from "./relayed-reply.ts"

const TYPE_SOA = 6
const CLASS_IN = 1
const UDP_PAYLOAD_OCTETS = 1232
/** Records of one answer; more do not help anybody. */
const RECORDS_MAX = 32
/** The name of the question, which stands behind the head. */
const QUESTION_NAME = [0xc0, 12]

/** A record for the name that was asked for. */
export interface ReplyRecord {
  readonly type: number
  /** Seconds. */
  readonly ttl: number
  readonly data: Uint8Array
}

export interface DnsReply {
  readonly rcode: number
  readonly records: readonly ReplyRecord[]
  /** Seconds for which it may be remembered that there are no records; 0 = it says nothing of that. */
  readonly negativeTtl: number
  /** What another server has answered, in the place of all that. */
  readonly relayed?: Uint8Array
}

/** The octets of a reply. `bytesMax`: what the client takes; a longer one says that it is cut, and leaves the records out (RFC 2181 section 9). */
export function writeReply(ask: DnsAsk, reply: DnsReply, bytesMax: number): Uint8Array {
  if (reply.relayed !== undefined) return relayedReply(ask, reply.relayed, bytesMax) ?? writeReply(ask, nothingFound(RCODE.failed), bytesMax)
  const records = reply.records.slice(0, RECORDS_MAX)
  const soa = records.length === 0 && reply.negativeTtl > 0
  const octets = head(ask.id, 0x8000 | (ask.recursion ? 0x0100 : 0) | 0x0080 | reply.rcode, [1, records.length, soa ? 1 : 0, ask.edns ? 1 : 0])
  octets.push(...ask.question)
  for (const { type, ttl, data } of records) pushRecord(octets, { type, ttl, data })
  if (soa) pushRecord(octets, { type: TYPE_SOA, ttl: reply.negativeTtl, data: soaData(reply.negativeTtl) })
  if (ask.edns) octets.push(0, 0, TYPE.opt, UDP_PAYLOAD_OCTETS >>> 8, UDP_PAYLOAD_OCTETS & 255, 0, 0, 0, 0, 0, 0)
  if (octets.length <= bytesMax) return Uint8Array.from(octets)
  const cut = head(ask.id, 0x8280 | (ask.recursion ? 0x0100 : 0) | reply.rcode, [1, 0, 0, 0])
  cut.push(...ask.question)
  return Uint8Array.from(cut)
}

/** A head alone: the question could not be read, or must not be asked. */
export function writeRefusal({ id, opcode, rcode }: DnsRefusal): Uint8Array {
  return Uint8Array.from(head(id, 0x8000 | (opcode << 11) | rcode, [0, 0, 0, 0]))
}

export function nothingFound(rcode: number = RCODE.ok, negativeTtl = 0): DnsReply {
  return { rcode, records: [], negativeTtl }
}

function head(id: number, flags: number, counts: readonly number[]): number[] {
  return [id, flags, ...counts].flatMap(word => [word >>> 8, word & 255])
}

function pushRecord(octets: number[], { type, ttl, data }: ReplyRecord): void {
  octets.push(...QUESTION_NAME, type >>> 8, type & 255, 0, CLASS_IN)
  octets.push((ttl >>> 24) & 255, (ttl >>> 16) & 255, (ttl >>> 8) & 255, ttl & 255, data.length >>> 8, data.length & 255)
  octets.push(...data)
}

/** Names of the root stand for a zone of which nobody else knows; only the last number says anything (RFC 2308 section 3). */
function soaData(minimum: number): Uint8Array {
  const numbers = [1, 3600, 600, 86_400, minimum].flatMap(word => [(word >>> 24) & 255, (word >>> 16) & 255, (word >>> 8) & 255, word & 255])
  return Uint8Array.from([0, 0, ...numbers])
}

/** A host name as a record's data has it (RFC 1035 section 3.1). */
export function nameData(name: string): Uint8Array {
  const labels = name === "" ? [] : name.split(".")
  return Uint8Array.from([...labels.flatMap(label => [label.length, ...Buffer.from(label, "latin1")]), 0])
}
