// HOT

/** Pieces of this size are kept for the next one who needs one; smaller remainders get a buffer of their own size. */
const SLAB_BYTES = 128 * 1024
const SMALL_BYTES = 16 * 1024
/** At most 8 MB lie idle. */
const FREE_MAX = 64

const free: Buffer[] = []

/**
 * Octets that a socket did not take, in the order in which they must leave. They are copied: who gave them may use their memory again, and
 * a few slow readers do not keep large buffers of the runtime from being collected.
 */
export class Backlog {
  private readonly pieces: Buffer[] = []
  private first = 0
  /** Octets of the first piece that have left. */
  private sent = 0

  /** What should leave next, or null when nothing waits. */
  get next(): Uint8Array | null {
    const piece = this.pieces[this.first]
    if (piece === undefined) return null
    return this.sent === 0 ? piece : piece.subarray(this.sent)
  }

  add(bytes: Uint8Array, from: number): void {
    for (let at = from; at < bytes.length; at += SLAB_BYTES) this.pieces.push(copyOf(bytes, at, Math.min(bytes.length, at + SLAB_BYTES)))
  }

  /** `count` octets of `next` have left. */
  take(count: number): void {
    const piece = this.pieces[this.first]!
    this.sent += count
    if (this.sent < piece.length) return
    this.sent = 0
    this.first++
    giveBack(piece)
    if (this.first === this.pieces.length) {
      this.pieces.length = 0
      this.first = 0
    } else if (this.first >= 32) {
      this.pieces.splice(0, this.first)
      this.first = 0
    }
  }

  /** All of it as one piece that belongs to the caller. */
  takeAll(): Uint8Array | null {
    const next = this.next
    if (next === null) return null
    const left: Uint8Array[] = [next]
    for (let at = this.first + 1; at < this.pieces.length; at++) left.push(this.pieces[at]!)
    const all = Buffer.concat(left)
    this.clear()
    return all
  }

  clear(): void {
    for (let at = this.first; at < this.pieces.length; at++) giveBack(this.pieces[at]!)
    this.pieces.length = 0
    this.first = 0
    this.sent = 0
  }
}

function copyOf(bytes: Uint8Array, from: number, to: number): Buffer {
  const length = to - from
  const slab = length <= SMALL_BYTES ? Buffer.allocUnsafeSlow(length) : (free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES))
  slab.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), 0)
  return length === slab.length ? slab : slab.subarray(0, length)
}

function giveBack(piece: Buffer): void {
  if (piece.buffer.byteLength === SLAB_BYTES && free.length < FREE_MAX) free.push(piece.length === SLAB_BYTES ? piece : Buffer.from(piece.buffer))
}
