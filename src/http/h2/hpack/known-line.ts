// HOT
/**
 * Lines that came before, on whichever connection, with what an encoder needs to send them. Two generations, so that one-time lines push out each other:
 *
 *   young: | line ─> KnownLine | …     full: becomes old, and the old one goes
 *   old:   | line ─> KnownLine | …     found here: back among the young
 */
import { HTAB, listHas, SP } from "../../grammar.ts"
import { ENTRY_OVERHEAD } from "./entry.ts"
import { encodeHuffman, huffmanLength } from "./huffman-encode.ts"
import { FORM, writeInteger } from "./integer.ts"
import { DROPPED, type KnownName, knownName, ownText, TE } from "./known-name.ts"
import { staticLineIndex } from "./static-table.ts"

/** Size of a field (RFC 7541 section 4.1) that may enter a table: a quarter of the largest one. */
export const KEPT_BYTES_MAX = 1024
const LINES_MAX = 256

export class KnownLine {
  /** As it is written, with CR LF. */
  readonly raw: string
  readonly name: KnownName
  /** Without blanks around it. */
  readonly value: string
  readonly size: number
  /** Index of name and value in the static table, or 0. */
  readonly staticIndex: number
  readonly dropped: boolean
  /** It came before, so it will come again. */
  repeats = false
  /** The field in the form that enters the table; made when it is needed. */
  private octets: Uint8Array | null = null

  constructor(raw: string, name: KnownName, value: string) {
    this.raw = raw
    this.name = name
    this.dropped = name.treatment === DROPPED || (name.treatment === TE && !listHas(value, "trailers"))
    this.value = name.treatment === TE ? "trailers" : value
    this.size = name.lower.length + this.value.length + ENTRY_OVERHEAD
    this.staticIndex = staticLineIndex(`${name.lower}: ${this.value}\r\n`)
  }

  writeInserted(out: Uint8Array, at: number): number {
    this.octets ??= insertedOctets(this.name, this.value)
    out.set(this.octets, at)
    return at + this.octets.length
  }
}

let young = new Map<string, KnownLine>()
let old = new Map<string, KnownLine>()

/** What is known of the line `raw`; its name ends at the first colon behind its first character. Its size must be such that it may be kept. */
export function knownLine(raw: string): KnownLine {
  let line = young.get(raw)
  if (line !== undefined) {
    line.repeats = true
    return line
  }
  line = old.get(raw)
  if (line === undefined) line = lineOf(ownText(raw))
  else line.repeats = true
  if (young.size >= LINES_MAX) {
    old = young
    young = new Map()
  }
  young.set(line.raw, line)
  return line
}

function lineOf(raw: string): KnownLine {
  const colon = raw.indexOf(":", 1)
  return new KnownLine(raw, knownName(raw.substring(0, colon)), trimmed(raw, colon + 1, raw.length - 2))
}

/** text[start, end) without the blanks at its ends. */
export function trimmed(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.substring(start, end)
}

function isBlank(code: number): boolean {
  return code === SP || code === HTAB
}

function insertedOctets(name: KnownName, value: string): Uint8Array {
  const octets = new Uint8Array(name.lower.length + value.length + 16)
  let at = writeInteger(octets, 0, FORM.inserted, name.staticIndex)
  if (name.staticIndex === 0) at = writeShortest(octets, at, name.lower)
  return octets.slice(0, writeShortest(octets, at, value))
}

/** A string literal (RFC 7541 section 5.2), in Huffman code where that is shorter. */
function writeShortest(out: Uint8Array, at: number, text: string): number {
  const length = huffmanLength(text)
  if (length < text.length) return encodeHuffman(text, out, writeInteger(out, at, FORM.huffmanText, length))
  at = writeInteger(out, at, FORM.text, text.length)
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i)
  return at
}
