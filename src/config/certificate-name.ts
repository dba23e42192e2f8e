import { domainToASCII } from "node:url"
import { hostNameFault, normaliseIp } from "../base/index.ts"

/** The one spelling of a certificate's name: lower case, A-labels, addresses as they are usually written; null = it is none. */
export function certificateName(text: string): string | null {
  const address = normaliseIp(text)
  if (address !== null) return address
  const wildcard = text.startsWith("*.")
  const rest = wildcard ? text.slice(2) : text
  const ascii = /[^\0-\x7f]/.test(rest) ? domainToASCII(rest) : rest.toLowerCase()
  const name = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii
  if (name === "" || hostNameFault(name) !== null) return null
  return wildcard ? `*.${name}` : name
}

/** Endings that no public authority signs names under: RFC 6761, 6762, 8375, 9476 and what ICANN has set aside for private use. */
const PRIVATE_ENDINGS = ["localhost", "local", "internal", "test", "example", "invalid", "onion", "alt", "home.arpa"]

/** Whether a public authority may issue for it. */
export function isPublicName(name: string): boolean {
  const plain = name.startsWith("*.") ? name.slice(2) : name
  return normaliseIp(plain) === null && plain.includes(".") && !PRIVATE_ENDINGS.some(ending => plain === ending || plain.endsWith(`.${ending}`))
}
