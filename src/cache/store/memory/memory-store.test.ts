import { beforeEach, describe, expect, test } from "bun:test"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_FILLING, ENTRY_PENDING, type MemoryEntry } from "../contract.ts"
import { Key } from "../key.ts"
import { attachMemoryStore, createMemoryStore } from "./create-memory-store.ts"
import type { ThreadMemoryStore } from "./memory-store.ts"
import { MemoryStoreSupervisor } from "./supervisor.ts"

const MB = 1024 * 1024
const head = Buffer.from("a head of some octets")

let store: ThreadMemoryStore
let control: MemoryStoreSupervisor

function make(bytes = MB, entryBytesMax?: number): void {
  store = attachMemoryStore(createMemoryStore({ bytes, threadsMax: 2, ...(entryBytesMax === undefined ? {} : { entryBytesMax }) }), 0)
  control = new MemoryStoreSupervisor(store)
}

beforeEach(() => make())

function body(length: number, salt = 7): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + salt) & 0xff)
}

function fill(key: Key, octets: Uint8Array, labels: readonly string[] = [], known = true): boolean {
  const entry = store.begin(key, store.find(key) !== null)
  if (entry === null) return false
  const done = entry.setHead(head, known ? octets.length : -1, labels) && entry.append(octets) && entry.complete()
  entry.release()
  return done
}

function read(entry: MemoryEntry): Buffer {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < entry.filled; at += pieces.at(-1)!.length) pieces.push(entry.piece(at))
  return Buffer.concat(pieces)
}

function begin(key: Key, replace = false): MemoryEntry {
  const entry = store.begin(key, replace)
  if (entry === null) throw new Error("no entry")
  return entry
}

describe("a fill", () => {
  const key = new Key("http://a/", "")

  test("is found from its first moment, and read while it grows", () => {
    const filler = begin(key)
    const reader = store.find(key)!
    expect(reader.state).toBe(ENTRY_PENDING)
    expect(reader.filling).toBe(false)
    expect(reader.head.length).toBe(0)
    expect(store.begin(key, false)).toBeNull()
    expect(store.begin(key, true)).toBeNull()
    expect(filler.setHead(head, 5000, [])).toBe(true)
    expect(reader.state).toBe(ENTRY_FILLING)
    expect(Buffer.from(reader.head)).toEqual(head)
    expect(reader.bodyLength).toBe(5000)
    const octets = body(5000)
    filler.append(octets.subarray(0, 3000))
    expect(read(reader)).toEqual(Buffer.from(octets.subarray(0, 3000)))
    expect(reader.piece(3000).length).toBe(0)
    filler.append(octets.subarray(3000))
    expect(reader.state).toBe(ENTRY_FILLING)
    expect(filler.complete()).toBe(true)
    expect(reader.state).toBe(ENTRY_COMPLETE)
    expect(reader.piece(0).length).toBe(5000)
    expect(read(reader)).toEqual(Buffer.from(octets))
    filler.release()
    reader.release()
  })

  test("of unknown length gives back what it did not need", () => {
    const octets = body(70_000)
    const filler = begin(key)
    filler.setHead(head, -1, [])
    for (let at = 0; at < octets.length; at += 1000) expect(filler.append(octets.subarray(at, at + 1000))).toBe(true)
    expect(filler.bodyLength).toBe(-1)
    filler.complete()
    expect(filler.bodyLength).toBe(70_000)
    expect(read(filler)).toEqual(Buffer.from(octets))
    filler.release()
    expect(control.stats().usedBytes).toBe(Math.ceil((70_000 + head.length + key.text.length) / 256) * 256)
  })

  test("that fails is gone, for its readers, too", () => {
    const filler = begin(key)
    const reader = store.find(key)!
    filler.setHead(head, 10, [])
    filler.append(body(4))
    filler.fail()
    expect(reader.state).toBe(ENTRY_FAILED)
    expect(store.find(key)).toBeNull()
    expect(read(reader)).toEqual(Buffer.from(body(4)))
    filler.release()
    expect(control.stats().usedBytes).toBeGreaterThan(0)
    reader.release()
    expect(control.stats().usedBytes).toBe(0)
  })

  test("that is released before it is complete has failed", () => {
    const filler = begin(key)
    filler.setHead(head, 10, [])
    filler.release()
    expect(store.find(key)).toBeNull()
    expect(control.stats().usedBytes).toBe(0)
  })

  test("is complete only with all that was announced, and takes no more than that", () => {
    const short = begin(key)
    short.setHead(head, 10, [])
    short.append(body(9))
    expect(short.complete()).toBe(false)
    expect(short.state).toBe(ENTRY_FAILED)
    short.release()
    const long = begin(key)
    long.setHead(head, 10, [])
    expect(long.append(body(11))).toBe(false)
    expect(long.state).toBe(ENTRY_FAILED)
    long.release()
  })

  test("without a body is complete", () => {
    expect(fill(key, body(0))).toBe(true)
    const found = store.find(key)!
    expect(found.state).toBe(ENTRY_COMPLETE)
    expect(found.bodyLength).toBe(0)
    expect(found.piece(0).length).toBe(0)
    found.release()
  })

  test("that would be too large is refused", () => {
    make(MB, 10_000)
    expect(store.entryBytesMax).toBe(10_000)
    expect(fill(key, body(10_000))).toBe(false)
    expect(fill(key, body(10_000), [], false)).toBe(false)
    expect(fill(key, body(10_000 - head.length - key.text.length), [], false)).toBe(true)
    expect(control.stats().refused.tooLarge).toBe(2)
  })

  test("a small body lies in one run behind its head", () => {
    fill(key, body(900))
    const found = store.find(key)!
    expect(found.piece(0).length).toBe(900)
    expect(found.piece(0).byteOffset).toBe(found.head.byteOffset + head.length)
    expect(found.piece(10, 20)).toEqual(body(900).subarray(10, 30))
    found.release()
  })
})

describe("a replacement", () => {
  const key = new Key("http://a/", "#1")

  test("leaves the old entry to be found until its head is there", () => {
    fill(key, body(100, 1))
    expect(store.begin(key, false)).toBeNull()
    const filler = begin(key, true)
    expect(store.begin(key, true)).toBeNull()
    const old = store.find(key)!
    expect(old.state).toBe(ENTRY_COMPLETE)
    const waiting = store.pending(key)!
    expect(waiting.state).toBe(ENTRY_PENDING)
    filler.setHead(head, 50, [])
    expect(old.live).toBe(false)
    expect(read(old)).toEqual(Buffer.from(body(100, 1)))
    const young = store.find(key)!
    expect(young.place).toBe(filler.place)
    expect(waiting.place).toBe(filler.place)
    filler.append(body(50, 2))
    filler.complete()
    expect(read(young)).toEqual(Buffer.from(body(50, 2)))
    for (const entry of [old, young, waiting, filler]) entry.release()
    expect(store.pending(key)).toBeNull()
    expect(control.stats().entries).toBe(1)
  })

  test("that fails leaves the old one", () => {
    fill(key, body(100, 1))
    const filler = begin(key, true)
    filler.fail()
    filler.release()
    const old = store.find(key)!
    expect(read(old)).toEqual(Buffer.from(body(100, 1)))
    old.release()
    expect(begin(key, true).state).toBe(ENTRY_PENDING)
  })

  test("is found as soon as the old one is gone", () => {
    fill(key, body(100, 1))
    const filler = begin(key, true)
    const old = store.find(key)!
    store.parts.lock.take()
    store.parts.keeping.drop(old.place)
    store.parts.lock.release()
    old.release()
    const found = store.find(key)!
    expect(found.place).toBe(filler.place)
    found.release()
    filler.release()
    expect(control.stats().usedBytes).toBe(0)
  })
})

describe("removal", () => {
  test("takes a group's entries with all their variants, and nothing else", () => {
    for (const rest of ["", "#1", "#2"]) fill(new Key("http://a/", rest), body(10))
    fill(new Key("http://a/b", ""), body(10))
    expect(store.removeGroup(new Key("http://a/", ""), false)).toBe(3)
    expect(store.find(new Key("http://a/", "#1"))).toBeNull()
    const other = store.find(new Key("http://a/b", ""))!
    other.release()
    expect(store.removeKey(new Key("http://a/b", ""))).toBe(true)
    expect(store.removeKey(new Key("http://a/b", ""))).toBe(false)
    expect(control.stats().usedBytes).toBe(0)
  })

  test("with a mark leaves what is complete and takes what is under way", () => {
    const key = new Key("http://a/", "")
    fill(key, body(10))
    const filler = begin(new Key("http://a/", "#1"))
    expect(store.removeGroup(key, true)).toBe(2)
    const found = store.find(key)!
    expect(found.marked).toBe(true)
    found.release()
    expect(filler.live).toBe(false)
    filler.release()
  })

  test("of a fill lets it be completed for those who have it, and found by nobody", () => {
    const key = new Key("http://a/", "")
    const filler = begin(key)
    const reader = store.find(key)!
    expect(control.purge({ by: "all" }, false)).toBe(1)
    expect(store.find(key)).toBeNull()
    expect(filler.setHead(head, 3, [])).toBe(true)
    expect(filler.append(body(3))).toBe(true)
    expect(filler.complete()).toBe(true)
    expect(store.find(key)).toBeNull()
    expect(reader.state).toBe(ENTRY_COMPLETE)
    expect(read(reader)).toEqual(Buffer.from(body(3)))
    filler.release()
    reader.release()
    expect(control.stats().usedBytes).toBe(0)
  })

  test("by prefix and by label", () => {
    fill(new Key("http://a/x", ""), body(10), ["red", "blue"])
    fill(new Key("http://a/y", ""), body(10), ["blues"])
    fill(new Key("http://b/x", ""), body(10), ["blue"])
    const filler = begin(new Key("http://c/", ""))
    expect(control.list({ by: "label", label: "blue" }, 10).map(each => each.key)).toEqual(["http://a/x", "http://b/x"])
    expect(control.purge({ by: "label", label: "blue" }, false)).toBe(3)
    expect(filler.live).toBe(false)
    filler.release()
    expect(control.list({ by: "all" }, 10).map(each => each.key)).toEqual(["http://a/y"])
    expect(control.purge({ by: "prefix", prefix: "http://a/z" }, false)).toBe(0)
    expect(control.purge({ by: "prefix", prefix: "http://a/" }, true)).toBe(1)
    expect(control.list({ by: "prefix", prefix: "http://" }, 10)[0]).toEqual({
      key: "http://a/y",
      group: "http://a/y",
      head: new Uint8Array(head),
      bodyLength: 10,
      marked: true,
      tier: "memory",
    })
    expect(control.purge({ by: "group", group: "http://a/y" }, false)).toBe(1)
    expect(control.stats()).toMatchObject({ entries: 0, usedBytes: 0, wasteBytes: 0 })
  })
})

describe("eviction", () => {
  test("keeps within the limit, and what is used stays", () => {
    const used = new Key("http://used/", "")
    fill(used, body(2000))
    for (let i = 0; i < 3000; i++) {
      const found = store.find(used)!
      found.touch()
      found.release()
      expect(fill(new Key(`http://once/${i}`, ""), body(1500 + (i % 700)), [], i % 2 === 0)).toBe(true)
      expect(control.stats().usedBytes).toBeLessThanOrEqual(MB)
    }
    expect(control.stats().evicted).toBeGreaterThan(2000)
    expect(control.stats().usedBytes).toBeGreaterThan(MB * 0.95)
  })

  test("leaves what is held and what is being filled", () => {
    const held = new Key("http://held/", "")
    fill(held, body(2000))
    const reader = store.find(held)!
    const filler = begin(new Key("http://filling/", ""))
    filler.setHead(head, 2000, [])
    for (let i = 0; i < 1000; i++) fill(new Key(`http://once/${i}`, ""), body(2000))
    expect(filler.append(body(2000))).toBe(true)
    expect(filler.live).toBe(true)
    expect(reader.live).toBe(true)
    expect(read(reader)).toEqual(Buffer.from(body(2000)))
    reader.release()
    filler.release()
  })

  test("when all is held there is no room, and nothing is lost", () => {
    const readers: MemoryEntry[] = []
    for (let i = 0; ; i++) {
      const key = new Key(`http://held/${i}`, "")
      if (!fill(key, body(20_000))) break
      readers.push(store.find(key)!)
    }
    expect(readers.length).toBeGreaterThan(45)
    expect(control.stats().refused.noRoom).toBeGreaterThan(0)
    for (const reader of readers) reader.release()
    expect(fill(new Key("http://more/", ""), body(100_000))).toBe(true)
  })
})

describe("holding and claiming", () => {
  const key = new Key("http://a/", "")

  test("an entry is held again by its place and generation while it lives", () => {
    fill(key, body(10))
    const found = store.find(key)!
    const { place, generation } = found
    found.release()
    store.hold(place, generation)!.release()
    expect(store.hold(place, generation + 1)).toBeNull()
    store.removeKey(key)
    expect(store.hold(place, generation)).toBeNull()
    fill(new Key("http://b/", ""), body(10))
    expect(store.hold(place, generation)).toBeNull()
  })

  test("a claim is one caller's until it lapses", () => {
    fill(key, body(10))
    const found = store.find(key)!
    const now = Date.now() + 1000
    expect(found.claim(now, now + 5000)).toBe(true)
    expect(found.claim(now + 4800, now + 9000)).toBe(false)
    expect(found.claim(now + 5200, now + 9000)).toBe(true)
    found.unclaim()
    expect(found.claim(now + 5200, now + 9000)).toBe(true)
    found.release()
  })
})

describe("watching", () => {
  const key = new Key("http://a/", "")

  test("tells of each change once, from the fill's own calls", () => {
    const filler = begin(key)
    const reader = store.find(key)!
    let calls = 0
    const changed = (): void => void calls++
    reader.watch(changed)
    expect(calls).toBe(0)
    filler.setHead(head, 10, [])
    expect(calls).toBe(1)
    filler.append(body(5))
    expect(calls).toBe(1)
    expect(reader.filled).toBe(5)
    expect(reader.state).toBe(ENTRY_FILLING)
    reader.watch(changed)
    filler.append(body(5))
    expect(calls).toBe(2)
    reader.watch(changed)
    reader.unwatch(changed)
    filler.complete()
    expect(calls).toBe(2)
    filler.release()
    reader.release()
  })

  test("sees what another thread does, and what was missed before", async () => {
    const filler = attachMemoryStore(store.parts.memory.shared, 1).begin(key, false)!
    const reader = store.find(key)!
    await new Promise<void>(resolve => {
      reader.watch(resolve)
      filler.setHead(head, 10, [])
    })
    expect(reader.state).toBe(ENTRY_FILLING)
    expect(reader.filled).toBe(0)
    filler.append(body(5))
    await new Promise<void>(resolve => reader.watch(resolve))
    expect(reader.filled).toBe(5)
    filler.release()
    await new Promise<void>(resolve => reader.watch(resolve))
    expect(reader.state).toBe(ENTRY_FAILED)
    reader.release()
  })

  test("tells when a pending entry is removed", async () => {
    const filler = begin(key)
    const reader = store.find(key)!
    expect(reader.state).toBe(ENTRY_PENDING)
    const told = new Promise<void>(resolve => reader.watch(resolve))
    store.removeKey(key)
    await told
    expect(reader.live).toBe(false)
    reader.release()
    filler.release()
  })
})

describe("a lost worker", () => {
  test("what it filled fails, what it held is free", () => {
    const lost = attachMemoryStore(store.parts.memory.shared, 1)
    const key = new Key("http://a/", "")
    const other = new Key("http://b/", "")
    fill(other, body(100))
    lost.begin(key, false)!.setHead(head, 10, [])
    lost.find(other)
    const reader = store.find(key)!
    control.workerLost(1)
    expect(reader.state).toBe(ENTRY_FAILED)
    reader.release()
    expect(store.find(key)).toBeNull()
    store.removeKey(other)
    expect(control.stats()).toMatchObject({ entries: 0, usedBytes: 0 })
  })

  test("that had the lock leaves a retired store", () => {
    const lost = attachMemoryStore(store.parts.memory.shared, 1)
    const key = new Key("http://a/", "")
    fill(key, body(100))
    const reader = store.find(key)!
    const filler = begin(new Key("http://b/", ""))
    lost.parts.lock.take()
    control.workerLost(1)
    expect(store.retired).toBe(true)
    expect(store.find(key)).toBeNull()
    expect(store.begin(key, true)).toBeNull()
    expect(read(reader)).toEqual(Buffer.from(body(100)))
    expect(filler.setHead(head, 10, [])).toBe(false)
    reader.release()
    filler.release()
    expect(control.stats().retired).toBe(true)
  })
})
