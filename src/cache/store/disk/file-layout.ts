import { crc32 } from "node:zlib"
import { mix32 } from "../../../base/index.ts"

/**
 * What stands in the file of an entry. Numbers are little-endian, keys latin1.
 *
 *      0  magic and version of the form                     8
 *      8  checksum of 12..60 and of the key                 4
 *     12  version of the body, random                       8   (52 bits)
 *     20  octets of the body                                8   (all ones: it grows)
 *     28  octets of key, of group, of a slot, of a block   16
 *     60  mark: 0 or 1                                      1   alone outside of all checksums: it is flipped in place
 *     64  key, then to the next multiple of 8
 *         slot 0: number, checksum, octets of labels, octets of head, labels, head
 *         slot 1: the same; the whole slot with the higher number holds the head. A new head goes into the other one, so that half a write harms nothing.
 *         body: blocks of BLOCK octets, the last one shorter, each followed by its checksum
 *
 * Checksums are CRC-32 with a start value made of the version and the place: a block of another file, or of another place in this one, does not fit.
 */
const MAGIC = Buffer.from("BWdisk\x00\x01", "latin1")
export const FIXED = 64
export const MARK_AT = 60
/** Octets of a block. */
export const BLOCK = 262_144
/** Octets of a checksum behind a block. */
export const CHECK = 4
const SLOT_FIXED = 16
/** A head that comes with a 304 is a little longer at times. */
const SLOT_SPARE = 192
const SLOT_UNIT = 64
export const KEY_BYTES_MAX = 65_536
/** What the size limit counts in. */
export const UNIT = 4096

const TWO32 = 4_294_967_296

export interface EntryFacts {
  readonly key: string
  /** Octets of the key that are the group. */
  readonly groupLength: number
  readonly version: number
  /** -1 = it grows. */
  readonly bodyLength: number
  /** Octets of one of the two slots. */
  readonly slotBytes: number
}

export interface SlotContent {
  readonly number: number
  readonly labels: readonly string[]
  readonly head: Uint8Array
}

/** A version that no other body has, most likely. */
export function newVersion(): number {
  return Math.floor(Math.random() * 0x10_0000) * TWO32 + Math.floor(Math.random() * TWO32)
}

export function slotsStart(facts: EntryFacts): number {
  return (FIXED + facts.key.length + 7) & ~7
}

export function bodyStart(facts: EntryFacts): number {
  return slotsStart(facts) + 2 * facts.slotBytes
}

/** Where a block begins, counted from the begin of the body. */
export function blockStart(index: number): number {
  return index * (BLOCK + CHECK)
}

/** Octets that a body takes in a file, with its checksums. */
export function storedBytes(bodyLength: number): number {
  return bodyLength + CHECK * Math.ceil(bodyLength / BLOCK)
}

/** The other way round: octets of the body among the first `stored` ones. */
export function bodyBytes(stored: number): number {
  const whole = Math.floor(stored / (BLOCK + CHECK))
  return whole * BLOCK + Math.min(BLOCK, stored - blockStart(whole))
}

export function roundUp(octets: number): number {
  return Math.ceil(octets / UNIT) * UNIT
}

/** Start value of the checksum of a block. */
export function blockSeed(version: number, index: number): number {
  return mix32((version >>> 0) ^ mix32(Math.floor(version / TWO32) + index * 0x9e3779b1))
}

/** Octets of labels as they stand in a slot. */
export function encodeLabels(labels: readonly string[]): Buffer {
  return labels.length === 0 ? Buffer.alloc(0) : Buffer.from(JSON.stringify(labels))
}

/** Octets that a slot needs for these, with room for a longer head. */
export function slotBytesFor(labels: Uint8Array, head: Uint8Array): number {
  return Math.ceil((SLOT_FIXED + labels.length + head.length + SLOT_SPARE) / SLOT_UNIT) * SLOT_UNIT
}

export function fitsSlot(facts: EntryFacts, labels: Uint8Array, head: Uint8Array): boolean {
  return SLOT_FIXED + labels.length + head.length <= facts.slotBytes
}

/** All before the slots. */
export function encodeHeader(facts: EntryFacts): Buffer {
  const octets = Buffer.alloc(slotsStart(facts))
  MAGIC.copy(octets, 0)
  octets.writeUInt32LE(facts.version >>> 0, 12)
  octets.writeUInt32LE(Math.floor(facts.version / TWO32), 16)
  octets.writeUInt32LE(facts.bodyLength < 0 ? TWO32 - 1 : facts.bodyLength >>> 0, 20)
  octets.writeUInt32LE(facts.bodyLength < 0 ? TWO32 - 1 : Math.floor(facts.bodyLength / TWO32), 24)
  octets.writeUInt32LE(facts.key.length, 28)
  octets.writeUInt32LE(facts.groupLength, 32)
  octets.writeUInt32LE(facts.slotBytes, 36)
  octets.writeUInt32LE(BLOCK, 40)
  octets.write(facts.key, FIXED, "latin1")
  octets.writeUInt32LE(headerCheck(octets, facts.key.length), 8)
  return octets
}

function headerCheck(octets: Buffer, keyLength: number): number {
  return crc32(octets.subarray(FIXED, FIXED + keyLength), crc32(octets.subarray(12, MARK_AT)))
}

/** One of the two slots, filled up with zeros. */
export function encodeSlot(facts: EntryFacts, place: 0 | 1, number: number, labels: Uint8Array, head: Uint8Array): Buffer {
  const octets = Buffer.alloc(facts.slotBytes)
  octets.writeUInt32LE(number, 0)
  octets.writeUInt32LE(labels.length, 8)
  octets.writeUInt32LE(head.length, 12)
  octets.set(labels, SLOT_FIXED)
  octets.set(head, SLOT_FIXED + labels.length)
  octets.writeUInt32LE(slotCheck(facts, place, octets.subarray(0, SLOT_FIXED + labels.length + head.length)), 4)
  return octets
}

function slotCheck(facts: EntryFacts, place: 0 | 1, used: Buffer): number {
  const start = crc32(used.subarray(0, 4), mix32(blockSeed(facts.version, 0) + 1 + place))
  return crc32(used.subarray(8), start)
}

/** The octets from the begin of a file to its body, as far as `octets` (at least FIXED of them) says; -1 = it is none of ours. */
export function bodyStartOf(octets: Buffer): number {
  if (octets.length < FIXED || MAGIC.compare(octets, 0, MAGIC.length) !== 0) return -1
  const keyLength = octets.readUInt32LE(28)
  const slotBytes = octets.readUInt32LE(36)
  if (keyLength > KEY_BYTES_MAX || slotBytes < SLOT_FIXED || slotBytes > 0x1000_0000) return -1
  return ((FIXED + keyLength + 7) & ~7) + 2 * slotBytes
}

/** What the header says; null = damaged. `octets` reach to the body (see `bodyStartOf`). */
export function decodeHeader(octets: Buffer): EntryFacts | null {
  const start = bodyStartOf(octets)
  if (start < 0 || octets.length < start) return null
  const keyLength = octets.readUInt32LE(28)
  if (octets.readUInt32LE(8) !== headerCheck(octets, keyLength) || octets.readUInt32LE(40) !== BLOCK) return null
  const high = octets.readUInt32LE(24)
  return {
    key: octets.latin1Slice(FIXED, FIXED + keyLength),
    groupLength: octets.readUInt32LE(32),
    version: octets.readUInt32LE(16) * TWO32 + octets.readUInt32LE(12),
    bodyLength: high === TWO32 - 1 ? -1 : high * TWO32 + octets.readUInt32LE(20),
    slotBytes: octets.readUInt32LE(36),
  }
}

export function isMarked(octets: Buffer): boolean {
  return octets[MARK_AT] !== 0
}

/** The slot that counts, and where the next head goes; null = both are damaged. `octets` as for `decodeHeader`. */
export function decodeSlots(facts: EntryFacts, octets: Buffer): (SlotContent & { readonly place: 0 | 1 }) | null {
  const start = slotsStart(facts)
  const first = decodeSlot(facts, 0, octets.subarray(start, start + facts.slotBytes))
  const second = decodeSlot(facts, 1, octets.subarray(start + facts.slotBytes, start + 2 * facts.slotBytes))
  if (first === null || (second !== null && second.number > first.number)) return second === null ? null : { ...second, place: 1 }
  return { ...first, place: 0 }
}

function decodeSlot(facts: EntryFacts, place: 0 | 1, octets: Buffer): SlotContent | null {
  const number = octets.readUInt32LE(0)
  const labelsEnd = SLOT_FIXED + octets.readUInt32LE(8)
  const headEnd = labelsEnd + octets.readUInt32LE(12)
  if (number === 0 || headEnd > octets.length) return null
  if (octets.readUInt32LE(4) !== slotCheck(facts, place, octets.subarray(0, headEnd))) return null
  return { number, labels: decodeLabels(octets.subarray(SLOT_FIXED, labelsEnd)), head: octets.subarray(labelsEnd, headEnd) }
}

function decodeLabels(octets: Buffer): readonly string[] {
  // They passed their checksum, so they are what `encodeLabels` made.
  return octets.length === 0 ? [] : (JSON.parse(octets.toString()) as string[])
}
