import { describe, expect, test } from "bun:test"
import { Stash } from "./stash.ts"

/** All of it, in pieces. */
function drain(stash: Stash): Buffer[] {
  const pieces: Buffer[] = []
  while (!stash.empty) pieces.push(stash.take())
  return pieces
}

describe("a stash", () => {
  test("gives back what it got, in order, whatever the sizes", () => {
    const stash = new Stash()
    const all: Buffer[] = []
    for (let i = 0; i < 400; i++) {
      const chunk = Buffer.alloc((i * 37) % 5 === 0 ? 5000 : (i * 31) % 700, String.fromCharCode(97 + (i % 26)))
      if (chunk.length === 0) continue
      all.push(chunk)
      stash.add(chunk)
      // Whoever gave it may use the memory again.
      all[all.length - 1] = Buffer.from(chunk)
      chunk.fill(0)
    }
    expect(Buffer.concat(drain(stash)).equals(Buffer.concat(all))).toBe(true)
  })
  test("puts small pieces together, and keeps no slab for a few octets", () => {
    const stash = new Stash()
    for (let i = 0; i < 10_000; i++) stash.add(Buffer.from("x"))
    expect(drain(stash).map(piece => piece.length)).toEqual([4096, 4096, 1808])
    stash.add(Buffer.from("abc"))
    const [small] = drain(stash)
    expect([small!.toString(), small!.buffer.byteLength < 4096 || small!.byteOffset > 0]).toEqual(["abc", true])
  })
  test("goes on while it is being emptied", () => {
    const stash = new Stash()
    stash.add(Buffer.from("ab"))
    expect(stash.take().toString()).toBe("ab")
    stash.add(Buffer.from("cd"))
    stash.add(Buffer.from("ef"))
    expect(Buffer.concat(drain(stash)).toString()).toBe("cdef")
  })
})
