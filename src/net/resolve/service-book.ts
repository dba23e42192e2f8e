import { type Clock, hostNameFault, log } from "../../base/index.ts"
import type { Lifetimes } from "./cache-entry.ts"
import { NameCache } from "./name-cache.ts"
import type { OriginService } from "./origin-service.ts"
import { type ServiceAnswer, ServiceLookup, serviceName, type ServiceQuestion } from "./service-lookup.ts"

/** Called once, perhaps before the call that asks has returned. */
export type ServicesCallback = (services: readonly OriginService[]) => void

export const noServices: readonly OriginService[] = []

export interface ServiceBookParts {
  readonly clock: Clock
  readonly lifetimes: Lifetimes
  /** Origins that are remembered. */
  readonly cacheMax: number
  /** Whether one more may be asked for now. */
  readonly hasRoom: () => boolean
  /** How to ask for an origin; null = no server is asked. */
  readonly question: (name: string, port: number) => ServiceQuestion | null
}

interface Entry {
  readonly services: readonly OriginService[]
  readonly expiresAt: number
  used: boolean
}

interface ServiceFlight {
  lookup: ServiceLookup | null
  waiters: ServicesCallback[]
}

/** What HTTPS records say of origins: remembered, and asked for once at a time. */
export class ServiceBook {
  private readonly parts: ServiceBookParts
  private readonly cache: NameCache<Entry>
  private readonly flights = new Map<string, ServiceFlight>()

  constructor(parts: ServiceBookParts) {
    this.parts = parts
    this.cache = new NameCache(parts.cacheMax)
  }

  /** Origins under way. */
  get pending(): number {
    return this.flights.size
  }

  /** `name` in lower case, with or without the final dot. What is known is called back at once. */
  ask(name: string, port: number, done: ServicesCallback): void {
    const key = `${name}:${port}`
    const entry = this.cache.get(key)
    if (entry !== undefined) {
      entry.used = true
      if (this.parts.clock.now() < entry.expiresAt) return done(entry.services)
    }
    const flight = this.flights.get(key) ?? this.depart(key, name, port)
    if (flight === null) done(noServices)
    else flight.waiters.push(done)
  }

  /** Those who wait get nothing, and all is forgotten. */
  close(): void {
    const flights = [...this.flights]
    this.flights.clear()
    this.cache.clear()
    for (const [key, flight] of flights) {
      flight.lookup?.cancel()
      tell(key, flight, noServices)
    }
  }

  private depart(key: string, name: string, port: number): ServiceFlight | null {
    if (!this.parts.hasRoom()) return null
    const question = this.parts.question(name, port)
    if (question === null || hostNameFault(serviceName(question.candidates[0]!, port)) !== null) return null
    const flight: ServiceFlight = { lookup: null, waiters: [] }
    this.flights.set(key, flight)
    flight.lookup = new ServiceLookup(question, answer => this.land(key, flight, answer))
    return flight
  }

  private land(key: string, flight: ServiceFlight, answer: ServiceAnswer): void {
    this.flights.delete(key)
    const expiresAt = this.parts.clock.now() + lifetimeMs(answer, this.parts.lifetimes)
    this.cache.set(key, { services: answer.services, expiresAt, used: this.cache.get(key)?.used === true })
    tell(key, flight, answer.services)
  }
}

function lifetimeMs({ found, ttl }: ServiceAnswer, { negativeTtlMs, ttlMinMs, ttlMaxMs }: Lifetimes): number {
  if (found) return Math.min(ttlMaxMs, Math.max(ttlMinMs, ttl * 1000))
  return ttl < 0 ? negativeTtlMs : Math.min(negativeTtlMs, ttl * 1000)
}

/** Answers all who wait; one that throws does not take the others' answer. */
function tell(key: string, { waiters }: ServiceFlight, services: readonly OriginService[]): void {
  for (const waiter of waiters) {
    try {
      waiter(services)
    } catch (thrown) {
      log.error("net", "who asked for services threw", { origin: key, error: thrown })
    }
  }
}
