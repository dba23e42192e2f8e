/** Names of what was evicted before it was used again: who comes back soon is worth keeping (S3-FIFO's ghost queue). */
export class Ghosts {
  private readonly countMax: number
  private readonly names = new Set<number>()

  constructor(countMax: number) {
    this.countMax = countMax
  }

  add(name: string): void {
    const ghost = ghostOf(name)
    this.names.delete(ghost)
    this.names.add(ghost)
    if (this.names.size <= this.countMax) return
    for (const oldest of this.names) {
      this.names.delete(oldest)
      return
    }
  }

  /** Whether it was there; it is gone now. */
  take(name: string): boolean {
    return this.names.delete(ghostOf(name))
  }
}

/** 48 bits will do: a mistake keeps an entry a little longer. */
function ghostOf(name: string): number {
  return Number.parseInt(name.slice(0, 12), 16)
}
