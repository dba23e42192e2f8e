import { expect, test } from "bun:test"
import fc from "fast-check"
import { Backlog } from "./backlog.ts"

/** A socket that takes what it is told to take. */
function drain(backlog: Backlog, portions: readonly number[]): Buffer {
  const out: Uint8Array[] = []
  for (let turn = 0; ; turn++) {
    const next = backlog.next
    if (next === null) return Buffer.concat(out)
    const count = Math.min(next.length, portions[turn % portions.length]!)
    out.push(Buffer.from(next.subarray(0, count)))
    backlog.take(count)
  }
}

const sizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 16_000, max: 16_500 }), fc.integer({ min: 131_000, max: 400_000 })),
  {
    minLength: 1,
    maxLength: 8,
  },
)

test("octets leave in their order, whatever becomes of the memory that they came in", () => {
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 5 }), fc.nat(100), (lengths, portions, from) => {
      const backlog = new Backlog()
      const expected: Buffer[] = []
      let seed = 7
      for (const length of lengths) {
        const lent = Buffer.alloc(length)
        for (let at = 0; at < length; at += 61) lent[at] = seed = (seed * 31 + at) & 255
        backlog.add(lent, from)
        expected.push(Buffer.from(lent.subarray(from)))
        lent.fill(255)
      }
      expect(drain(backlog, portions).equals(Buffer.concat(expected))).toBe(true)
      expect(backlog.next).toBeNull()
    }),
    { seed: 11, numRuns: 60 },
  )
})

test("what is left can be taken as one piece", () => {
  const backlog = new Backlog()
  backlog.add(Buffer.from("abcdef"), 2)
  backlog.add(Buffer.alloc(200_000, "x"), 0)
  backlog.take(1)
  const rest = Buffer.from(backlog.takeAll()!)
  expect([rest.subarray(0, 4).toString(), rest.length, backlog.next, backlog.takeAll()]).toEqual(["defx", 200_003, null, null])
})

test("two backlogs never share a piece", () => {
  const [one, two] = [new Backlog(), new Backlog()]
  one.add(Buffer.alloc(50_000, "1"), 0)
  one.clear()
  one.add(Buffer.alloc(60_000, "2"), 0)
  two.add(Buffer.alloc(60_000, "3"), 0)
  expect([one.takeAll()!.every(octet => octet === 50), two.takeAll()!.every(octet => octet === 51)]).toEqual([true, true])
})
