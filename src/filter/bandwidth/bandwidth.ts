import { z } from "zod"
import { count, field, formatSize, KeyedTable, KIND_METER, maybe, nameSchema, SharedTime, size, type TableShape } from "../../base/index.ts"
import { type Exchange, NEXT, type PaceGauge, setPace, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { compileKey, keyMeaning, keySchemaWith, type LimitKey } from "../keyed/limit-key.ts"
import { placeWord } from "../keyed/place-word.ts"
import { KeyGauge, OwnGauge } from "./gauges.ts"

const RATE_MIN = 256

const groupSchema = z.union(
  [
    z.literal("unlimited"),
    z.strictObject({
      down: maybe(size({ min: RATE_MIN }), "Octets a second of answers."),
      up: maybe(size({ min: RATE_MIN }), "Octets a second of request bodies."),
    }),
  ],
  { error: "expected rates such as { down: 1MB }, or unlimited" },
)

const options = z
  .strictObject({
    down: maybe(size({ min: RATE_MIN }), "Octets a second of answers, such as 1MB."),
    up: maybe(size({ min: RATE_MIN }), "Octets a second of request bodies."),
    groups: field(
      z.record(z.string().min(1), groupSchema),
      {},
      "Rates of the members of a group instead; of several groups the one that stands first here counts. unlimited = as fast as they can.",
    ),
    after: field(size(), 0, "Octets of each answer that go as fast as they can before `down` begins."),
    key: field(
      keySchemaWith(["request", "connection"]),
      "request",
      `What has the rate: request (each by itself), connection, or a key that all of its requests share, over all workers. ${keyMeaning}`,
    ),
    zone: maybe(nameSchema, "Filters with a key and the same zone share the rates. Default: a zone of its own."),
    keysMax: field(count(1, 4_000_000), 100_000, "Keys at a time; beyond them the longest idle is forgotten."),
  })
  .refine(({ down, up, groups }) => down !== null || up !== null || Object.keys(groups).length > 0, { error: "expected a rate, such as down: 1MB" })

type Options = z.output<typeof options>

/** Octets a second by direction; null = as fast as they can. */
interface Rates {
  readonly down: number | null
  readonly up: number | null
}

const UNLIMITED: Rates = { down: null, up: null }
const NO_GROUPS: readonly string[] = []

/** Where the gauges of one direction are. */
interface Direction {
  readonly byConnection: WeakMap<object, PaceGauge>
  readonly table: KeyedTable | null
}

class Bandwidth {
  private readonly settings: Options
  private readonly time: SharedTime
  private readonly deps: FilterDeps
  private readonly key: LimitKey | null
  private readonly groups: readonly (readonly [string, Rates])[]
  private readonly down: Direction
  private readonly up: Direction
  private readonly paced: { add(n: number): void }

  constructor(settings: Options, deps: FilterDeps) {
    this.settings = settings
    this.deps = deps
    this.time = new SharedTime(deps.time.clock)
    this.key = settings.key === "request" || settings.key === "connection" ? null : compileKey(settings.key)
    this.groups = Object.entries(settings.groups).map(([name, rates]) => [name, rates === "unlimited" ? UNLIMITED : rates])
    const all = [settings, ...this.groups.map(([, rates]) => rates)]
    this.down = this.direction(
      "down",
      all.some(rates => rates.down !== null),
    )
    this.up = this.direction(
      "up",
      all.some(rates => rates.up !== null),
    )
    this.paced = deps.counter(`bandwidth_paced_${placeWord(deps.place)}`, "Requests whose bodies go at a limited rate.")
  }

  access(x: Exchange): Verdict {
    const key = this.key === null ? "" : this.key.of(x)
    if (this.key !== null && key === "") return NEXT
    const { down, up } = this.ratesOf(x)
    if (down === null && up === null) return NEXT
    setPace(x, this.deps.time).add(this.gauge(x, this.down, down, key), this.gauge(x, this.up, up, key), this.settings.after)
    this.paced.add(1)
    return NEXT
  }

  private ratesOf(x: Exchange): Rates {
    const groups = x.notes === null ? NO_GROUPS : x.notes.groups
    if (groups.length > 0) for (const [name, rates] of this.groups) if (groups.includes(name)) return rates
    return this.settings
  }

  private direction(word: string, isUsed: boolean): Direction {
    return { byConnection: new WeakMap(), table: this.key === null || !isUsed ? null : this.table(word) }
  }

  private table(word: string): KeyedTable {
    const { zone, keysMax } = this.settings
    const shape: TableShape = { keysMax, valueWords: 16, kind: KIND_METER }
    const key = `${zone === null ? this.deps.place : `bandwidth/${zone}`}/${word}`
    return new KeyedTable(this.deps.shared(key, KeyedTable.bytes(shape)), shape)
  }

  private gauge(x: Exchange, of: Direction, rate: number | null, key: string): PaceGauge | null {
    if (rate === null) return null
    if (of.table !== null) return new KeyGauge(rate, this.time, of.table, key)
    if (this.settings.key === "request") return new OwnGauge(rate, this.time)
    const connection = x.down!.info
    const known = of.byConnection.get(connection)
    if (known !== undefined) return known
    const made = new OwnGauge(rate, this.time)
    of.byConnection.set(connection, made)
    return made
  }
}

function describe({ down, up, after, key, zone, groups }: Options): string {
  const special = Object.entries(groups).map(([name, rates]) => `${name} ${rates === "unlimited" ? rates : ratesText(rates, 0)}`)
  const said = [ratesText({ down, up }, after), ...special].filter(text => text !== "").join("; ")
  return `${said} by ${key}${zone === null ? "" : ` in zone ${zone}`}`
}

function ratesText({ down, up }: Rates, after: number): string {
  const rates = [
    down === null ? "" : `answers ${formatSize(down)}/s${after > 0 ? ` after ${formatSize(after)}` : ""}`,
    up === null ? "" : `uploads ${formatSize(up)}/s`,
  ]
  return rates.filter(text => text !== "").join(", ")
}

export default defineFilter({
  name: "bandwidth",
  summary: "Lets bodies go no faster than so many octets a second: of each request, of a connection, or of a client or another key over all workers.",
  options,
  build(settings, deps) {
    const filter = new Bandwidth(settings, deps)
    return { access: x => filter.access(x), describe: () => describe(settings) }
  },
})
