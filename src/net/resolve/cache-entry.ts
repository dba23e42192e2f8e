import { interleave, type ResolvedAddress } from "./address-order.ts"
import { type Answer, failedAnswer } from "./dns-answer.ts"
import type { NameAnswer } from "./name-lookup.ts"
import { ResolveError } from "./resolve-error.ts"

/** How long things hold, in milliseconds. */
export interface Lifetimes {
  readonly negativeTtlMs: number
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
  readonly staleForMs: number
}

/** The addresses of one family: fresh until `expiresAt`, of use in need until `staleUntil`. */
interface Family {
  readonly addresses: readonly string[]
  readonly expiresAt: number
  readonly staleUntil: number
  /** Kept from before because the servers could not say. */
  readonly kept: boolean
}

/** What the resolver remembers of one name. */
export class CacheEntry {
  readonly addresses: readonly ResolvedAddress[]
  /** Null exactly when there are addresses. */
  readonly error: ResolveError | null
  readonly expiresAt: number
  /** The addresses are the last good ones; a look-up may use them while a query is on its way. */
  readonly kept: boolean
  /** Asked for again since the cache last looked for something to drop. */
  used: boolean
  private readonly four: Family
  private readonly six: Family

  private constructor(name: string, answer: NameAnswer, four: Family, six: Family, used: boolean) {
    const filled = [four, six].filter(family => family.addresses.length > 0)
    this.four = four
    this.six = six
    this.addresses = interleave([...six.addresses, ...four.addresses])
    this.error = filled.length > 0 ? null : errorOf(name, answer)
    this.expiresAt = Math.min(...(filled.length > 0 ? filled : [four, six]).map(family => family.expiresAt))
    this.kept = filled.some(family => family.kept)
    this.used = used
  }

  /** Joins an answer to what was known before. */
  static from(name: string, answer: NameAnswer, before: CacheEntry | undefined, now: number, lifetimes: Lifetimes): CacheEntry {
    const { four, six } = answer
    // That there is no such name is said of both families (RFC 8020), unless one has addresses after all (RFC 4074 section 4.2).
    const gone = (four.kind === "no-name" || six.kind === "no-name") && four.kind !== "found" && six.kind !== "found"
    const old = gone ? undefined : before
    return new CacheEntry(name, answer, family(four, old?.four, now, lifetimes), family(six, old?.six, now, lifetimes), before?.used === true)
  }

  /** Whether there is something to fall back on. */
  usable(now: number): boolean {
    return this.error === null && now < Math.max(this.four.staleUntil, this.six.staleUntil)
  }

  /** The same addresses as the last good ones, while the servers are being asked; null when they are too old. */
  keep(name: string, now: number, lifetimes: Lifetimes): CacheEntry | null {
    if (!this.usable(now)) return null
    return CacheEntry.from(name, nobodyKnows, this, now, lifetimes)
  }
}

const unanswered = failedAnswer("timeout", "no answer yet")
const nobodyKnows: NameAnswer = { four: unanswered, six: unanswered }

function family(answer: Answer, before: Family | undefined, now: number, lifetimes: Lifetimes): Family {
  if (answer.kind === "found") {
    const expiresAt = now + Math.min(lifetimes.ttlMaxMs, Math.max(lifetimes.ttlMinMs, answer.ttl * 1000))
    return { addresses: answer.addresses, expiresAt, staleUntil: expiresAt + lifetimes.staleForMs, kept: false }
  }
  const unknown = answer.kind === "timeout" || answer.kind === "failed"
  if (unknown && before !== undefined && before.addresses.length > 0 && now < before.staleUntil) {
    return {
      addresses: before.addresses,
      expiresAt: Math.max(before.expiresAt, now + lifetimes.negativeTtlMs),
      staleUntil: before.staleUntil,
      kept: true,
    }
  }
  const negativeMs = unknown || answer.ttl < 0 ? lifetimes.negativeTtlMs : Math.min(lifetimes.negativeTtlMs, answer.ttl * 1000)
  return { addresses: [], expiresAt: now + negativeMs, staleUntil: 0, kept: false }
}

function errorOf(name: string, { four, six }: NameAnswer): ResolveError {
  const gone = [four, six].find(answer => answer.kind === "no-name")
  if (gone) return new ResolveError("no-name", name, `there is no such name, says ${gone.detail}`)
  const failed = [four, six].find(answer => answer.kind === "failed") ?? [four, six].find(answer => answer.kind === "timeout")
  if (failed) return new ResolveError(failed.kind === "timeout" ? "timeout" : "failed", name, failed.detail)
  return new ResolveError("no-address", name, `the name has no address, says ${four.detail}`)
}
