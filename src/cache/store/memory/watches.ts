import type { Bells } from "./bells.ts"
import type { EntryHandle } from "./entry-handle.ts"

/** For what no bell tells: a fill that ended with its thread, a store that was retired. */
const LOOK_MS = 20

interface Watch {
  readonly entry: EntryHandle
  readonly changed: () => void
  readonly status: number
  readonly filled: number
}

/**
 * Who waits for which entry to change, in this thread. Fills of this thread say so themselves, those of others ring a bell. A slow timer looks as well while
 * somebody waits. Neither keeps a thread alive.
 */
export class Watches {
  /** Slots that are watched. */
  count = 0
  private readonly bells: Bells
  private readonly bySlot = new Map<number, Watch[]>()
  private timer: ReturnType<typeof setInterval> | null = null
  private listens = false
  private heard = 0

  constructor(bells: Bells) {
    this.bells = bells
  }

  add(entry: EntryHandle, changed: () => void): void {
    const watch: Watch = { entry, changed, status: entry.seenStatus, filled: entry.seenFilled }
    const list = this.bySlot.get(entry.place)
    this.set(entry.place, list === undefined ? [watch] : [...list, watch])
    this.bells.expect(entry.place)
    // what changed before the bell was asked for rings none
    if (hasChanged(watch)) queueMicrotask(() => this.look())
    this.listen()
    if (this.timer !== null) return
    this.timer = setInterval(() => this.look(), LOOK_MS)
    this.timer.unref()
  }

  /** Forgets what was watched through this handle, with this call or with any. */
  remove(entry: EntryHandle, changed: (() => void) | null): void {
    const slot = entry.place
    const list = this.bySlot.get(slot)
    if (list === undefined) return
    const kept = list.filter(watch => watch.entry !== entry || (changed !== null && watch.changed !== changed))
    this.set(slot, kept)
  }

  /** The entry changed. */
  tell(slot: number): void {
    const list = this.bySlot.get(slot)
    if (list === undefined) return
    // who watches again from within its call waits for the next change
    this.set(slot, [])
    for (const watch of list) call(slot, watch)
  }

  private look(): void {
    for (const slot of [...this.bySlot.keys()]) {
      // As it is now: a call for a slot before this one may have begun to watch this one, or left it.
      const list = this.bySlot.get(slot)
      if (list === undefined) continue
      const due = list.filter(hasChanged)
      if (due.length > 0)
        this.set(
          slot,
          list.filter(watch => !due.includes(watch)),
        )
      else this.bells.expect(slot)
      for (const watch of due) call(slot, watch)
    }
    if (this.timer === null || this.count > 0) return
    clearInterval(this.timer)
    this.timer = null
  }

  private set(slot: number, list: Watch[]): void {
    if (list.length > 0) this.bySlot.set(slot, list)
    else this.bySlot.delete(slot)
    this.count = this.bySlot.size
  }

  private listen(): void {
    if (this.listens) return
    this.listens = true
    const ring = this.bells.next(this.heard)
    if (ring === null) queueMicrotask(() => this.wake())
    else void ring.then(() => this.wake())
  }

  private wake(): void {
    this.listens = false
    this.heard = this.bells.count
    this.look()
    if (this.count > 0) this.listen()
  }
}

function hasChanged({ entry, status, filled }: Watch): boolean {
  return entry.statusNow !== status || entry.filledNow !== filled
}

/** Unless a call before this one let go of the entry. */
function call(slot: number, { entry, changed }: Watch): void {
  if (entry.place === slot) changed()
}
