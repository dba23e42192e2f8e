import { hostNameFault, normaliseIp } from "../../base/index.ts"
import type { HttpsRecord } from "./https-record.ts"
import { specialName } from "./special-names.ts"

/** One way to reach an `https` origin, as its HTTPS records say (RFC 9460). Whatever it says, the certificate must be valid for the origin's own name. */
export interface OriginService {
  /** 1 to 65,535, the lowest first; 65,536 for what an alias leads to, which comes after all that records say (section 3). */
  readonly priority: number
  /** The name whose addresses to dial, in lower case, whole and without the final dot; "" = the origin's own. */
  readonly target: string
  /** Protocols by their ALPN names (octets as Latin-1), never empty. */
  readonly alpn: readonly string[]
  /** 0 = the origin's own. */
  readonly port: number
  /**
   * Address literals of the target in the order to dial, for use until its own are known; may be empty. They are what somebody else says, like any
   * address from a name server: rules about addresses apply to them.
   */
  readonly hints: readonly string[]
}

const SERVICES_MAX = 16

/** Lower priorities first; records of the same one share the load, so chance has them (RFC 9460 section 2.4.1). `target` says whose addresses a record means; null = it is passed over. */
export function readServices(records: readonly HttpsRecord[], target: (record: HttpsRecord) => string | null): OriginService[] {
  const services: OriginService[] = []
  for (const record of shuffled(records)) {
    const name = target(record)
    if (!record.usable || name === null) continue
    services.push({ priority: record.priority, target: name, alpn: record.alpn, port: record.port, hints: record.hints })
  }
  return services.sort((a, b) => a.priority - b.priority).slice(0, SERVICES_MAX)
}

/** The end of a chain of aliases itself: it may have addresses and no HTTPS record (section 3). */
export function aliasService(target: string): OriginService {
  return { priority: 65_536, target, alpn: ["http/1.1"], port: 0, hints: [] }
}

/** Whether services may be asked for at a name, or be there: a host name, with or without the final dot, that is neither reserved nor reads as an address. */
export function isTarget(name: string): boolean {
  const whole = name.endsWith(".") ? name.slice(0, -1) : name
  return hostNameFault(name) === null && normaliseIp(whole) === null && specialName(whole) === null
}

/** In a random order (Fisher and Yates). */
export function shuffled<Item>(items: readonly Item[]): Item[] {
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const item = order[i]!
    order[i] = order[j]!
    order[j] = item
  }
  return order
}
