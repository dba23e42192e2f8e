import { describe, expect, test } from "bun:test"
import { hashString, Random } from "../../../base/index.ts"
import { Key, setKeySeed } from "../key.ts"
import { KeyIndex } from "./key-index.ts"
import { KeyTable, keyTableBytes, keyTableLines, tagOf } from "./key-table.ts"

const seed = 9

function table(entriesMax: number): { words: Uint32Array; keys: KeyTable; index: KeyIndex } {
  setKeySeed(seed)
  const words = new Uint32Array(new SharedArrayBuffer(keyTableBytes(entriesMax)))
  return { words, keys: new KeyTable(words, seed), index: new KeyIndex(words, seed) }
}

const keyNo = (n: number): Key => new Key(`https://shop.example/articles/${n}?page=${n % 7}`, "")

describe("table of keys", () => {
  test("full to its limit it knows all that are in it, and hardly any other", () => {
    const entries = 50_000
    const { keys, index } = table(entries)
    for (let n = 0; n < entries; n++) index.add(keyNo(n).text)
    for (let n = 0; n < entries; n++) expect(keys.has(keyNo(n))).toBe(true)
    let wrong = 0
    for (let n = entries; n < 3 * entries; n++) if (keys.has(keyNo(n))) wrong++
    expect(wrong).toBeLessThanOrEqual(3)
  })

  test("its size follows from the number of entries alone", () => {
    expect(keyTableBytes(1_048_576)).toBe(keyTableLines(1_048_576) * 64)
    expect(keyTableBytes(1_048_576) / 1_048_576).toBeLessThan(10.5)
  })

  test("after any adding and removing it says yes to what is in it; empty again, no to all", () => {
    const { keys, index, words } = table(400)
    const random = new Random(4)
    const there = new Map<number, number>()
    for (let round = 0; round < 20_000; round++) {
      const n = random.below(500)
      // More than it was made for: lines run over.
      if (there.has(n) ? random.below(5) === 0 : true) {
        if (there.has(n)) {
          there.delete(n)
          index.remove(keyNo(n).text)
        } else {
          there.set(n, 1)
          index.add(keyNo(n).text)
        }
      }
      if (round % 500 === 0) for (const each of there.keys()) expect(keys.has(keyNo(each))).toBe(true)
    }
    for (const each of there.keys()) index.remove(keyNo(each).text)
    expect(words.every(word => word === 0)).toBe(true)
  })

  test("keys with equal hashes, a thousand of them, cost one line that says may be, and come out again", () => {
    const { words, keys } = table(1000)
    const hash = hashString("any", seed)
    const tag = tagOf("any", seed)
    let homeless = 0
    for (let n = 0; n < 1000; n++) if (!keys.put(hash, tag)) homeless++
    expect(homeless).toBeGreaterThan(960)
    expect(keys.hasHash(hash, tag)).toBe(true)
    expect(keys.hasHash(hash, tag === 5 ? 6 : 5)).toBe(true)
    let maybe = 0
    for (let n = 0; n < 1000; n++) if (keys.has(keyNo(n))) maybe++
    // The line is one of 161.
    expect(maybe).toBeLessThan(40)
    for (let n = 0; n < homeless; n++) keys.uncount(hash)
    for (let n = homeless; n < 1000; n++) expect(keys.drop(hash, tag)).toBe(true)
    expect(keys.drop(hash, tag)).toBe(false)
    expect(words.every(word => word === 0)).toBe(true)
  })

  test("one that found no place moves in when there is one, and the line answers for itself again", () => {
    const { keys, index, words } = table(20)
    for (let n = 0; n < 60; n++) index.add(keyNo(n).text)
    const counted = words.reduce((sum, word, at) => (at % 16 === 0 ? sum + word : sum), 0)
    expect(counted).toBeGreaterThan(0)
    for (let n = 20; n < 60; n++) index.remove(keyNo(n).text)
    for (let n = 0; n < 20; n++) expect(keys.has(keyNo(n))).toBe(true)
    expect(words.reduce((sum, word, at) => (at % 16 === 0 ? sum + word : sum), 0)).toBe(0)
  })
})
