// HOT

/** Pieces below this are put together: one octet in a buffer of its own costs a hundred. */
const SMALL_BYTES = 2048
const SLAB_BYTES = 4096

/** What came while nobody could take it, copied: a small piece would hold the whole of what was read with it. */
export class Stash {
  private readonly pieces: Buffer[] = []
  /** Octets of the last piece that are still free. */
  private room = 0

  get empty(): boolean {
    return this.pieces.length === 0
  }

  add(chunk: Uint8Array): void {
    const count = chunk.length
    if (count <= this.room) {
      const last = this.pieces[this.pieces.length - 1]!
      last.set(chunk, last.length - this.room)
      this.room -= count
      return
    }
    this.seal()
    const piece = Buffer.allocUnsafeSlow(count < SMALL_BYTES ? SLAB_BYTES : count)
    piece.set(chunk, 0)
    this.pieces.push(piece)
    this.room = piece.length - count
  }

  /** The first piece, which is then the caller's. */
  take(): Buffer {
    if (this.pieces.length === 1) this.seal()
    return this.pieces.shift()!
  }

  private seal(): void {
    if (this.room === 0) return
    const last = this.pieces.length - 1
    const whole = this.pieces[last]!
    const used = whole.subarray(0, whole.length - this.room)
    // Who keeps it should not keep a slab for a few octets.
    this.pieces[last] = this.room > used.length ? Buffer.from(used) : used
    this.room = 0
  }
}
