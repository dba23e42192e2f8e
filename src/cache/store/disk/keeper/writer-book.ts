import type { PurgeTarget } from "../../contract.ts"

/** What a purge is about; a worker may name a single key. */
export type DoomTarget = PurgeTarget | { readonly by: "key"; readonly key: string }

/** What a purge looks at. */
export interface Purgeable {
  readonly key: string
  readonly groupLength: number
  readonly labels: readonly string[]
}

export interface WriterRecord extends Purgeable {
  readonly ticket: number
  /** Number of its worker; -1 = the keeper's own. */
  readonly self: number
  readonly epoch: number
  /** Octets set aside for it, rounded up. */
  reserved: number
  doomed: boolean
}

/** When more purges wait for an answer to a ping, one of everything stands for them. */
const REMEMBERED_MAX = 10_000

export function isMeant(target: DoomTarget, entry: Purgeable): boolean {
  switch (target.by) {
    case "key":
      return target.key === entry.key
    case "group":
      return target.group.length === entry.groupLength && entry.key.startsWith(target.group)
    case "prefix":
      return target.prefix.length <= entry.groupLength && entry.key.startsWith(target.prefix)
    case "label":
      return entry.labels.includes(target.label)
    case "all":
      return true
  }
}

/** Whether epoch `one` came before `other`; they count on past 32 bits. */
export function isBefore(one: number, other: number): boolean {
  return ((one - other) | 0) < 0
}

/**
 * The writers under way, and the purges that may still meet one of them. A purge that began after a writer may be heard of before it, since they come through different
 * ports: purges are remembered until every worker has answered a ping, behind which nothing older can come.
 */
export class WriterBook {
  private readonly writers = new Map<number, WriterRecord>()
  private readonly keys = new Map<string, number>()
  private readonly groups = new Map<string, number>()
  private others: { readonly target: DoomTarget; readonly epoch: number }[] = []

  /** The writer begins, doomed perhaps. */
  add(record: WriterRecord): void {
    record.doomed ||= this.isPurgedSince(record, record.epoch)
    this.writers.set(record.ticket, record)
  }

  get(ticket: number): WriterRecord | undefined {
    return this.writers.get(ticket)
  }

  remove(ticket: number): void {
    this.writers.delete(ticket)
  }

  all(): IterableIterator<WriterRecord> {
    return this.writers.values()
  }

  doom(target: DoomTarget, epoch: number): void {
    for (const record of this.writers.values()) {
      if (!record.doomed && isBefore(record.epoch, epoch) && isMeant(target, record)) record.doomed = true
    }
    if (target.by === "key") keepLatest(this.keys, target.key, epoch)
    else if (target.by === "group") keepLatest(this.groups, target.group, epoch)
    else this.others.push({ target, epoch })
    if (this.remembered <= REMEMBERED_MAX) return
    this.keys.clear()
    this.groups.clear()
    this.others = [{ target: { by: "all" }, epoch }]
  }

  /** Whether a purge that came after `epoch` is about this entry. Knows those that `forget` was not told of. */
  isPurgedSince(entry: Purgeable, epoch: number): boolean {
    const byKey = this.keys.get(entry.key)
    if (byKey !== undefined && isBefore(epoch, byKey)) return true
    const byGroup = this.groups.get(entry.key.slice(0, entry.groupLength))
    if (byGroup !== undefined && isBefore(epoch, byGroup)) return true
    return this.others.some(purge => isBefore(epoch, purge.epoch) && isMeant(purge.target, entry))
  }

  /** Purges that may still meet somebody. */
  get remembered(): number {
    return this.keys.size + this.groups.size + this.others.length
  }

  /** All writers that began before this epoch are known: purges up to it have met whom they meet. */
  forget(epoch: number): void {
    for (const [key, purged] of this.keys) if (!isBefore(epoch, purged)) this.keys.delete(key)
    for (const [group, purged] of this.groups) if (!isBefore(epoch, purged)) this.groups.delete(group)
    this.others = this.others.filter(purge => isBefore(epoch, purge.epoch))
  }
}

function keepLatest(purges: Map<string, number>, name: string, epoch: number): void {
  const known = purges.get(name)
  if (known === undefined || isBefore(known, epoch)) purges.set(name, epoch)
}
