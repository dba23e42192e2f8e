import type { MemoryEntry, MemoryStore } from "../store/contract.ts"
import type { Key } from "../store/key.ts"
import type { StoredResponse } from "../stored.ts"

/** Slices that one thread and route remembers. */
const KNOWN_MAX = 4096

interface KnownSlice {
  readonly place: number
  readonly generation: number
  readonly stored: StoredResponse
}

/** Complete slices in memory whose heads this thread has read: where they are, so that nobody looks for them and reads their heads each time. */
export class KnownSlices {
  private readonly memory: MemoryStore
  private readonly byKey = new Map<string, KnownSlice>()

  constructor(memory: MemoryStore) {
    this.memory = memory
  }

  note({ text }: Key, { place, generation }: MemoryEntry, stored: StoredResponse): void {
    if (this.byKey.size >= KNOWN_MAX) this.byKey.clear()
    this.byKey.set(text, { place, generation, stored })
  }

  /** It was there a while ago. */
  has({ text }: Key): boolean {
    return this.byKey.has(text)
  }

  /** Held, and with its head. null = look for it. */
  hold({ text }: Key): { readonly entry: MemoryEntry; readonly stored: StoredResponse } | null {
    const known = this.byKey.get(text)
    if (known === undefined) return null
    const entry = this.memory.hold(known.place, known.generation)
    if (entry !== null) return { entry, stored: known.stored }
    this.byKey.delete(text)
    return null
  }
}
