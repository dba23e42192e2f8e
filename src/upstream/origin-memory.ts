import type { Clock } from "../base/index.ts"

/** Origins that are remembered; those that were told of longest ago go first. */
const ORIGINS_MAX = 4096
/** An alternative may not be believed for longer (RFC 7838 section 3.1 has a day as the default and no upper end). */
const LIFE_MS_MAX = 7 * 24 * 3600_000
const LIFE_MS_DEFAULT = 24 * 3600_000
/** After a failure HTTP/3 is left alone for so long, twice as long after each further one. */
const BROKEN_MS = 5 * 60_000
const BROKEN_MS_MAX = 48 * 3600_000
const ASKED_MS = 3600_000

interface OriginEntry {
  /** UDP port of HTTP/3; 0 = none is known. */
  port: number
  /** Monotonic ms until it is believed. */
  until: number
  brokenUntil: number
  failures: number
  /** Monotonic ms until which HTTPS records are not asked for again. */
  askedUntil: number
}

/**
 * What is known of how origins can be reached, over all pools of a listener: HTTP/3 that an origin offers (Alt-Svc, RFC 7838; HTTPS records, RFC 9460), and where it
 * did not work. Alternatives on other hosts are not followed: an origin could send everybody's requests anywhere. `key` names scheme, host and port.
 */
export class OriginMemory {
  private readonly clock: Clock
  private readonly entries = new Map<string, OriginEntry>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** The UDP port at which HTTP/3 may be tried now; 0 = none. */
  http3Port(key: string): number {
    const entry = this.entries.get(key)
    if (entry === undefined || entry.port === 0) return 0
    const now = this.clock.now()
    return now < entry.until && now >= entry.brokenUntil ? entry.port : 0
  }

  /** True when nobody has asked for the origin's HTTPS records in the last hour; whoever is told so asks. */
  shouldAsk(key: string): boolean {
    const entry = this.entry(key)
    const now = this.clock.now()
    if (now < entry.askedUntil) return false
    entry.askedUntil = now + ASKED_MS
    return true
  }

  /** An HTTPS record that offers h3 (RFC 9460 section 7.1). */
  offered(key: string, port: number): void {
    const entry = this.entry(key)
    if (entry.port !== 0 && this.clock.now() < entry.until) return
    entry.port = port
    entry.until = this.clock.now() + LIFE_MS_DEFAULT
  }

  /** What the origin said in Alt-Svc: it replaces what it said before (RFC 7838 section 3). */
  altSvc(key: string, value: string): void {
    const found = readAltSvc(value)
    const entry = this.entry(key)
    entry.port = found.port
    entry.until = this.clock.now() + Math.min(found.lifeMs, LIFE_MS_MAX)
  }

  failed(key: string): void {
    const entry = this.entry(key)
    entry.brokenUntil = this.clock.now() + Math.min(BROKEN_MS * 2 ** entry.failures, BROKEN_MS_MAX)
    entry.failures++
  }

  worked(key: string): void {
    const entry = this.entries.get(key)
    if (entry === undefined) return
    entry.failures = 0
    entry.brokenUntil = 0
  }

  private entry(key: string): OriginEntry {
    let entry = this.entries.get(key)
    if (entry === undefined) {
      if (this.entries.size >= ORIGINS_MAX) this.entries.delete(this.entries.keys().next().value!)
      entry = { port: 0, until: 0, brokenUntil: 0, failures: 0, askedUntil: 0 }
      this.entries.set(key, entry)
    }
    return entry
  }
}

const ALTERNATIVE = /^\s*h3="(?::|\[?\]?:)([0-9]{1,5})"(.*)$/i

/** The first alternative that speaks HTTP/3 on the origin's own host; port 0 = there is none, or `clear` takes back what was said. */
export function readAltSvc(value: string): { port: number; lifeMs: number } {
  for (const part of value.split(",", 32)) {
    const match = ALTERNATIVE.exec(part)
    if (match === null) continue
    const port = Number(match[1])
    if (port < 1 || port > 65_535) continue
    const age = /;\s*ma="?([0-9]{1,9})"?/i.exec(match[2]!)
    return { port, lifeMs: age === null ? LIFE_MS_DEFAULT : Number(age[1]) * 1000 }
  }
  return { port: 0, lifeMs: 0 }
}
