/** Entries by name, bounded by count. To make room the oldest that was not asked for since the last search goes ("second chance": as good as LRU, and a hit writes one flag). */
export class NameCache<Entry extends { used: boolean }> {
  readonly entriesMax: number
  private readonly entries = new Map<string, Entry>()

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax
  }

  get size(): number {
    return this.entries.size
  }

  get(name: string): Entry | undefined {
    return this.entries.get(name)
  }

  set(name: string, entry: Entry): void {
    if (!this.entries.has(name) && this.entries.size >= this.entriesMax) this.evict()
    this.entries.set(name, entry)
  }

  clear(): void {
    this.entries.clear()
  }

  private evict(): void {
    for (const [name, entry] of this.entries) {
      this.entries.delete(name)
      if (!entry.used) return
      entry.used = false
      this.entries.set(name, entry)
    }
  }
}
