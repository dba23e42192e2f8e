// HOT
/** Capsule types (RFC 9297 section 5.4). */
const DATAGRAM = 0
/** Octets of a UDP payload (RFC 9298 section 5). */
export const UDP_PAYLOAD_BYTES_MAX = 65_527
/** The value of a DATAGRAM capsule: a context id in front of the payload. */
const VALUE_BYTES_MAX = UDP_PAYLOAD_BYTES_MAX + 8
/** A type and a length, eight octets each. */
const HEAD_BYTES_MAX = 16
const FIRST_PIECE = 2048

/** Octets of the variable-length integer that begins with `first` (RFC 9000 section 16). */
export function varintOctets(first: number): number {
  return 1 << (first >>> 6)
}

/** Reads such an integer, which must be there whole; over 2^53 it is only about right. */
export function readVarint(octets: Uint8Array, at: number): number {
  const end = at + varintOctets(octets[at]!)
  let value = octets[at]! & 0x3f
  for (let i = at + 1; i < end; i++) value = value * 256 + octets[i]!
  return value
}

/** Told what a stream of capsules holds. */
export interface CapsuleReceiver {
  /** The value of a DATAGRAM capsule, lent for this call. */
  onDatagramCapsule(value: Uint8Array): void
  /** Octets of other capsules, heads included, as they come; lent. */
  onOtherCapsule(octets: Uint8Array): void
}

/**
 * Reads capsules (RFC 9297 section 3.2). Keeps no more than one DATAGRAM capsule; others go by as they come. A capsule of another type may be of any length up
 * to 2^53, a DATAGRAM capsule has the longest UDP payload.
 */
export class CapsuleReader {
  private readonly receiver: CapsuleReceiver
  private readonly head: Uint8Array = new Uint8Array(HEAD_BYTES_MAX)
  private headOctets = 0
  /** Octets of the value that have not come; -1 = the head is not whole. */
  private left = -1
  private isDatagram = false
  /** What has come of a value that is not whole. */
  private value: Uint8Array | null = null
  private kept = 0
  private broken = false

  constructor(receiver: CapsuleReceiver) {
    this.receiver = receiver
  }

  /** Between two capsules. */
  get isWhole(): boolean {
    return this.left < 0 && this.headOctets === 0
  }

  /** In the middle of a capsule whose octets go by as they come. */
  get isPassing(): boolean {
    return this.left >= 0 && !this.isDatagram
  }

  /** What comes from now on is not looked at: to be called from the receiver. */
  stop(): void {
    this.broken = true
    this.value = null
  }

  /** Takes the next octets. False = they are no capsules; nothing more may follow. */
  push(chunk: Uint8Array): boolean {
    let at = 0
    while (!this.broken && at < chunk.length) {
      if (this.left < 0) at = this.readHead(chunk, at)
      else if (this.isDatagram) at = this.readDatagram(chunk, at)
      else at = this.passOn(chunk, at)
    }
    return !this.broken
  }

  private readHead(chunk: Uint8Array, from: number): number {
    const { head } = this
    let at = from
    while (at < chunk.length) {
      head[this.headOctets++] = chunk[at++]!
      const typeOctets = varintOctets(head[0]!)
      if (this.headOctets > typeOctets && this.headOctets === typeOctets + varintOctets(head[typeOctets]!)) {
        this.begin(readVarint(head, 0), readVarint(head, typeOctets))
        return at
      }
    }
    return at
  }

  private begin(type: number, length: number): void {
    const octets = this.headOctets
    this.headOctets = 0
    this.isDatagram = type === DATAGRAM
    if (this.isDatagram ? length > VALUE_BYTES_MAX : length > Number.MAX_SAFE_INTEGER) {
      this.stop()
      return
    }
    this.left = length
    if (!this.isDatagram) this.receiver.onOtherCapsule(this.head.subarray(0, octets))
    if (length === 0) this.end(this.head.subarray(0, 0))
  }

  private passOn(chunk: Uint8Array, at: number): number {
    const take = Math.min(this.left, chunk.length - at)
    this.left -= take
    this.receiver.onOtherCapsule(chunk.subarray(at, at + take))
    if (this.left === 0) this.left = -1
    return at + take
  }

  private readDatagram(chunk: Uint8Array, at: number): number {
    const { left } = this
    const there = chunk.length - at
    if (this.value === null && there >= left) {
      this.end(chunk.subarray(at, at + left))
      return at + left
    }
    const take = Math.min(left, there)
    this.keep(chunk.subarray(at, at + take))
    if (take === left) this.end(this.value!.subarray(0, this.kept))
    return at + take
  }

  /** Memory follows what has come, not what was promised. */
  private keep(part: Uint8Array): void {
    const need = this.kept + part.length
    const size = this.kept + this.left
    if (this.value === null || this.value.length < need) {
      const larger = new Uint8Array(Math.min(size, Math.max(FIRST_PIECE, need * 2)))
      if (this.value !== null) larger.set(this.value.subarray(0, this.kept))
      this.value = larger
    }
    this.value.set(part, this.kept)
    this.kept = need
    this.left -= part.length
  }

  private end(value: Uint8Array): void {
    this.left = -1
    this.value = null
    this.kept = 0
    if (this.isDatagram) this.receiver.onDatagramCapsule(value)
  }
}

const out = new Uint8Array(HEAD_BYTES_MAX + VALUE_BYTES_MAX)

/** A DATAGRAM capsule with this value. The memory is good until the next call; `value` may lie in that of the call before. */
export function datagramCapsule(value: Uint8Array): Uint8Array {
  return capsuleOf(value, 0)
}

/** The same with context id 0 in front of the payload: a UDP datagram (RFC 9298 section 5). */
export function udpCapsule(payload: Uint8Array): Uint8Array {
  return capsuleOf(payload, 1)
}

function capsuleOf(octets: Uint8Array, contextOctets: number): Uint8Array {
  const length = octets.length + contextOctets
  const lengthOctets = length < 64 ? 1 : length < 16_384 ? 2 : 4
  const at = 1 + lengthOctets + contextOctets
  // First, since it may have to make room for the head.
  out.set(octets, at)
  out[0] = DATAGRAM
  if (lengthOctets === 1) out[1] = length
  else if (lengthOctets === 2) {
    out[1] = 0x40 | (length >>> 8)
    out[2] = length
  } else {
    out[1] = 0x80
    out[2] = length >>> 16
    out[3] = length >>> 8
    out[4] = length
  }
  if (contextOctets === 1) out[at - 1] = 0
  return out.subarray(0, at + octets.length)
}
