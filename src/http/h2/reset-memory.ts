// HOT

const REMEMBERED = 128

/** The streams that we gave up last: the other side may not know yet, and what it has sent meanwhile is no mistake of its (RFC 9113 section 5.4.2). */
export class ResetMemory {
  private ids: Uint32Array | null = null
  private at = 0

  add(id: number): void {
    if (this.ids === null) this.ids = new Uint32Array(REMEMBERED)
    this.ids[this.at] = id
    this.at = (this.at + 1) % REMEMBERED
  }

  has(id: number): boolean {
    return this.ids?.includes(id) ?? false
  }
}
