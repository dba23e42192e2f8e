import { expect } from "bun:test"
import {
  ENTRY_COMPLETE,
  ENTRY_FAILED,
  ENTRY_FILLING,
  ENTRY_PENDING,
  type EntryState,
  type MemoryEntry,
  type MemoryStore,
  type PurgeTarget,
} from "../contract.ts"
import { Key } from "../key.ts"
import { readBody, type TestStore } from "./memory-store.fixture.ts"

/** What an entry ought to be. */
class Expected {
  state: EntryState = ENTRY_PENDING
  live = true
  marked = false
  filled = 0
  length = -1
  head = 0
  labels: readonly string[] = []
  /** Octets that the key takes twice: its own block was kept for those who might be reading from it. */
  keptKey = 0
  readonly key: Key
  readonly salt: number

  constructor(key: Key, salt: number) {
    this.key = key
    this.salt = salt
  }

  octets(from: number, to: number): Buffer {
    return Buffer.from(Uint8Array.from({ length: to - from }, (_, i) => ((from + i) * 7 + ((from + i) >> 8) + this.salt * 131) & 0xff))
  }

  get meta(): number {
    return this.key.text.length + this.head + this.labels.reduce((sum, label) => sum + label.length + 2, 0)
  }

  get units(): number {
    return Math.max(Math.ceil((this.meta + this.filled) / 256), 1) + this.keptKey
  }
}

interface Held {
  readonly entry: MemoryEntry
  readonly expected: Expected
  readonly thread: number
}

/** One step of a test: what to do, and numbers to choose with. */
export type Step = readonly [kind: number, a: number, b: number, c: number]

/** A memory store, seen from two threads, beside a map that says what ought to be in it. */
export class StoreModel {
  readonly held: Held[] = []
  private readonly t: TestStore
  private readonly threads: readonly MemoryStore[]
  private readonly all: Expected[] = []
  private readonly keys: readonly Key[]
  private salt = 0
  private evicted = 0
  private refused = 0
  private replaced = 0

  constructor(t: TestStore) {
    this.t = t
    this.threads = [t.store, t.other()]
    const paths = ["", "b", "?x=1", "".padEnd(300, "y"), "d", "e", "f", "g"]
    this.keys = paths.flatMap(path => ["", "#1", "#2"].map(rest => new Key(`http://${path.length % 2}/${path}`, rest)))
  }

  step([kind, a, b, c]: Step): void {
    const key = this.keys[a % this.keys.length]!
    const held = this.held[a % Math.max(this.held.length, 1)]
    if (kind < 2) this.begin(key, b % 2 === 0, c % 2)
    else if (kind < 5) this.find(key, c % 2, b % 4 === 0)
    else if (kind === 5) this.removeOrPurge(key, b, c)
    else if (kind < 11) this.insert(key, b, c)
    else if (held === undefined) return
    else if (kind === 14 && b % 4 === 0) this.supersede(held)
    else if (kind < 14) this.fill(held, c % 4 === 0 ? b % 30_000 : b % 1500, c >> 2)
    else this.release(held)
    this.reconcile()
    for (const each of this.held) this.check(each)
  }

  /** Lets everything go. Answers how many units ought to be in use then. */
  end(): number {
    for (const held of [...this.held]) this.release(held)
    this.reconcile()
    return this.all.filter(each => each.live).reduce((sum, each) => sum + each.units, 0)
  }

  /** A whole entry, in one or more pieces. */
  private insert(key: Key, size: number, choice: number): void {
    this.begin(key, true, choice % 2)
    const held = this.held.at(-1)
    if (held === undefined || held.expected !== this.all.at(-1) || !held.entry.filling) return
    const octets = choice % 8 === 0 ? size % 30_000 : size % 2500
    for (let i = 0; i < 4 && held.expected.state !== ENTRY_COMPLETE; i++) this.fill(held, octets, (choice >> 3) * 2 + (i === 3 ? 0 : 1))
    this.release(held)
  }

  private removeOrPurge(key: Key, choice: number, mark: number): void {
    if (choice % 8 > 0) this.remove(key, choice >> 3)
    else if (choice % 32 > 0 || (choice >> 5) % 4 < 3) this.purge(key, choice >> 5, mark)
  }

  private begin(key: Key, replace: boolean, thread: number): void {
    const there = this.live(key, ENTRY_COMPLETE)
    const pending = this.underWay(key)
    const entry = this.threads[thread]!.begin(key, replace)
    if (pending !== undefined || (there !== undefined && !replace)) return expect(entry).toBeNull()
    if (entry === null) return this.expectRefusal()
    this.all.push(new Expected(key, this.salt++))
    this.held.push({ entry, expected: this.all.at(-1)!, thread })
  }

  private supersede({ entry, expected, thread }: Held): void {
    if (!entry.filling) return
    const next = this.threads[thread]!.supersede(entry, expected.key)
    if (!expected.live) return expect(next).toBeNull()
    expected.live = false
    if (next === null) return this.expectRefusal()
    this.all.push(new Expected(expected.key, this.salt++))
    this.held.push({ entry: next, expected: this.all.at(-1)!, thread })
  }

  private find(key: Key, thread: number, pending: boolean): void {
    const store = this.threads[thread]!
    const expected = pending ? this.underWay(key) : (this.live(key, ENTRY_COMPLETE) ?? this.underWay(key))
    const entry = pending ? store.pending(key) : store.find(key)
    if (expected === undefined || entry === null) {
      expect(entry).toBeNull()
      expect(expected).toBeUndefined()
      return
    }
    entry.touch()
    this.held.push({ entry, expected, thread })
    const again = expected.state === ENTRY_FAILED || pending ? null : store.hold(entry.place, entry.generation)
    if (again !== null) this.held.push({ entry: again, expected, thread })
  }

  private remove(key: Key, choice: number): void {
    const isMeant = (each: Expected): boolean => (choice % 2 === 0 ? each.key.text === key.text : each.key.group === key.group)
    if (choice % 2 === 0) expect(this.t.store.removeKey(key)).toBe(this.drop(isMeant, false) > 0)
    else expect(this.t.store.removeGroup(key, choice % 4 === 1)).toBe(this.drop(isMeant, choice % 4 === 1))
  }

  private purge(key: Key, choice: number, mark: number): void {
    const label = `l${choice % 3}`
    const [target, isMeant] = (
      [
        [{ by: "group", group: key.group }, each => each.key.group === key.group],
        [{ by: "prefix", prefix: key.group.slice(0, 9) }, each => each.key.group.startsWith(key.group.slice(0, 9))],
        [{ by: "label", label }, each => each.state === ENTRY_PENDING || each.labels.includes(label)],
        [{ by: "all" }, () => true],
      ] as [PurgeTarget, (each: Expected) => boolean][]
    )[choice % 4]!
    expect(this.t.control.purge(target, mark % 2 === 0)).toBe(this.drop(isMeant, mark % 2 === 0))
  }

  private drop(isMeant: (each: Expected) => boolean, mark: boolean): number {
    const meant = this.all.filter(each => each.live && isMeant(each))
    for (const each of meant) {
      if (mark && each.state === ENTRY_COMPLETE) each.marked = true
      else each.live = false
    }
    return meant.length
  }

  private fill(held: Held, size: number, choice: number): void {
    const { entry, expected } = held
    if (!entry.filling) return
    if (expected.state === ENTRY_PENDING) return this.setHead(held, size, choice)
    if (expected.filled === expected.length || (expected.length === -1 && expected.filled > 2000) || choice % 11 === 0) return this.complete(held)
    const ends = expected.length !== -1 && choice % 3 > 0 ? expected.length - expected.filled : size
    const fits =
      expected.length === -1 ? expected.meta + expected.filled + ends <= this.t.store.entryBytesMax : expected.filled + ends <= expected.length
    if (entry.append(expected.octets(expected.filled, expected.filled + ends))) {
      expect(fits).toBe(true)
      expected.filled += ends
    } else {
      if (expected.length === -1) this.expectRefusal()
      else expect(fits).toBe(false)
      entry.fail()
      this.failed(expected)
    }
  }

  private setHead(held: Held, size: number, choice: number): void {
    const { entry, expected } = held
    expected.head = choice % 13 === 0 ? size : size % 600
    expected.length = choice % 2 === 0 ? -1 : size
    const labels = choice % 3 === 0 ? ["l0", "l2"] : choice % 3 === 1 ? ["l1"] : []
    const others = this.held.some(each => each.expected === expected && each.thread !== held.thread)
    const old = this.live(expected.key, ENTRY_COMPLETE)
    if (!entry.setHead(expected.octets(0, expected.head), expected.length, labels)) {
      this.expectRefusal()
      entry.fail()
      return this.failed(expected)
    }
    expected.labels = labels
    expected.state = ENTRY_FILLING
    if (others) expected.keptKey = Math.ceil(expected.key.text.length / 256)
    if (!expected.live || old === undefined) return
    old.live = false
    this.replaced++
  }

  private complete({ entry, expected }: Held): void {
    const isWhole = expected.state === ENTRY_FILLING && (expected.length === -1 || expected.length === expected.filled)
    expect(entry.complete()).toBe(isWhole)
    if (!isWhole) return this.failed(expected)
    expected.state = ENTRY_COMPLETE
    expected.length = expected.filled
  }

  private failed(expected: Expected): void {
    expected.state = ENTRY_FAILED
    expected.live = false
  }

  private release(held: Held): void {
    const { entry, expected } = held
    expect(readBody(entry).equals(expected.octets(0, expected.filled))).toBe(true)
    if (expected.state !== ENTRY_PENDING && expected.state !== ENTRY_FAILED) {
      expect(expected.octets(0, expected.head).equals(entry.head)).toBe(true)
    }
    if (entry.filling) this.failed(expected)
    this.held.splice(this.held.indexOf(held), 1)
    entry.release()
  }

  private check({ entry, expected }: Held): void {
    expect(entry.state).toBe(expected.state)
    expect(entry.live).toBe(expected.live)
    expect(entry.filled).toBe(expected.filled)
    expect(entry.marked).toBe(expected.marked)
    if (expected.state !== ENTRY_PENDING && expected.state !== ENTRY_FAILED) expect(entry.bodyLength).toBe(expected.length)
  }

  /** What nobody holds may have been evicted, and nothing else is gone. What was replaced may have been evicted just before. */
  private reconcile(): void {
    let gone = 0
    for (const each of this.all) {
      if (!each.live || each.state !== ENTRY_COMPLETE || this.held.some(held => held.expected === each)) continue
      const found = this.t.store.find(each.key)
      if (found?.state === ENTRY_COMPLETE) expect(found.head[0]).toBe(each.head > 0 ? each.octets(0, 1)[0] : undefined)
      else {
        each.live = false
        gone++
      }
      found?.release()
    }
    const { evicted, usedBytes, bytes } = this.t.control.stats()
    expect(evicted - this.evicted).toBeGreaterThanOrEqual(gone)
    expect(evicted - this.evicted).toBeLessThanOrEqual(gone + this.replaced)
    this.replaced = 0
    expect(usedBytes).toBeLessThanOrEqual(bytes)
    this.evicted = evicted
  }

  private expectRefusal(): void {
    const now = Object.values(this.t.control.stats().refused).reduce((sum, count) => sum + count, 0)
    expect(now).toBeGreaterThan(this.refused)
    this.refused = now
  }

  private live(key: Key, state: EntryState): Expected | undefined {
    return this.all.find(each => each.live && each.key.text === key.text && each.state === state)
  }

  private underWay(key: Key): Expected | undefined {
    return this.live(key, ENTRY_PENDING) ?? this.live(key, ENTRY_FILLING)
  }
}
