import { z } from "zod"
import { count, field, formatSize, KeyedTable, KIND_METER, maybe, nameSchema, SharedTime, size, type TableShape } from "../../base/index.ts"
import { type Exchange, NEXT, type PaceGauge, setPace, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { compileKey, keyMeaning, keySchemaWith, type LimitKey } from "../keyed/limit-key.ts"
import { placeWord } from "../keyed/place-word.ts"
import { KeyGauge, OwnGauge } from "./gauges.ts"

const RATE_MIN = 256

const options = z
  .strictObject({
    down: maybe(size({ min: RATE_MIN }), "Octets a second of answers, such as 1MB."),
    up: maybe(size({ min: RATE_MIN }), "Octets a second of request bodies."),
    after: field(size(), 0, "Octets of each answer that go as fast as they can before `down` begins."),
    key: field(
      keySchemaWith(["request", "connection"]),
      "request",
      `What has the rate: request (each by itself), connection, or a key that all of its requests share, over all workers. ${keyMeaning}`,
    ),
    zone: maybe(nameSchema, "Filters with a key and the same zone share the rates. Default: a zone of its own."),
    keysMax: field(count(1, 4_000_000), 100_000, "Keys at a time; beyond them the longest idle is forgotten."),
  })
  .refine(({ down, up }) => down !== null || up !== null, { error: "expected a rate, such as down: 1MB" })

type Options = z.output<typeof options>

/** A rate in one direction and where its gauges are. */
interface Direction {
  readonly rate: number
  readonly byConnection: WeakMap<object, PaceGauge>
  readonly table: KeyedTable | null
}

class Bandwidth {
  private readonly settings: Options
  private readonly time: SharedTime
  private readonly deps: FilterDeps
  private readonly key: LimitKey | null
  private readonly down: Direction | null
  private readonly up: Direction | null
  private readonly paced: { add(n: number): void }

  constructor(settings: Options, deps: FilterDeps) {
    this.settings = settings
    this.deps = deps
    this.time = new SharedTime(deps.time.clock)
    this.key = settings.key === "request" || settings.key === "connection" ? null : compileKey(settings.key)
    this.down = this.direction(settings.down, "down")
    this.up = this.direction(settings.up, "up")
    this.paced = deps.counter(`bandwidth_paced_${placeWord(deps.place)}`, "Requests whose bodies go at a limited rate.")
  }

  access(x: Exchange): Verdict {
    const key = this.key === null ? "" : this.key.of(x)
    if (this.key !== null && key === "") return NEXT
    setPace(x, this.deps.time).add(this.gauge(x, this.down, key), this.gauge(x, this.up, key), this.settings.after)
    this.paced.add(1)
    return NEXT
  }

  private direction(rate: number | null, word: string): Direction | null {
    if (rate === null) return null
    return { rate, byConnection: new WeakMap(), table: this.key === null ? null : this.table(word) }
  }

  private table(word: string): KeyedTable {
    const { zone, keysMax } = this.settings
    const shape: TableShape = { keysMax, valueWords: 16, kind: KIND_METER }
    const key = `${zone === null ? this.deps.place : `bandwidth/${zone}`}/${word}`
    return new KeyedTable(this.deps.shared(key, KeyedTable.bytes(shape)), shape)
  }

  private gauge(x: Exchange, of: Direction | null, key: string): PaceGauge | null {
    if (of === null) return null
    if (of.table !== null) return new KeyGauge(of.rate, this.time, of.table, key)
    if (this.settings.key === "request") return new OwnGauge(of.rate, this.time)
    const connection = x.down!.info
    const known = of.byConnection.get(connection)
    if (known !== undefined) return known
    const made = new OwnGauge(of.rate, this.time)
    of.byConnection.set(connection, made)
    return made
  }
}

function describe({ down, up, after, key, zone }: Options): string {
  const rates = [
    down === null ? "" : `answers ${formatSize(down)}/s${after > 0 ? ` after ${formatSize(after)}` : ""}`,
    up === null ? "" : `uploads ${formatSize(up)}/s`,
  ]
  return `${rates.filter(text => text !== "").join(", ")} by ${key}${zone === null ? "" : ` in zone ${zone}`}`
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
