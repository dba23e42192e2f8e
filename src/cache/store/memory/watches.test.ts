import { beforeEach, describe, expect, test } from "bun:test"
import { ENTRY_FAILED, ENTRY_FILLING, ENTRY_PENDING } from "../contract.ts"
import { Key } from "../key.ts"
import { bodyOf, head, TestStore } from "./memory-store.fixture.ts"

let t: TestStore
beforeEach(() => {
  t = new TestStore()
})

describe("watching", () => {
  const key = new Key("http://a/", "")

  test("tells of each change once, from the fill's own calls", () => {
    const filler = t.begin(key)
    const reader = t.store.find(key)!
    let calls = 0
    const changed = (): void => void calls++
    reader.watch(changed)
    expect(calls).toBe(0)
    filler.setHead(head, 10, [])
    expect(calls).toBe(1)
    filler.append(bodyOf(5))
    expect(calls).toBe(1)
    expect(reader.filled).toBe(5)
    expect(reader.state).toBe(ENTRY_FILLING)
    reader.watch(changed)
    filler.append(bodyOf(5))
    expect(calls).toBe(2)
    reader.watch(changed)
    reader.unwatch(changed)
    filler.complete()
    expect(calls).toBe(2)
    filler.release()
    reader.release()
  })

  test("sees what another thread does, and what was missed before", async () => {
    const filler = t.other().begin(key, false)!
    const reader = t.store.find(key)!
    await new Promise<void>(resolve => {
      reader.watch(resolve)
      filler.setHead(head, 10, [])
    })
    expect(reader.state).toBe(ENTRY_FILLING)
    expect(reader.filled).toBe(0)
    filler.append(bodyOf(5))
    await new Promise<void>(resolve => reader.watch(resolve))
    expect(reader.filled).toBe(5)
    filler.release()
    await new Promise<void>(resolve => reader.watch(resolve))
    expect(reader.state).toBe(ENTRY_FAILED)
    reader.release()
  })

  test("tells when a pending entry is removed", async () => {
    const filler = t.begin(key)
    const reader = t.store.find(key)!
    expect(reader.state).toBe(ENTRY_PENDING)
    const told = new Promise<void>(resolve => reader.watch(resolve))
    const rung = t.store.parts.bells.count
    t.store.removeKey(key)
    expect(t.store.parts.bells.count).toBe(rung + 1)
    await told
    expect(reader.live).toBe(false)
    reader.release()
    filler.release()
  })
})
