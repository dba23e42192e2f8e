import { normaliseIp } from "../../base/index.ts"

const FOUR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/
const SIX = /^((?:[0-9a-f]\.){32})ip6\.arpa$/

/** The address whose name a PTR query wants to know (RFC 1035 section 3.5, RFC 3596 section 2.5); null = none. */
export function addressOfReverse(name: string): string | null {
  const four = FOUR.exec(name)
  if (four !== null) return normaliseIp(`${four[4]}.${four[3]}.${four[2]}.${four[1]}`)
  const six = SIX.exec(name)
  if (six === null) return null
  const digits = six[1]!.split(".").reverse().join("")
  return normaliseIp(digits.replaceAll(/(.{4})(?!$)/g, "$1:"))
}
