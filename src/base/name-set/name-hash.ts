// HOT
import { mix32 } from "../hash.ts"

const A = 0x9e3779b1
const B = 0x85ebca77

/**
 * A seeded hash of a host name that is read from the right, so that one walk over a host gives the hashes of all the names that it is in: `step` takes one
 * character, `finish` leaves in `high` and `low` what the characters so far give. Two lanes of 32 bits; each step is a bijection of its lane, so that two
 * names of one length never meet by a lost bit. Not for keys that an attacker chooses to make tables slow: lists are the operator's.
 */
export class NameHash {
  high = 0
  low = 0
  private readonly seedA: number
  private readonly seedB: number
  private a = 0
  private b = 0

  constructor(seedA: number, seedB: number) {
    this.seedA = seedA | 0
    this.seedB = seedB | 0
  }

  begin(): void {
    this.a = this.seedA
    this.b = this.seedB
  }

  step(code: number): void {
    const a = Math.imul(this.a ^ code, A)
    this.a = a ^ (a >>> 15)
    const b = Math.imul(this.b ^ (code << 7) ^ code, B)
    this.b = b ^ (b >>> 13)
  }

  finish(): void {
    this.high = mix32(this.a)
    this.low = mix32(this.b ^ Math.imul(this.a, 0xc2b2ae3d))
  }
}
