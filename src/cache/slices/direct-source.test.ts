import { describe, expect, test } from "bun:test"
import { acquireExchange } from "../../flow/index.ts"
import { DirectSource } from "./direct-source.ts"

function source(): { source: DirectSource; drains(): number; releases(): number } {
  let drained = 0
  let released = 0
  const f = Object.assign(acquireExchange(), { onDownDrain: () => void drained++ })
  return { source: new DirectSource(f, 30, () => void released++), drains: () => drained, releases: () => released }
}

const octets = (text: string): Buffer => Buffer.from(text)

describe("what there is no room for", () => {
  test("is held back until it has been read, and copied: chunks are lent", async () => {
    const { source: direct, drains } = source()
    const chunk = octets("0123456789")
    expect(direct.push(chunk)).toBe(false)
    chunk.fill(0)
    expect([direct.piece(0, 4).toString(), direct.piece(4).toString()]).toEqual(["0123", "456789"])
    expect(direct.piece(10).length).toBe(0)
    await Promise.resolve()
    expect(drains()).toBe(1)
  })

  test("goes on at once when its reader takes it within the call", async () => {
    const { source: direct, drains } = source()
    let at = 0
    const take = (): void => {
      for (let piece = direct.piece(at); piece.length > 0; piece = direct.piece(at)) at += piece.length
      direct.watch(take)
    }
    take()
    expect([direct.push(octets("01234")), direct.push(octets("56789")), at]).toEqual([true, true, 10])
    await Promise.resolve()
    expect(drains()).toBe(0)
  })

  test("what goes before the reader's place is passed over", () => {
    const { source: direct } = source()
    direct.push(octets("0123456789"))
    expect(direct.piece(15).length).toBe(0)
    direct.push(octets("abcdefghij"))
    expect(direct.piece(15).toString()).toBe("fghij")
  })

  test("ends the fetch with its reader, unless that is over", () => {
    const first = source()
    first.source.release()
    expect(first.releases()).toBe(1)
    const second = source()
    second.source.end()
    second.source.release()
    expect([second.releases(), second.source.ended, second.source.failed]).toEqual([0, true, false])
  })
})
