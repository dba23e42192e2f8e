import { ipFamily } from "../../base/index.ts"

export interface ResolvedAddress {
  /** Address literal, as `normaliseIp` writes it. */
  readonly address: string
  readonly family: 4 | 6
}

/**
 * The order to dial in (RFC 8305 section 4): IPv6 first, then the families in turn, each in the order it came. So a client whose one family is broken
 * loses a single attempt.
 */
export function interleave(addresses: readonly string[]): ResolvedAddress[] {
  const tagged = addresses.map((address): ResolvedAddress => ({ address, family: ipFamily(address) === 6 ? 6 : 4 }))
  const six = tagged.filter(entry => entry.family === 6)
  const four = tagged.filter(entry => entry.family === 4)
  const order: ResolvedAddress[] = []
  for (let i = 0; i < Math.max(six.length, four.length); i++) {
    if (i < six.length) order.push(six[i]!)
    if (i < four.length) order.push(four[i]!)
  }
  return order
}
