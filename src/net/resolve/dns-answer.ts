import { type DnsMessage, RCODE_NO_NAME, RCODE_OK, TYPE_CNAME, TYPE_SOA } from "./dns-message.ts"

const ALIASES_MAX = 16
const ADDRESSES_MAX = 128

/** What is known of one name and one address family. */
export interface Answer {
  /** `no-data`: the name exists without such addresses; `no-name`: it does not exist; `timeout` and `failed`: nobody could say. */
  readonly kind: "found" | "no-data" | "no-name" | "timeout" | "failed"
  readonly addresses: readonly string[]
  /** How long it holds, in seconds; -1 = the server did not say. */
  readonly ttl: number
  /** For messages: why it failed, or who answered. */
  readonly detail: string
}

export function failedAnswer(kind: "timeout" | "failed", detail: string): Answer {
  return { kind, addresses: [], ttl: -1, detail }
}

/**
 * The addresses of `type` that a response gives for `name`, over its aliases (RFC 1034 section 3.6.2). Only records of the name and of what it is an
 * alias for count: a response may carry others, to poison a cache. The lifetime is the shortest of the chain.
 */
export function readAnswer(message: DnsMessage, name: string, type: number): Answer {
  if (message.rcode !== RCODE_OK && message.rcode !== RCODE_NO_NAME) return failedAnswer("failed", rcodeText(message.rcode))
  let owner = name
  let ttl = Infinity
  for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
    const records = message.answers.filter(record => record.name === owner && record.type === type)
    if (records.length > 0) {
      const addresses = [...new Set(records.map(record => record.value))].slice(0, ADDRESSES_MAX)
      return { kind: "found", addresses, ttl: records.reduce((least, record) => Math.min(least, record.ttl), ttl), detail: "" }
    }
    const alias = message.answers.find(record => record.name === owner && record.type === TYPE_CNAME)
    if (alias === undefined) return negative(message, ttl)
    owner = alias.value
    ttl = Math.min(ttl, alias.ttl)
  }
  return failedAnswer("failed", `more than ${ALIASES_MAX} aliases, or a loop of them`)
}

/** How long nothing is to be found (RFC 2308 section 5): the lesser of the SOA's own lifetime and its minimum. */
function negative(message: DnsMessage, aliasTtl: number): Answer {
  const soa = message.authorities.find(record => record.type === TYPE_SOA)
  const referral =
    message.rcode === RCODE_OK && soa === undefined && message.answers.length === 0 && !message.authoritative && !message.recursionAvailable
  if (referral) return failedAnswer("failed", "the server does not look up names for us (no recursion)")
  const kind = message.rcode === RCODE_NO_NAME ? "no-name" : "no-data"
  return { kind, addresses: [], ttl: soa === undefined ? -1 : Math.min(soa.ttl, soa.minimum, aliasTtl), detail: "" }
}

const rcodeNames: Readonly<Record<number, string>> = { 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED" }

export function rcodeText(rcode: number): string {
  return rcodeNames[rcode] ?? `response code ${rcode}`
}
