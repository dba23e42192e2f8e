import { CidrSet, FAULT, hostNameFault, log, PRIVATE_RANGES, writeIp } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, notesOf, resume, setLocalResponse, type Step, type Verdict, WAIT } from "../../flow/index.ts"
import type { DnsExchange } from "../../http/index.ts"
import { addressOfReverse, type DnsReply, nameData, nothingFound, RCODE, specialName, StandIns, TYPE } from "../../net/index.ts"
import type { OriginResolver } from "../../upstream/index.ts"
import type { Config, ListenerConfig } from "../schema.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { OwnAddresses } from "./own-addresses.ts"

type DnsConfig = NonNullable<ListenerConfig["dns"]>

/** Names that tell programs whether they may resolve by themselves, past us: they are told that they may not. Firefox, and Apple's Private Relay. */
const CANARIES = new Set(["use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com"])
/** Lifetime of what our own resolver has found, which knows better when to ask again. */
const RESOLVED_TTL = 30
const NEGATIVE_TTL = 5
const BLOCKED_TTL = 60
/** What the resolver says of names that are none, or none for us. */
const MISSING: ReadonlySet<string> = new Set(["no-name", "blocked"])
/** SVCB, HTTPS, ANY. */
const UNTOLD: ReadonlySet<number> = new Set([64, 65, 255])
/** Seconds between two lines about names that get no address. */
const TELL_MS = 10_000

/** Memory of a listener's stand-ins, and what it is for; null = it has none. */
export function standInMemory(
  name: string,
  { dns }: ListenerConfig,
): { readonly key: string; readonly bytes: number; readonly options: DnsConfig } | null {
  return dns?.answer === "stand-in" ? { key: `dns/${name}`, bytes: StandIns.bytes(dns), options: dns } : null
}

/** The stand-ins of a config, by the name of their listener. */
export function standInsOf({ listeners }: Config, { shared }: CompileDeps): Map<string, StandIns> {
  const out = new Map<string, StandIns>()
  for (const [name, listener] of Object.entries(listeners)) {
    const memory = standInMemory(name, listener)
    if (memory === null) continue
    const { key, bytes, options } = memory
    out.set(name, new StandIns(shared?.(key, bytes) ?? new SharedArrayBuffer(bytes), options))
  }
  return out
}

/** Which name an address stands for at any of the listeners; "" = none that is remembered, null = it stands for none. */
export function standInNames(standIns: Iterable<StandIns>): (address: string) => string | null {
  const all = [...standIns]
  return address => {
    for (const each of all) {
      const name = each.nameOf(address)
      if (name !== null) return name
    }
    return null
  }
}

/** The step that answers the queries of a listener. */
export function dnsStep(dns: DnsConfig, standIns: StandIns | null, { resolver, lists }: Pick<CompileDeps, "resolver" | "lists">): Step {
  const blocked = dns.block.map(name => lists!.get(name))
  const from = CidrSet.parse([...dns.from])
  // Queries of this machine that are brought here come from whatever address it would have called from.
  const own = new OwnAddresses()
  const answer = standIns === null ? resolvingAnswer(resolver) : standInAnswer(standIns)
  return (x: Exchange): Verdict => {
    const down = x.down as DnsExchange
    if (!from.has(x.peerAddress) && !own.has(x.peerAddress)) {
      // No word to others: what answers everybody is used against anybody.
      down.silent = true
      x.fault = FAULT.forbidden
      return FAULT_VERDICT
    }
    if (!blocked.some(list => list.has(x.host))) return answer(x, down)
    notesOf(x).action = "block"
    return say(x, down, nothingFound(RCODE.noName, BLOCKED_TTL))
  }
}

type Answer = (x: Exchange, down: DnsExchange) => Verdict

function standInAnswer(standIns: StandIns): Answer {
  let toldAt = -Infinity
  return (x, down) => {
    const { name, type } = down.ask
    if (type === TYPE.ptr) return reverse(x, down, standIns)
    const special = ownAnswer(name, type)
    if (special !== null) return say(x, down, special)
    if (type !== TYPE.a && !(type === TYPE.aaaa && standIns.hasSix)) return say(x, down, nothingFound(RCODE.ok, standIns.ttlSeconds))
    const data = standIns.give(name, type === TYPE.a ? 4 : 6)
    if (data !== null) return say(x, down, { rcode: RCODE.ok, records: [{ type, ttl: standIns.ttlSeconds, data }], negativeTtl: 0 })
    const now = Date.now()
    if (now - toldAt > TELL_MS) log.warn("dns", "a name gets no address: namesMax is reached", { name, listener: x.listener!.name })
    toldAt = now - toldAt > TELL_MS ? now : toldAt
    return say(x, down, nothingFound(RCODE.failed))
  }
}

function reverse(x: Exchange, down: DnsExchange, standIns: StandIns): Verdict {
  const address = addressOfReverse(down.ask.name)
  const name = address === null ? null : standIns.nameOf(address)
  if (name === null || name === "") return say(x, down, nothingFound(RCODE.noName, NEGATIVE_TTL))
  return say(x, down, { rcode: RCODE.ok, records: [{ type: TYPE.ptr, ttl: standIns.ttlSeconds, data: nameData(name) }], negativeTtl: 0 })
}

/** Answers that need nobody: names that are none, that never exist, that are this machine, and those that ask whether we may be passed by. `.onion` is an exit's matter. */
function ownAnswer(name: string, type: number): DnsReply | null {
  if (CANARIES.has(name) || name === "" || hostNameFault(name) !== null) return nothingFound(RCODE.noName, NEGATIVE_TTL)
  const special = name.endsWith(".onion") ? null : specialName(name)
  if (special === "no-name" || name.endsWith(".local") || name.endsWith(".arpa")) return nothingFound(RCODE.noName, NEGATIVE_TTL)
  return special === "loopback" ? addresses(["127.0.0.1", "::1"], type) : null
}

function resolvingAnswer(resolver: OriginResolver): Answer {
  return (x, down) => {
    const { name, type } = down.ask
    const special = type === TYPE.ptr ? ownReverse(name) : ownAnswer(name, type)
    if (special !== null) return say(x, down, special)
    if (type !== TYPE.a && type !== TYPE.aaaa) return relay(x, down, resolver)
    const { generation } = x
    let waits = false
    let verdict: Verdict = WAIT
    resolver.lookup(name, (error, found) => {
      if (x.generation !== generation) return
      const isMissing = error !== null && MISSING.has((error as Error & { code?: string }).code ?? "")
      const texts = found.map(({ address }) => address)
      verdict = say(
        x,
        down,
        error === null ? addresses(texts, type) : nothingFound(isMissing ? RCODE.noName : RCODE.failed, isMissing ? NEGATIVE_TTL : 0),
      )
      if (waits) resume(x, verdict)
    })
    waits = true
    return verdict
  }
}

/** Names of addresses that are nobody's in the Internet are asked of nobody there (RFC 6303). */
function ownReverse(name: string): DnsReply | null {
  const address = addressOfReverse(name)
  return address === null || PRIVATE_RANGES.has(address) ? nothingFound(RCODE.noName, NEGATIVE_TTL) : null
}

/** What the name servers say, but of other servers for the name: clients would call them past us. */
function relay(x: Exchange, down: DnsExchange, resolver: OriginResolver): Verdict {
  const { name, type } = down.ask
  if (UNTOLD.has(type) || resolver.relay === undefined) return say(x, down, nothingFound(RCODE.ok, NEGATIVE_TTL))
  const { generation } = x
  let waits = false
  let verdict: Verdict = WAIT
  resolver.relay(name, type, message => {
    if (x.generation !== generation) return
    const relayed = message?.slice()
    verdict = say(x, down, relayed === undefined ? nothingFound(RCODE.failed) : { rcode: relayed[3]! & 15, records: [], negativeTtl: 0, relayed })
    if (waits) resume(x, verdict)
  })
  waits = true
  return verdict
}

/** Those of the family that is asked for. */
function addresses(texts: readonly string[], type: number): DnsReply {
  const wanted = type === TYPE.a ? 4 : type === TYPE.aaaa ? 16 : 0
  const records = texts.flatMap(text => {
    const data = new Uint8Array(16)
    const octets = writeIp(text, data, 0)
    return octets === wanted && octets !== 0 ? [{ type, ttl: RESOLVED_TTL, data: data.slice(0, octets) }] : []
  })
  return { rcode: RCODE.ok, records, negativeTtl: NEGATIVE_TTL }
}

/** Statuses stand for codes in log and metrics. */
const STATUS: Readonly<Record<number, number>> = { [RCODE.ok]: 200, [RCODE.noName]: 404, [RCODE.failed]: 502 }

function say(x: Exchange, down: DnsExchange, reply: DnsReply): Verdict {
  down.reply = reply
  setLocalResponse(x, STATUS[reply.rcode] ?? 500, "", null)
  return ANSWER
}
