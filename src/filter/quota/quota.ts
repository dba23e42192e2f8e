import { FAULT, formatDuration, formatSize, KeyedTable, Timer, type TimerOwner, ZoneTime } from "../../base/index.ts"
import {
  ANSWER,
  answerBlocked,
  type BlockPage,
  cutTunnels,
  type Exchange,
  expire,
  FAULT_VERDICT,
  grpcReplyType,
  NEXT,
  notesOf,
  type Verdict,
} from "../../flow/index.ts"
import { BODY_TUNNEL } from "../../http/index.ts"
import { blockPageWords, compileBlockPage, defineFilter, type Filter, type FilterDeps } from "../../plugin/index.ts"
import { fileProblems } from "../file-problems.ts"
import { compileKey, type LimitKey } from "../keyed/limit-key.ts"
import { placeWord } from "../keyed/place-word.ts"
import { type QuotaOptions, quotaOptions } from "./quota-options.ts"
import { type Allowance, quotaShape, QuotaTable, quotaZone } from "./quota-table.ts"

const MINUTE_MS = 60_000
/** How often what runs is counted. What goes through meanwhile is how much more than the quota a key can have. */
const SWEEP_MS = 500

/** An exchange under way. */
interface Counted {
  readonly x: Exchange
  readonly key: string
  readonly allowed: Allowance
  /** Octets of it that are in the table. */
  bytes: number
}

class Quota implements TimerOwner {
  private readonly options: QuotaOptions
  private readonly deps: FilterDeps
  private readonly key: LimitKey
  private readonly zone: ZoneTime
  private readonly table: QuotaTable
  private readonly own: Allowance
  /** null = no limits at all. */
  private readonly groups: readonly { readonly name: string; readonly allowed: Allowance | null }[]
  private readonly page: BlockPage
  private readonly slot: number
  private readonly running = new Set<Counted>()
  private readonly timer = new Timer(this)
  private readonly refused: { add(n: number): void }
  private readonly cut: { add(n: number): void }

  constructor(options: QuotaOptions, deps: FilterDeps) {
    this.options = options
    this.deps = deps
    this.key = compileKey(options.key)
    this.zone = new ZoneTime(options.timeZone)
    this.table = new QuotaTable(deps.shared(quotaZone(options), KeyedTable.bytes(quotaShape(options.keysMax))), options.keysMax)
    this.own = allowanceOf(options)
    this.groups = Object.entries(options.groups).map(([name, given]) => ({ name, allowed: given === "unlimited" ? null : allowanceOf(given) }))
    this.page = compileBlockPage(options.page, deps)
    this.slot = deps.slot()
    const word = placeWord(deps.place)
    this.refused = deps.counter(`quota_refused_${word}`, "Requests that were refused, or would have been, because a quota was used up.")
    this.cut = deps.counter(`quota_cut_${word}`, "Transfers and tunnels that were cut, or would have been, because a quota was used up.")
  }

  access(x: Exchange): Verdict {
    const key = this.key.of(x)
    if (key === "") return this.options.withoutKey === "pass" ? NEXT : this.refuse(x, null)
    const allowed = this.allowanceOf(x)
    if (allowed === null) return NEXT
    const wall = this.deps.time.clock.wall()
    const isFine = this.table.take(key, this.zone.periodNumber(this.options.per, wall), Math.floor(wall / MINUTE_MS), allowed)
    if (!isFine && this.options.mode === "enforce") return this.refuse(x, allowed)
    if (!isFine) {
      this.refused.add(1)
      this.tell(x)
    }
    const counted: Counted = { x, key, allowed, bytes: 0 }
    x.slots[this.slot] = counted
    this.running.add(counted)
    if (!this.timer.scheduled) this.deps.time.wheel.schedule(this.timer, this.deps.time.clock.now() + SWEEP_MS)
    return NEXT
  }

  /** It is over: what is not counted yet is. */
  log(x: Exchange): void {
    const counted = x.slots[this.slot] as Counted | undefined
    if (counted === undefined) return
    x.slots[this.slot] = undefined
    this.running.delete(counted)
    this.count(counted)
  }

  onTimer(): void {
    const over = new Set<Exchange>()
    for (const counted of this.running) if (this.count(counted)) over.add(counted.x)
    if (over.size > 0) this.end(over)
    if (this.running.size > 0) this.deps.time.wheel.schedule(this.timer, this.deps.time.clock.now() + SWEEP_MS)
  }

  describe(): string {
    const { name, key, per } = this.options
    const groups = this.groups.map(one => `${one.name} ${one.allowed === null ? "unlimited" : limitText(one.allowed)}`)
    return `${name}: ${[limitText(this.own), ...groups].filter(text => text !== "").join("; ")} a ${per} by ${key}`
  }

  explain(x: Exchange): readonly string[] {
    const key = this.key.of(x)
    if (key === "") return [`there is no ${this.options.key}: ${this.options.withoutKey === "pass" ? "passes uncounted" : "refused"}`]
    const allowed = this.allowanceOf(x)
    const end = this.endText(this.deps.time.clock.wall())
    return [
      allowed === null ? `${key} is unlimited` : `${key} may use ${limitText(allowed)} until ${end}; what is used now shows \`bothways quotas\``,
    ]
  }

  /** Counts what went since the last time; true = the key has used up something. What did not move uses no minute. */
  private count(counted: Counted): boolean {
    const { x, key, allowed } = counted
    const now = x.requestBytes + x.responseBytes
    const went = now - counted.bytes
    if (went <= 0) return false
    counted.bytes = now
    const wall = this.deps.time.clock.wall()
    return this.table.add(key, this.zone.periodNumber(this.options.per, wall), Math.floor(wall / MINUTE_MS), went, allowed)
  }

  private end(over: ReadonlySet<Exchange>): void {
    this.cut.add(over.size)
    for (const x of over) {
      this.tell(x)
      if (this.options.mode === "log-only") continue
      x.fault = FAULT.quotaUsed
      if (x.responseBody !== BODY_TUNNEL || !x.headSent) expire(x, FAULT.quotaUsed)
    }
    if (this.options.mode === "enforce") cutTunnels(x => over.has(x))
  }

  private allowanceOf(x: Exchange): Allowance | null {
    const groups = x.notes === null ? NONE : x.notes.groups
    if (groups.length > 0) {
      for (const group of this.groups) if (groups.includes(group.name)) return group.allowed
    }
    return this.own
  }

  private tell(x: Exchange): void {
    const notes = notesOf(x)
    const { name, mode } = this.options
    if (mode === "log-only") {
      if (!notes.would.includes(`${name}:quota`)) notes.would = `${notes.would === "" ? "" : `${notes.would} `}${name}:quota`
      return
    }
    notes.rule = name
    notes.action = "quota"
  }

  private refuse(x: Exchange, allowed: Allowance | null): Verdict {
    this.refused.add(1)
    this.tell(x)
    if (this.options.mode === "log-only") return NEXT
    if (x.method !== "CONNECT" || this.deps.opens?.(x) !== true) return this.say(x, allowed)
    // It is looked into, and opened for nothing but the page.
    const key = this.key.of(x)
    notesOf(x).refuse = inside => {
      const { per } = this.options
      this.table.look(key, this.zone.periodNumber(per, this.deps.time.clock.wall()))
      this.tell(inside)
      return this.say(inside, allowed)
    }
    return NEXT
  }

  private say(x: Exchange, allowed: Allowance | null): Verdict {
    x.fault = FAULT.quotaUsed
    if (grpcReplyType(x) !== "") return FAULT_VERDICT
    const wall = this.deps.time.clock.wall()
    answerBlocked(x, this.page, { rule: this.options.name, detail: this.detail(allowed, wall), reason: `Quota used up: ${this.options.name}` })
    if (allowed !== null)
      x.response.extra += `Retry-After: ${Math.max(1, Math.ceil((this.zone.periodEnd(this.options.per, wall) - wall) / 1000))}\r\n`
    return ANSWER
  }

  /** Of the last `take`. */
  private detail(allowed: Allowance | null, wall: number): string {
    if (allowed === null) return `nobody is logged in`
    const { bytes, requests, minutes } = this.table
    const parts = [
      allowed.bytes === null ? "" : `${megabytes(Math.max(0, allowed.bytes - bytes))} of ${formatSize(allowed.bytes)}`,
      allowed.requests === null ? "" : `${Math.max(0, allowed.requests - requests)} of ${allowed.requests} requests`,
      allowed.minutes === null ? "" : `${Math.max(0, allowed.minutes - minutes)} of ${allowed.minutes} minutes`,
    ]
    return `${parts.filter(part => part !== "").join(", ")} left; begins anew ${this.endText(wall)}`
  }

  private endText(wall: number): string {
    const end = this.zone.periodEnd(this.options.per, wall)
    this.zone.read(end)
    const two = (number: number): string => String(number).padStart(2, "0")
    const { year, month, dayOfMonth, minuteOfDay } = this.zone
    const text = `${year}-${two(month)}-${two(dayOfMonth)} ${two(Math.floor(minuteOfDay / 60))}:${two(minuteOfDay % 60)} (${this.zone.zone})`
    this.zone.read(wall)
    return text
  }
}

const NONE: readonly string[] = []

function allowanceOf({ bytes, requests, time }: Pick<QuotaOptions, "bytes" | "requests" | "time">): Allowance {
  return { bytes, requests, minutes: time === null ? null : Math.floor(time / MINUTE_MS) }
}

function limitText({ bytes, requests, minutes }: Allowance): string {
  const parts = [
    bytes === null ? "" : formatSize(bytes),
    requests === null ? "" : `${requests} requests`,
    minutes === null ? "" : formatDuration(minutes * MINUTE_MS),
  ]
  return parts.filter(part => part !== "").join(", ")
}

function megabytes(bytes: number): string {
  return bytes === 0 ? "0" : `${(bytes / 1024 ** 2).toFixed(1)}MB`
}

export default defineFilter<QuotaOptions>({
  name: "quota",
  summary:
    "So many octets, requests or minutes for a user, a client or another key in an hour, a day, a week or a month, over all workers. Cuts tunnels, too.",
  options: quotaOptions,
  build(settings, deps): Filter {
    const quota = new Quota(settings, deps)
    return { access: x => quota.access(x), log: x => quota.log(x), describe: () => quota.describe(), explain: x => quota.explain(x) }
  },
  paths: (options, resolve) => (options.persist === null ? options : { ...options, persist: resolve(options.persist) }),
  problems: ({ page }, resolve) => (page.file === null ? [] : fileProblems(["page", "file"], resolve(page.file), blockPageWords)),
})
