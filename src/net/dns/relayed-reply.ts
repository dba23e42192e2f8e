import { DnsReader } from "../resolve/dns-reader.ts"
import { type DnsAsk, TYPE } from "./dns-ask.ts"

const HEAD_OCTETS = 12
const OPT_OCTETS = [0, 0, TYPE.opt, 4, 208, 0, 0, 0, 0, 0, 0]

/**
 * What another server has answered, as an answer to our client: its id, its question as it wrote it, no claim of ours to know better (AA, AD), and EDNS of our own. null = it is no
 * answer to this question, or cannot be read.
 */
export function relayedReply(ask: DnsAsk, message: Uint8Array, bytesMax: number): Uint8Array | null {
  const behind = HEAD_OCTETS + ask.question.length
  if (message.length < behind || !asksTheSame(ask.question, message.subarray(HEAD_OCTETS, behind))) return null
  const sections = readSections(message)
  if (sections === null || sections.counts[0] !== 1) return null
  const { counts, opt, end } = sections
  // The record of EDNS is about the way to that server. It stands last, and nothing points behind it.
  if (opt !== -1 && opt.end !== end) return null
  const records = message.subarray(behind, opt === -1 ? end : opt.start)
  const additional = counts[3]! - (opt === -1 ? 0 : 1) + (ask.edns ? 1 : 0)
  const flags = [0x80 | (ask.recursion ? 1 : 0), 0x80 | (message[3]! & 15)]
  const whole = [ask.id >>> 8, ask.id & 255, ...flags, 0, 1, ...word(counts[1]!), ...word(counts[2]!), ...word(additional), ...ask.question]
  whole.push(...records, ...(ask.edns ? OPT_OCTETS : []))
  if (whole.length <= bytesMax) return Uint8Array.from(whole)
  const cut = [ask.id >>> 8, ask.id & 255, flags[0]! | 2, flags[1]!, 0, 1, 0, 0, 0, 0, 0, 0, ...ask.question]
  return Uint8Array.from(cut)
}

function word(value: number): number[] {
  return [value >>> 8, value & 255]
}

/** Names in either case are the same name. */
function asksTheSame(ours: Uint8Array, theirs: Uint8Array): boolean {
  return ours.every((octet, i) => octet === theirs[i] || (lower(octet) === lower(theirs[i]!) && lower(octet) >= 97 && lower(octet) <= 122))
}

function lower(octet: number): number {
  return octet | 32
}

interface Sections {
  readonly counts: readonly number[]
  readonly opt: { readonly start: number; readonly end: number } | -1
  readonly end: number
}

function readSections(message: Uint8Array): Sections | null {
  const reader = new DnsReader(message)
  reader.skip(4)
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()]
  for (let i = 0; i < counts[0]! && reader.fault === ""; i++) {
    reader.name()
    reader.skip(4)
  }
  let opt: Sections["opt"] = -1
  const records = counts[1]! + counts[2]! + counts[3]!
  for (let i = 0; i < records && reader.fault === ""; i++) {
    const start = reader.at
    reader.name()
    const type = reader.uint16()
    reader.skip(6)
    reader.skip(reader.uint16())
    if (type === TYPE.opt) opt = { start, end: reader.at }
  }
  return reader.fault === "" ? { counts, opt, end: reader.at } : null
}
