import { beforeEach, describe, expect, test } from "bun:test"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_FILLING, ENTRY_PENDING } from "../contract.ts"
import { Key } from "../key.ts"
import { bodyOf, head, MB, readBody, TestStore } from "./memory-store.fixture.ts"

let t: TestStore
beforeEach(() => {
  t = new TestStore()
})

describe("a fill", () => {
  const key = new Key("http://a/", "")

  test("is found from its first moment, and read while it grows", () => {
    const filler = t.begin(key)
    const reader = t.store.find(key)!
    expect(reader.state).toBe(ENTRY_PENDING)
    expect(reader.filling).toBe(false)
    expect(reader.head.length).toBe(0)
    expect(t.store.begin(key, false)).toBeNull()
    expect(t.store.begin(key, true)).toBeNull()
    expect(filler.setHead(head, 5000, [])).toBe(true)
    expect(reader.state).toBe(ENTRY_FILLING)
    expect(Buffer.from(reader.head)).toEqual(head)
    expect(reader.bodyLength).toBe(5000)
    const octets = bodyOf(5000)
    filler.append(octets.subarray(0, 3000))
    expect(readBody(reader)).toEqual(Buffer.from(octets.subarray(0, 3000)))
    expect(reader.piece(3000).length).toBe(0)
    filler.append(octets.subarray(3000))
    expect(reader.state).toBe(ENTRY_FILLING)
    expect(filler.complete()).toBe(true)
    expect(reader.state).toBe(ENTRY_COMPLETE)
    expect(reader.piece(0).length).toBe(5000)
    expect(readBody(reader)).toEqual(Buffer.from(octets))
    filler.release()
    reader.release()
  })

  test("of unknown length gives back what it did not need", () => {
    const octets = bodyOf(70_000)
    const filler = t.begin(key)
    filler.setHead(head, -1, [])
    for (let at = 0; at < octets.length; at += 1000) expect(filler.append(octets.subarray(at, at + 1000))).toBe(true)
    expect(filler.bodyLength).toBe(-1)
    filler.complete()
    expect(filler.bodyLength).toBe(70_000)
    expect(readBody(filler)).toEqual(Buffer.from(octets))
    filler.release()
    expect(t.control.stats().usedBytes).toBe(Math.ceil((70_000 + head.length + key.text.length) / 256) * 256)
  })

  test("that fails is gone, for its readers, too", () => {
    const filler = t.begin(key)
    const reader = t.store.find(key)!
    filler.setHead(head, 10, [])
    filler.append(bodyOf(4))
    filler.fail()
    expect(reader.state).toBe(ENTRY_FAILED)
    expect(t.store.find(key)).toBeNull()
    expect(readBody(reader)).toEqual(Buffer.from(bodyOf(4)))
    filler.release()
    expect(t.control.stats().usedBytes).toBeGreaterThan(0)
    reader.release()
    expect(t.control.stats().usedBytes).toBe(0)
  })

  test("that is released before it is complete has failed", () => {
    const filler = t.begin(key)
    filler.setHead(head, 10, [])
    filler.release()
    expect(t.store.find(key)).toBeNull()
    expect(t.control.stats().usedBytes).toBe(0)
  })

  test("is complete only with all that was announced, and takes no more than that", () => {
    const short = t.begin(key)
    short.setHead(head, 10, [])
    short.append(bodyOf(9))
    expect(short.complete()).toBe(false)
    expect(short.state).toBe(ENTRY_FAILED)
    short.release()
    const long = t.begin(key)
    long.setHead(head, 10, [])
    expect(long.append(bodyOf(11))).toBe(false)
    expect(long.filled).toBe(0)
    expect(long.state).toBe(ENTRY_FILLING)
    expect(long.append(bodyOf(10))).toBe(true)
    expect(long.complete()).toBe(true)
    long.release()
  })

  test("that is too large may have a smaller head instead", () => {
    const filler = t.begin(key)
    expect(filler.setHead(head, t.store.entryBytesMax, [])).toBe(false)
    expect(filler.state).toBe(ENTRY_PENDING)
    expect(filler.setHead(head, 0, [])).toBe(true)
    expect(filler.complete()).toBe(true)
    filler.release()
  })

  test("gives its place to another one, and nobody finds a gap", () => {
    const old = t.begin(key)
    old.setHead(head, -1, [])
    old.append(bodyOf(100))
    const rule = t.store.supersede(old, key)!
    const waiting = t.store.find(key)!
    expect(waiting.state).toBe(ENTRY_PENDING)
    expect(rule.setHead(head, 0, [])).toBe(true)
    expect(rule.complete()).toBe(true)
    expect(waiting.state).toBe(ENTRY_COMPLETE)
    old.fail()
    expect(old.filled).toBe(100)
    expect(old.piece(0).length).toBe(100)
    for (const entry of [old, rule, waiting]) entry.release()
    const removed = t.store.begin(key, true)!
    removed.setHead(head, -1, [])
    t.store.removeKey(key)
    expect(t.store.supersede(removed, key)).toBeNull()
    removed.release()
  })

  test("gives its place to another one that replaces the same entry", () => {
    t.fill(key, bodyOf(10))
    const old = t.begin(key, true)
    const rule = t.store.supersede(old, key)!
    old.release()
    const found = t.store.find(key)!
    expect(found.state).toBe(ENTRY_COMPLETE)
    expect(t.store.pending(key)!.place).toBe(rule.place)
    rule.setHead(head, 0, [])
    expect(found.live).toBe(false)
    expect(t.store.find(key)!.place).toBe(rule.place)
    expect(t.control.stats().entries).toBe(1)
  })

  test("without a body is complete", () => {
    expect(t.fill(key, bodyOf(0))).toBe(true)
    const found = t.store.find(key)!
    expect(found.state).toBe(ENTRY_COMPLETE)
    expect(found.bodyLength).toBe(0)
    expect(found.piece(0).length).toBe(0)
    found.release()
  })

  test("that would be too large is refused", () => {
    t = new TestStore({ entryBytesMax: 10_000 })
    expect(t.store.entryBytesMax).toBe(10_000)
    expect(t.fill(key, bodyOf(10_000))).toBe(false)
    expect(t.fill(key, bodyOf(10_000), [], false)).toBe(false)
    expect(t.fill(key, bodyOf(10_000 - head.length - key.text.length), [], false)).toBe(true)
    expect(t.control.stats().refused.tooLarge).toBe(2)
  })

  test("with labels or a key that are too long is refused", () => {
    const filler = t.begin(key)
    expect(filler.setHead(head, 10, ["x".repeat(65_536)])).toBe(false)
    expect(filler.state).toBe(ENTRY_PENDING)
    filler.release()
    expect(t.store.begin(new Key("http://a/".padEnd(40_000, "x"), ""), false)).toBeNull()
    expect(t.control.stats()).toMatchObject({ usedBytes: 0, refused: { tooLarge: 2 } })
  })

  test("whose body needs more than one segment has all of it", () => {
    t = new TestStore({ segmentBytes: 65_536, entryBytesMax: MB / 2 })
    for (const known of [true, false]) {
      t.fill(key, bodyOf(300_000), [], known)
      const found = t.store.find(key)!
      expect(readBody(found).equals(bodyOf(300_000))).toBe(true)
      // from anywhere, and back
      for (const at of [299_999, 0, 70_000, 200_000, 69_999]) expect(found.piece(at, 1)).toEqual(bodyOf(300_000).subarray(at, at + 1))
      found.release()
    }
  })

  test("a small body lies in one run behind its head", () => {
    t.fill(key, bodyOf(900))
    const found = t.store.find(key)!
    expect(found.piece(0).length).toBe(900)
    expect(found.piece(0).byteOffset).toBe(found.head.byteOffset + head.length)
    expect(found.piece(10, 20)).toEqual(bodyOf(900).subarray(10, 30))
    found.release()
  })
})

describe("a replacement", () => {
  const key = new Key("http://a/", "#1")

  test("leaves the old entry to be found until its head is there", () => {
    t.fill(key, bodyOf(100, 1))
    expect(t.store.begin(key, false)).toBeNull()
    const filler = t.begin(key, true)
    expect(t.store.begin(key, true)).toBeNull()
    const old = t.store.find(key)!
    expect(old.state).toBe(ENTRY_COMPLETE)
    const waiting = t.store.pending(key)!
    expect(waiting.state).toBe(ENTRY_PENDING)
    filler.setHead(head, 50, [])
    expect(old.live).toBe(false)
    expect(readBody(old)).toEqual(Buffer.from(bodyOf(100, 1)))
    const young = t.store.find(key)!
    expect(young.place).toBe(filler.place)
    expect(waiting.place).toBe(filler.place)
    filler.append(bodyOf(50, 2))
    filler.complete()
    expect(readBody(young)).toEqual(Buffer.from(bodyOf(50, 2)))
    for (const entry of [old, young, waiting, filler]) entry.release()
    expect(t.store.pending(key)).toBeNull()
    expect(t.control.stats().entries).toBe(1)
  })

  test("that fails leaves the old one", () => {
    t.fill(key, bodyOf(100, 1))
    const filler = t.begin(key, true)
    filler.fail()
    filler.release()
    const old = t.store.find(key)!
    expect(readBody(old)).toEqual(Buffer.from(bodyOf(100, 1)))
    old.release()
    expect(t.begin(key, true).state).toBe(ENTRY_PENDING)
  })

  test("is found as soon as the old one is gone", () => {
    t.fill(key, bodyOf(100, 1))
    const filler = t.begin(key, true)
    const old = t.store.find(key)!
    t.store.parts.lock.take()
    t.store.parts.keeping.drop(old.place)
    t.store.parts.lock.release()
    old.release()
    const found = t.store.find(key)!
    expect(found.place).toBe(filler.place)
    found.release()
    filler.release()
    expect(t.control.stats().usedBytes).toBe(0)
  })
})
