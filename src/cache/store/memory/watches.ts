import type { EntryHandle } from "./entry-handle.ts"

const POLL_MS = 2

interface Watch {
  readonly entry: EntryHandle
  readonly changed: () => void
  readonly status: number
  readonly filled: number
}

/**
 * Who waits for which entry to change, in this thread. Fills of this thread say so themselves; those of others are seen by a timer, which runs only
 * while somebody waits and keeps no thread alive.
 */
export class Watches {
  private readonly bySlot = new Map<number, Watch[]>()
  private timer: ReturnType<typeof setInterval> | null = null

  get empty(): boolean {
    return this.bySlot.size === 0
  }

  add(entry: EntryHandle, changed: () => void): void {
    const watch: Watch = { entry, changed, status: entry.seenStatus, filled: entry.seenFilled }
    const list = this.bySlot.get(entry.place)
    if (list === undefined) this.bySlot.set(entry.place, [watch])
    else list.push(watch)
    if (this.timer !== null) return
    this.timer = setInterval(() => this.poll(), POLL_MS)
    this.timer.unref()
  }

  remove(entry: EntryHandle, changed: () => void): void {
    const slot = entry.place
    const list = this.bySlot.get(slot)
    if (list === undefined) return
    const kept = list.filter(watch => watch.entry !== entry || watch.changed !== changed)
    if (kept.length > 0) this.bySlot.set(slot, kept)
    else this.bySlot.delete(slot)
    this.rest()
  }

  /** Forgets everything that was watched through this handle. */
  forget(entry: EntryHandle): void {
    const slot = entry.place
    const list = this.bySlot.get(slot)
    if (list === undefined) return
    const kept = list.filter(watch => watch.entry !== entry)
    if (kept.length > 0) this.bySlot.set(slot, kept)
    else this.bySlot.delete(slot)
    this.rest()
  }

  /** The entry changed. */
  tell(slot: number): void {
    const list = this.bySlot.get(slot)
    if (list === undefined) return
    // who watches again from within its call waits for the next change
    this.bySlot.delete(slot)
    for (const watch of list) this.call(slot, watch)
    this.rest()
  }

  private poll(): void {
    for (const [slot, list] of [...this.bySlot]) {
      const due = list.filter(watch => watch.entry.statusNow !== watch.status || watch.entry.filledNow !== watch.filled)
      if (due.length === 0) continue
      const kept = list.filter(watch => !due.includes(watch))
      if (kept.length > 0) this.bySlot.set(slot, kept)
      else this.bySlot.delete(slot)
      for (const watch of due) this.call(slot, watch)
    }
    this.rest()
  }

  /** Unless a call before this one let go of the entry. */
  private call(slot: number, watch: Watch): void {
    if (watch.entry.place === slot) watch.changed()
  }

  private rest(): void {
    if (this.timer === null || this.bySlot.size > 0) return
    clearInterval(this.timer)
    this.timer = null
  }
}
