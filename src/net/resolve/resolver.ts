import { type Clock, hostNameFault, log, normaliseIp, systemClock } from "../../base/index.ts"
import { interleave, type ResolvedAddress } from "./address-order.ts"
import { CacheEntry, type Lifetimes } from "./cache-entry.ts"
import { DnsQuery } from "./dns-query.ts"
import { Flight, type FlightHandler, type ResolveCallback } from "./flight.ts"
import { HostsFile } from "./hosts-file.ts"
import { NameCache } from "./name-cache.ts"
import type { ServerConfig } from "./name-servers.ts"
import { type NameAnswer, NameLookup } from "./name-lookup.ts"
import { isTarget } from "./origin-service.ts"
import { ResolveError } from "./resolve-error.ts"
import { noServices, ServiceBook, type ServicesCallback } from "./service-book.ts"
import type { ServiceQuestion } from "./service-lookup.ts"
import { loopbackAddresses, specialName } from "./special-names.ts"
import { type QueryOptions, SystemServers } from "./system-servers.ts"

export interface ResolverOptions {
  /** Name servers, `address`, `address:port`, or such as speak TLS or HTTPS. Default: those of `resolvConf`, with its search domains. */
  servers?: readonly ServerConfig[] | undefined
  /** Servers that are asked for a domain and all names below it. Default: none. */
  domains?: Readonly<Record<string, readonly ServerConfig[]>> | undefined
  /** Names that are looked up nowhere; the name is in lower case, without a final dot. Default: none. */
  isBlocked?: ((name: string) => boolean) | undefined
  /** Milliseconds for one attempt. Default: as resolv.conf says when it is read, else 2,000. */
  timeoutMs?: number | undefined
  /** Attempts at each server. Default: as resolv.conf says when it is read, else 2. */
  attempts?: number | undefined
  /** How long it is remembered that there is no address, and that nobody could say. A shorter lifetime in the answer counts. Default 1,000. */
  negativeTtlMs?: number | undefined
  /** Bounds of a record's lifetime. Default 0 and 3,600,000. */
  ttlMinMs?: number | undefined
  ttlMaxMs?: number | undefined
  /** How long after their end the last good addresses serve while the name servers fail (RFC 8767). Default 600,000; 0 = not at all. */
  staleForMs?: number | undefined
  /** Default /etc/hosts; "" = none. */
  hostsFile?: string | undefined
  /** Default /etc/resolv.conf. Read only without `servers`. */
  resolvConf?: string | undefined
  /** Names that are remembered, and as many origins' services. Default 4,096. */
  cacheMax?: number | undefined
  /** Names that are asked for at one time, two sockets each; services, one socket each, begin only while both kinds together are fewer. Default 256. */
  lookupsMax?: number | undefined
  /** Logs each look-up that the servers fail and that has no addresses from before; for callers who do not tell it themselves. Default false. */
  tellsFailures?: boolean | undefined
}

const none: readonly ResolvedAddress[] = []
/** The hosts file has no lifetimes, and is looked at once a second. */
const HOSTS_TTL_MS = 1000
/** How long a caller waits for the servers when there are old addresses to give (RFC 8767 section 5, "client response timer"). */
const PATIENCE_MS = 1800

/**
 * Looks up addresses: literals, the hosts file, the cache, then the name servers. What is known is called back before `lookup` returns. Equal look-ups
 * share one query. Between queries there is neither a socket nor a timer, so it keeps no process alive. One for each thread.
 */
export class Resolver implements FlightHandler {
  private readonly clock: Clock
  private readonly lifetimes: Lifetimes
  private readonly query: QueryOptions
  private readonly lookupsMax: number
  private readonly tellsFailures: boolean
  private readonly system: SystemServers
  private readonly isBlocked: ((name: string) => boolean) | null
  private readonly hosts: HostsFile | null
  private readonly cache: NameCache<CacheEntry>
  private readonly book: ServiceBook
  private readonly flights = new Map<string, Flight>()
  private readonly relays = new Set<DnsQuery>()
  private closed = false

  /** Throws AddressError when a server is not an address. */
  constructor(options: ResolverOptions = {}, clock: Clock = systemClock) {
    this.clock = clock
    this.lifetimes = {
      negativeTtlMs: options.negativeTtlMs ?? 1000,
      ttlMinMs: options.ttlMinMs ?? 0,
      ttlMaxMs: options.ttlMaxMs ?? 3_600_000,
      staleForMs: options.staleForMs ?? 600_000,
    }
    this.query = { timeoutMs: options.timeoutMs, attempts: options.attempts }
    this.lookupsMax = options.lookupsMax ?? 256
    this.tellsFailures = options.tellsFailures === true
    this.system = new SystemServers(options.servers ?? null, options.domains ?? {}, options.resolvConf ?? "/etc/resolv.conf", clock)
    this.isBlocked = options.isBlocked ?? null
    this.hosts = options.hostsFile === "" ? null : new HostsFile(options.hostsFile ?? "/etc/hosts", clock)
    this.cache = new NameCache(options.cacheMax ?? 4096)
    this.book = new ServiceBook({
      clock,
      lifetimes: this.lifetimes,
      cacheMax: this.cache.entriesMax,
      hasRoom: () => this.flights.size + this.book.pending < this.lookupsMax,
      question: (name, port) => this.serviceQuestion(name, port),
    })
  }

  /** Names and services under way; 0 = idle, without a socket. */
  get pending(): number {
    return this.flights.size + this.book.pending
  }

  /** Names in the cache, those of services apart. */
  get cached(): number {
    return this.cache.size
  }

  /** The addresses of a name or address literal (brackets allowed). Never throws. */
  lookup(name: string, callback: ResolveCallback): void {
    const key = name.toLowerCase()
    if (this.answerAtOnce(key, callback)) return
    const entry = this.cache.get(key)
    if (entry === undefined) return this.join(key, callback)
    const now = this.clock.now()
    entry.used = true
    if (now < entry.expiresAt) return callback(entry.error, entry.addresses, entry.expiresAt)
    if (!entry.kept || !entry.usable(now)) return this.join(key, callback)
    // The servers failed last time: nobody waits for them again while there is something to give.
    this.join(key, ignore)
    callback(null, entry.addresses, now + this.lifetimes.negativeTtlMs)
  }

  /** Asks the servers although an answer is remembered, as after a failed connection. */
  refresh(name: string, callback: ResolveCallback): void {
    const key = name.toLowerCase()
    if (!this.answerAtOnce(key, callback)) this.join(key, callback)
  }

  /**
   * What HTTPS records say of the origin `https://name:port`, best first (RFC 9460). No records, no answer and a name that no server is asked for are all
   * an empty list. Takes nothing from look-ups of addresses: it has a cache of its own, and waits for no more than the room that they leave.
   */
  services(name: string, port: number, done: ServicesCallback): void {
    const key = name.toLowerCase()
    if (this.closed || this.isListed(key) || this.isBlocked?.(withoutDot(key)) === true) done(noServices)
    else this.book.ask(key, port, done)
  }

  /**
   * Puts a question of any type to the servers and gives the message of whoever answers, lent for the call; null = nobody could say, or nobody may be asked. Nothing of it is
   * remembered. Takes no more than the room that look-ups leave.
   */
  relay(name: string, type: number, done: (message: Uint8Array | null) => void): void {
    const key = name.toLowerCase()
    const isKept = this.closed || this.isBlocked?.(withoutDot(key)) === true || specialName(withoutDot(key)) !== null
    if (isKept || this.pending + this.relays.size >= this.lookupsMax) return done(null)
    const query = new DnsQuery(key, type, this.system.settings(key, this.query), (_answer, message) => {
      this.relays.delete(query)
      done(message.length === 0 ? null : message)
    })
    this.relays.add(query)
  }

  /** Ends all look-ups (with the code `closed`, services with none) and forgets everything. */
  close(): void {
    this.closed = true
    const flights = [...this.flights.values()]
    this.flights.clear()
    for (const query of this.relays) query.cancel()
    this.relays.clear()
    this.cache.clear()
    this.book.close()
    this.system.close()
    for (const flight of flights) {
      flight.stop()
      flight.tell(new ResolveError("closed", flight.name, "the resolver is closed"), none, 0)
    }
  }

  onLandedPartly(flight: Flight, answer: NameAnswer): void {
    this.store(flight, CacheEntry.from(flight.name, answer, this.cache.get(flight.name), this.clock.now(), this.lifetimes))
  }

  onLanded(flight: Flight, answer: NameAnswer): void {
    this.flights.delete(flight.name)
    const before = this.cache.get(flight.name)
    const entry = CacheEntry.from(flight.name, answer, before, this.clock.now(), this.lifetimes)
    if (entry.kept)
      log.warn("net", "name servers fail; the last good addresses stay in use", {
        name: flight.name,
        error: answer.four.detail,
        error6: answer.six.detail,
      })
    else if (this.tellsFailures && (entry.error?.code === "failed" || entry.error?.code === "timeout"))
      log.warn("net", "name servers fail", { reason: entry.error.message })
    this.store(flight, entry)
  }

  private store(flight: Flight, entry: CacheEntry): void {
    this.cache.set(flight.name, entry)
    flight.tell(entry.error, entry.addresses, entry.expiresAt)
  }

  /** Literals and the hosts file. */
  private answerAtOnce(key: string, callback: ResolveCallback): boolean {
    if (this.closed) {
      callback(new ResolveError("closed", key, "the resolver is closed"), none, 0)
      return true
    }
    // A literal begins with a digit, a colon, a bracket or a letter up to f: most names are told apart here.
    const literal = key.charCodeAt(0) <= 102 ? normaliseIp(key) : null
    if (this.isBlocked !== null && literal === null && this.isBlocked(withoutDot(key))) {
      callback(new ResolveError("blocked", key, "a list blocks it"), none, 0)
      return true
    }
    const listed = literal === null ? this.hosts?.find(withoutDot(key)) : interleave([literal])
    if (listed === undefined) return false
    callback(null, listed, literal === null ? this.clock.now() + HOSTS_TTL_MS : Infinity)
    return true
  }

  private isListed(key: string): boolean {
    return this.hosts?.find(withoutDot(key)) !== undefined
  }

  /** Null = no server is asked. */
  private serviceQuestion(key: string, port: number): ServiceQuestion | null {
    if (!isTarget(key) || !Number.isInteger(port) || port < 1 || port > 65_535) return null
    const settings = this.system.settings(key, this.query)
    return {
      candidates: this.system.searchOrder(key),
      port,
      settings: { ...settings, servers: settings.servers.apart() },
      mayAsk: name => !this.isListed(name),
    }
  }

  /** Waits for the look-up that is under way, or begins one. */
  private join(key: string, callback: ResolveCallback): void {
    let flight = this.flights.get(key)
    if (flight === undefined) {
      const before = this.cache.get(key)
      if (before === undefined && this.answerUnasked(key, callback)) return
      if (this.flights.size >= this.lookupsMax) return this.answerBusy(key, before, callback)
      flight = this.depart(key, before)
    }
    flight.add(callback)
  }

  private depart(key: string, before: CacheEntry | undefined): Flight {
    const flight = new Flight(key, this)
    this.flights.set(key, flight)
    const settings = this.system.settings(key, this.query)
    flight.lookup = new NameLookup(this.system.searchOrder(key), settings, flight)
    if (before?.usable(this.clock.now())) {
      flight.patience = setTimeout(() => this.losePatience(flight, before), Math.min(PATIENCE_MS, settings.timeoutMs))
    }
    return flight
  }

  /** The servers take long: those who wait get the last good addresses, and the look-up goes on. */
  private losePatience(flight: Flight, before: CacheEntry): void {
    const kept = before.keep(flight.name, this.clock.now(), this.lifetimes)
    if (kept !== null) this.store(flight, kept)
  }

  /** Names that no server is asked for. */
  private answerUnasked(key: string, callback: ResolveCallback): boolean {
    const name = withoutDot(key)
    const special = specialName(name)
    const fault = special === null ? hostNameFault(key) : null
    if (special === null && fault === null) return false
    if (special === "loopback") callback(null, loopbackAddresses, this.clock.now() + HOSTS_TTL_MS)
    else if (fault !== null) callback(new ResolveError("bad-name", key, fault), none, 0)
    else callback(new ResolveError("no-name", key, "the name is reserved for what does not exist (RFC 6761, RFC 7686)"), none, 0)
    return true
  }

  private answerBusy(key: string, before: CacheEntry | undefined, callback: ResolveCallback): void {
    const now = this.clock.now()
    if (before?.usable(now)) callback(null, before.addresses, now + this.lifetimes.negativeTtlMs)
    else callback(new ResolveError("busy", key, `${this.lookupsMax} names are being looked up already`), none, 0)
  }
}

function withoutDot(name: string): string {
  return name.charCodeAt(name.length - 1) === 46 ? name.slice(0, -1) : name
}

function ignore(): void {}
