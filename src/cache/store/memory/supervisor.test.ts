import { beforeEach, describe, expect, test } from "bun:test"
import { ENTRY_COMPLETE, ENTRY_FAILED } from "../contract.ts"
import { Key } from "../key.ts"
import { bodyOf, head, readBody, TestStore } from "./memory-store.fixture.ts"

let t: TestStore
beforeEach(() => {
  t = new TestStore()
})

describe("removal", () => {
  test("takes a group's entries with all their variants, and nothing else", () => {
    for (const rest of ["", "#1", "#2"]) t.fill(new Key("http://a/", rest), bodyOf(10))
    t.fill(new Key("http://a/b", ""), bodyOf(10))
    expect(t.store.removeGroup(new Key("http://a/", ""), false)).toBe(3)
    expect(t.store.find(new Key("http://a/", "#1"))).toBeNull()
    const other = t.store.find(new Key("http://a/b", ""))!
    other.release()
    expect(t.store.removeKey(new Key("http://a/b", ""))).toBe(true)
    expect(t.store.removeKey(new Key("http://a/b", ""))).toBe(false)
    expect(t.control.stats().usedBytes).toBe(0)
  })

  test("with a mark leaves what is complete and takes what is under way", () => {
    const key = new Key("http://a/", "")
    t.fill(key, bodyOf(10))
    const filler = t.begin(new Key("http://a/", "#1"))
    expect(t.store.removeGroup(key, true)).toBe(2)
    const found = t.store.find(key)!
    expect(found.marked).toBe(true)
    found.release()
    expect(filler.live).toBe(false)
    filler.release()
  })

  test("of a fill lets it be completed for those who have it, and found by nobody", () => {
    const key = new Key("http://a/", "")
    const filler = t.begin(key)
    const reader = t.store.find(key)!
    expect(t.control.purge({ by: "all" }, false)).toBe(1)
    expect(t.store.find(key)).toBeNull()
    expect(filler.setHead(head, 3, [])).toBe(true)
    expect(filler.append(bodyOf(3))).toBe(true)
    expect(filler.complete()).toBe(true)
    expect(t.store.find(key)).toBeNull()
    expect(reader.state).toBe(ENTRY_COMPLETE)
    expect(readBody(reader)).toEqual(Buffer.from(bodyOf(3)))
    filler.release()
    reader.release()
    expect(t.control.stats().usedBytes).toBe(0)
  })

  test("by prefix and by label", () => {
    t.fill(new Key("http://a/x", ""), bodyOf(10), ["red", "blue"])
    t.fill(new Key("http://a/y", ""), bodyOf(10), ["blues"])
    t.fill(new Key("http://b/x", ""), bodyOf(10), ["blue"])
    const filler = t.begin(new Key("http://c/", ""))
    expect(t.control.list({ by: "label", label: "blue" }, 10).map(each => each.key)).toEqual(["http://a/x", "http://b/x"])
    expect(t.control.purge({ by: "label", label: "blue" }, false)).toBe(3)
    expect(filler.live).toBe(false)
    filler.release()
    expect(t.control.list({ by: "all" }, 10).map(each => each.key)).toEqual(["http://a/y"])
    expect(t.control.purge({ by: "prefix", prefix: "http://a/z" }, false)).toBe(0)
    expect(t.control.purge({ by: "prefix", prefix: "http://a/" }, true)).toBe(1)
    expect(t.control.list({ by: "prefix", prefix: "http://" }, 10)[0]).toEqual({
      key: "http://a/y",
      group: "http://a/y",
      head: new Uint8Array(head),
      bodyLength: 10,
      marked: true,
      tier: "memory",
    })
    expect(t.control.purge({ by: "group", group: "http://a/y" }, false)).toBe(1)
    expect(t.control.stats()).toMatchObject({ entries: 0, usedBytes: 0, wasteBytes: 0 })
  })
})

describe("a lost worker", () => {
  test("what it filled fails, what it held is free", () => {
    const lost = t.other()
    const key = new Key("http://a/", "")
    const other = new Key("http://b/", "")
    t.fill(other, bodyOf(100))
    lost.begin(key, false)!.setHead(head, 10, [])
    lost.find(other)
    const reader = t.store.find(key)!
    t.control.workerLost(1)
    expect(reader.state).toBe(ENTRY_FAILED)
    reader.release()
    expect(t.store.find(key)).toBeNull()
    t.store.removeKey(other)
    expect(t.control.stats()).toMatchObject({ entries: 0, usedBytes: 0 })
  })

  test("that had the lock leaves a retired store", () => {
    const lost = t.other()
    const key = new Key("http://a/", "")
    t.fill(key, bodyOf(100))
    const reader = t.store.find(key)!
    const filler = t.begin(new Key("http://b/", ""))
    lost.parts.lock.take()
    t.control.workerLost(1)
    expect(t.store.retired).toBe(true)
    expect(t.store.find(key)).toBeNull()
    expect(t.store.begin(key, true)).toBeNull()
    expect(readBody(reader)).toEqual(Buffer.from(bodyOf(100)))
    expect(filler.setHead(head, 10, [])).toBe(false)
    reader.release()
    filler.release()
    expect(t.control.stats().retired).toBe(true)
  })
})
