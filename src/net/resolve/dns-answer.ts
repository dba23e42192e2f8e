import { type DnsMessage, type DnsRecord, RCODE_NO_NAME, RCODE_OK, TYPE_CNAME, TYPE_HTTPS, TYPE_SOA } from "./dns-message.ts"
import type { HttpsRecord } from "./https-record.ts"

const ALIASES_MAX = 16
const ADDRESSES_MAX = 128

/** What is known of one name and one type of records. */
export interface Answer {
  /** `no-data`: the name exists without such records; `no-name`: it does not exist; `timeout` and `failed`: nobody could say. */
  readonly kind: "found" | "no-data" | "no-name" | "timeout" | "failed"
  readonly addresses: readonly string[]
  /** What HTTPS records say, in no order; a text is one that is malformed. */
  readonly services: readonly (HttpsRecord | string)[]
  /** Whose the records are: the name, or the last that it is an alias for; "" = nothing is found. */
  readonly owner: string
  /** How long it holds, in seconds; -1 = the server did not say. */
  readonly ttl: number
  /** For messages: why it failed, or who answered. */
  readonly detail: string
}

const nothing = { addresses: [], services: [], owner: "" } as const

export function failedAnswer(kind: "timeout" | "failed", detail: string): Answer {
  return { ...nothing, kind, ttl: -1, detail }
}

/**
 * The records of `type` that a response gives for `name`, over its aliases (RFC 1034 section 3.6.2). Only records of the name and of what it is an
 * alias for count: a response may carry others, to poison a cache. The lifetime is the shortest of the chain.
 */
export function readAnswer(message: DnsMessage, name: string, type: number): Answer {
  if (message.rcode !== RCODE_OK && message.rcode !== RCODE_NO_NAME) return failedAnswer("failed", rcodeText(message.rcode))
  let owner = name
  let ttl = Infinity
  for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
    const records = message.answers.filter(record => record.name === owner && record.type === type)
    if (records.length > 0) return found(records, ttl)
    const alias = message.answers.find(record => record.name === owner && record.type === TYPE_CNAME)
    if (alias === undefined) return negative(message, ttl)
    owner = alias.value
    ttl = Math.min(ttl, alias.ttl)
  }
  return failedAnswer("failed", `more than ${ALIASES_MAX} aliases, or a loop of them`)
}

function found(records: readonly DnsRecord[], aliasTtl: number): Answer {
  const { name: owner, type } = records[0]!
  return {
    kind: "found",
    addresses: type === TYPE_HTTPS ? [] : [...new Set(records.map(record => record.value))].slice(0, ADDRESSES_MAX),
    services: records.map(record => record.https).filter(https => https !== null),
    owner,
    ttl: records.reduce((least, record) => Math.min(least, record.ttl), aliasTtl),
    detail: "",
  }
}

/** How long nothing is to be found (RFC 2308 section 5): the lesser of the SOA's own lifetime and its minimum. */
function negative(message: DnsMessage, aliasTtl: number): Answer {
  const soa = message.authorities.find(record => record.type === TYPE_SOA)
  const referral =
    message.rcode === RCODE_OK && soa === undefined && message.answers.length === 0 && !message.authoritative && !message.recursionAvailable
  if (referral) return failedAnswer("failed", "the server does not look up names for us (no recursion)")
  const kind = message.rcode === RCODE_NO_NAME ? "no-name" : "no-data"
  return { ...nothing, kind, ttl: soa === undefined ? -1 : Math.min(soa.ttl, soa.minimum, aliasTtl), detail: "" }
}

const rcodeNames: Readonly<Record<number, string>> = { 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED" }

export function rcodeText(rcode: number): string {
  return rcodeNames[rcode] ?? `response code ${rcode}`
}
