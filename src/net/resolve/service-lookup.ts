import type { Answer } from "./dns-answer.ts"
import { TYPE_HTTPS } from "./dns-message.ts"
import { DnsQuery, type QuerySettings } from "./dns-query.ts"
import type { HttpsRecord } from "./https-record.ts"
import { aliasService, isTarget, type OriginService, readServices, shuffled } from "./origin-service.ts"

/** Aliases of HTTPS records that are followed; those of CNAME count apart. With more, it is as if there was no record (RFC 9460 section 3.1). */
const ALIASES_MAX = 4

export interface ServiceQuestion {
  /** Full names that the origin's may stand for, in the order to try them. */
  readonly candidates: readonly string[]
  readonly port: number
  readonly settings: QuerySettings
  /** Whether name servers may be asked for what an alias leads to. */
  readonly mayAsk: (name: string) => boolean
}

export interface ServiceAnswer {
  readonly services: readonly OriginService[]
  /** Seconds; -1 = the servers did not say. */
  readonly ttl: number
  /** Records said it, not the absence of records. */
  readonly found: boolean
}

/** Resolves the HTTPS records of one origin (RFC 9460 section 3). `done` is called once, never before the constructor has returned. */
export class ServiceLookup {
  private readonly question: ServiceQuestion
  private readonly done: (answer: ServiceAnswer) => void
  private query: DnsQuery
  /** The name that is asked for. */
  private name: string
  private candidate: number
  private aliases: number
  /** The shortest of the aliases that were followed. */
  private ttl: number

  constructor(question: ServiceQuestion, done: (answer: ServiceAnswer) => void) {
    this.question = question
    this.done = done
    this.candidate = 0
    this.aliases = 0
    this.ttl = Infinity
    this.name = serviceName(question.candidates[0]!, question.port)
    this.query = this.ask()
  }

  cancel(): void {
    this.query.cancel()
  }

  private ask(): DnsQuery {
    return new DnsQuery(this.name, TYPE_HTTPS, this.question.settings, answer => this.take(answer))
  }

  private take(answer: Answer): void {
    if (answer.kind !== "found") return this.miss(answer)
    const records = answer.services.filter(record => typeof record !== "string")
    this.ttl = Math.min(this.ttl, answer.ttl)
    // One that is malformed spoils them all (section 2.2).
    if (records.length < answer.services.length) return this.end([], true)
    // One alias counts for all, and services beside it for nothing (section 2.4.1).
    const alias = shuffled(records).find(record => record.priority === 0)
    if (alias !== undefined) return this.follow(alias)
    const services = readServices(records, record => this.targetOf(record, answer.owner))
    this.end(this.aliases === 0 ? services : [...services, aliasService(this.name)], true)
  }

  private follow(alias: HttpsRecord): void {
    this.aliases++
    if (this.aliases > ALIASES_MAX || !isTarget(alias.target) || !this.question.mayAsk(alias.target)) return this.end([], true)
    this.name = alias.target
    this.query = this.ask()
  }

  /** The next candidate's turn comes only when there is no such name as this: the addresses are then those of the next one too. */
  private miss(answer: Answer): void {
    const { candidates, port } = this.question
    // That there is no `_8443._https` says nothing about the name below which it would be.
    const next = answer.kind === "no-name" && this.aliases === 0 && port === HTTPS_PORT ? candidates[this.candidate + 1] : undefined
    if (next !== undefined) {
      this.candidate++
      this.name = next
      this.query = this.ask()
      return
    }
    if (answer.kind === "timeout" || answer.kind === "failed") this.ttl = Infinity
    else if (answer.ttl >= 0) this.ttl = Math.min(this.ttl, answer.ttl)
    this.end(this.aliases > 0 && answer.kind === "no-data" ? [aliasService(this.name)] : [], false)
  }

  /** "." is whose the record is (section 2.5.2), over all aliases; without HTTPS aliases the addresses of the origin's name are the same. */
  private targetOf(record: HttpsRecord, owner: string): string | null {
    const own = this.aliases === 0 && this.question.port === HTTPS_PORT
    const target = record.target === "" ? (own ? "" : owner) : record.target
    if (target === "" || target === this.question.candidates[this.candidate]) return ""
    return isTarget(target) ? target : null
  }

  private end(services: readonly OriginService[], found: boolean): void {
    this.done({ services, ttl: this.ttl === Infinity ? -1 : this.ttl, found })
  }
}

const HTTPS_PORT = 443

/** The name that has the records of an origin (section 9.1). */
export function serviceName(name: string, port: number): string {
  return port === HTTPS_PORT ? name : `_${port}._https.${name}`
}
