import { CidrSet, FAULT, type Fault, formatDuration, KeyedTable, logOf, SharedTime } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter, type Filter, type FilterDeps, type Reading } from "../../plugin/index.ts"
import { compileKey, type LimitKey } from "../keyed/limit-key.ts"
import { placeWord } from "../keyed/place-word.ts"
import { type BanOptions, banOptions, mayBeSecret } from "./ban-options.ts"
import { BanTable, type BanTerm, bansShape, banZone } from "./ban-table.ts"
import { Strikes } from "./strikes.ts"

const log = logOf("filter")
const SHOWN_CHARACTERS = 4

/** A counter that is a cause. */
interface Bound {
  readonly reading: Reading
  readonly over: number
}

class Bans {
  private readonly options: BanOptions
  private readonly bans: BanTable
  private readonly time: SharedTime
  private readonly key: LimitKey
  private readonly term: BanTerm
  private readonly fault: Fault
  private readonly exempt: CidrSet | null
  private readonly strikes: readonly Strikes[]
  private readonly bounds: readonly Bound[]
  private readonly refused: { add(n: number): void }
  private readonly banned: { add(n: number): void }

  constructor(options: BanOptions, deps: FilterDeps) {
    this.options = options
    this.time = new SharedTime(deps.time.clock)
    this.bans = BanTable.of(deps.shared(banZone(options.zone), KeyedTable.bytes(bansShape(options.bansMax))), options.bansMax)
    this.key = compileKey(options.key)
    this.term = { forMs: options.for, factor: options.escalate, forMsMax: Math.max(options.for, options.forMax), forgetMs: options.forget }
    this.fault = options.action === "refuse" ? FAULT.banned : { ...FAULT.banned, status: 0, close: true }
    this.exempt = options.exempt.length === 0 ? null : CidrSet.parse(options.exempt)
    const causes = options.when === "always" ? [] : options.when
    this.strikes = causes.filter(({ counter }) => counter === null).map(cause => new Strikes(cause, options, this.time, deps))
    this.bounds = causes.flatMap(({ counter }) => (counter === null ? [] : [{ reading: deps.reading!(counter.name), over: counter.over }]))
    const word = placeWord(deps.place)
    this.refused = deps.counter(`ban_refused_${word}`, "Requests of banned keys.")
    this.banned = deps.counter(`ban_banned_${word}`, "Bans that this filter imposed.")
  }

  get counts(): boolean {
    return this.strikes.length > 0
  }

  access(x: Exchange): Verdict {
    const key = this.keyOf(x)
    if (key === "") return NEXT
    if (this.bans.isBanned(key, this.time.now())) return this.refuse(x)
    if (this.options.when === "always") {
      this.ban(key, "came where nobody should")
      return this.refuse(x)
    }
    for (const { reading, over } of this.bounds) {
      const value = reading.read(x)
      if (value <= over) continue
      this.ban(key, `${reading.text}: ${Math.round(value)}`)
      return this.refuse(x)
    }
    return NEXT
  }

  /** What the exchange came to may be one too many. What this filter refused is no new offence. */
  log(x: Exchange): void {
    if (x.fault !== null && x.fault.code === FAULT.banned.code) return
    const key = this.keyOf(x)
    if (key === "") return
    for (const strikes of this.strikes) if (strikes.count(x, key)) this.ban(key, strikes.reason)
  }

  private keyOf(x: Exchange): string {
    return this.exempt?.has(x.clientAddress) ? "" : this.key.of(x)
  }

  private ban(key: string, reason: string): void {
    const shown = mayBeSecret(this.options.key) ? `${key.slice(0, SHOWN_CHARACTERS)}…` : key
    const now = this.time.now()
    const until = this.bans.ban(key, this.term, now, reason, shown)
    this.banned.add(1)
    log.info("a key is banned", { key: shown.replaceAll("\0", " "), zone: this.options.zone, forMs: Math.round(until - now), reason })
  }

  private refuse(x: Exchange): Verdict {
    this.refused.add(1)
    x.fault = this.fault
    return FAULT_VERDICT
  }
}

function describe({ when, key, zone, action, ...options }: BanOptions): string {
  const causes =
    when === "always"
      ? ["always"]
      : when.map(({ status, fault, times, per, counter }) => {
          if (counter !== null) return `${counter.name} over ${counter.over}`
          return `${times} times ${(status ?? fault ?? []).join(", ")} in ${formatDuration(per)}`
        })
  const bans = causes.length === 0 ? "bans nobody itself" : `bans for ${formatDuration(options.for)} when ${causes.join(" or ")}`
  return `${action === "close" ? "closes on" : "refuses"} who is banned in zone ${zone}, by ${key}; ${bans}`
}

export default defineFilter({
  name: "ban",
  summary: "Refuses who is banned, and bans for a time who does too much of something: wrong passwords, errors, whatever a counter says.",
  options: banOptions,
  build(options, deps): Filter {
    const filter = new Bans(options, deps)
    const access = (x: Exchange): Verdict => filter.access(x)
    const say = (): string => describe(options)
    return filter.counts ? { access, log: x => filter.log(x), describe: say } : { access, describe: say }
  },
  readings: ({ when }) =>
    when === "always"
      ? []
      : when.flatMap(({ counter }, i) =>
          counter === null ? [] : [{ name: counter.name, at: when.length === 1 ? ["when", "counter", "name"] : ["when", i, "counter", "name"] }],
        ),
})
