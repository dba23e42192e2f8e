import { describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import type { BodySource } from "../entry-reader.ts"
import { representationOf } from "./representation.ts"
import { SliceRun } from "./slice-run.ts"
import { type HeldSlice, sliceKey } from "./slice-scope.ts"
import { SliceSeek } from "./slice-seek.ts"
import { film, requestFor, SLICE, SlicingThread } from "./slices.fixture.ts"

const x = requestFor()

function seek(thread: SlicingThread, number: number): HeldSlice {
  let held: HeldSlice | null = null
  const none = (): never => {
    throw new Error("no slice")
  }
  new SliceSeek(thread.scope(x), number, { took: slice => void (held = slice), otherCame: none, missed: none, othersFailed: none }).begin()
  return held!
}

function run(thread: SlicingThread, first: number, lastOctet: number): SliceRun {
  const slice = seek(thread, first)
  return new SliceRun(thread.scope(x), representationOf(slice.stored), slice, lastOctet)
}

/** Reads octets `from` up to, not including, `to`, at most `max` at a time. */
function read(source: BodySource, from: number, to: number, max = SLICE): Buffer {
  const pieces: Buffer[] = []
  for (let at = from; at < to; ) {
    const piece = source.piece(at, Math.min(max, to - at))
    if (piece.length === 0) break
    pieces.push(Buffer.from(piece))
    at += piece.length
  }
  return Buffer.concat(pieces)
}

function filled(length: number): { thread: SlicingThread; body: Buffer } {
  const thread = new SlicingThread()
  const body = randomBytes(length)
  for (let number = 0; number * SLICE < length; number++) thread.put(number, body)
  return { thread, body }
}

describe("a run of slices", () => {
  test("reads one behind the other, from anywhere, in pieces of any size", () => {
    const { thread, body } = filled(SLICE * 5 + 100)
    for (const [from, to, max] of [
      ...[[0, body.length, SLICE * 2] as const, [0, body.length, 1000] as const, [SLICE - 1, SLICE + 1, 1] as const],
      ...[[SLICE * 2, SLICE * 3, 777] as const, [SLICE * 5 + 99, SLICE * 5 + 100, 9] as const],
    ]) {
      const source = run(thread, Math.floor(from / SLICE), to - 1)
      expect(read(source, from, to, max).equals(body.subarray(from, to))).toBe(true)
      source.release()
    }
  })

  test("gives back what has been read: at most three are held, also where each is one piece", () => {
    for (const max of [SLICE, 10_000]) {
      const { thread, body } = filled(SLICE * 12)
      const source = run(thread, 0, body.length - 1)
      for (let number = 0; number < 12; number++) {
        read(source, number * SLICE, (number + 1) * SLICE, max)
        // Whoever holds an entry that nobody finds any more keeps its memory.
        const before = thread.usedBytes()
        for (let other = 0; other <= number; other++) thread.store.store.removeKey(sliceKey(film, other))
        expect(before - thread.usedBytes()).toBeLessThanOrEqual(SLICE * 2)
        expect(thread.usedBytes()).toBeLessThanOrEqual((12 - number + 2) * (SLICE + 8192))
      }
      source.release()
      expect(thread.usedBytes()).toBe(0)
    }
  })

  test("a piece stays as it is until the one after the next is asked for", () => {
    const { thread, body } = filled(SLICE * 3)
    const source = run(thread, 0, body.length - 1)
    const piece = source.piece(0, SLICE)
    const next = source.piece(SLICE, SLICE)
    for (let number = 0; number < 3; number++) thread.store.store.removeKey(sliceKey(film, number))
    const other = randomBytes(SLICE * 3)
    for (let number = 0; number < 3; number++) thread.put(number, other)
    expect([Buffer.from(piece).equals(body.subarray(0, SLICE)), Buffer.from(next).equals(body.subarray(SLICE, SLICE * 2))]).toEqual([true, true])
    source.release()
  })

  test("ends where a newer slice shows that the file has changed, and removes the old ones", () => {
    const { thread, body } = filled(SLICE * 4)
    thread.clock.advance(10)
    thread.put(2, randomBytes(SLICE * 4), 'ETag: "b"\r\n')
    const source = run(thread, 0, body.length - 1)
    expect(read(source, 0, body.length).length).toBeLessThanOrEqual(SLICE * 2)
    expect([source.failed, source.ended]).toEqual([true, true])
    source.release()
    const there = [0, 1, 2, 3].filter(number => {
      const entry = thread.store.store.find(sliceKey(film, number))
      entry?.release()
      return entry !== null
    })
    expect(there).toEqual([2])
  })
})
