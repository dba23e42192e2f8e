import { z } from "zod"
import {
  count as wholeNumber,
  duration,
  field,
  formatDuration,
  KeyedTable,
  KIND_METER,
  nameSchema,
  SharedTime,
  type TableShape,
} from "../../base/index.ts"
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter, type Filter, type FilterDeps, type Reading } from "../../plugin/index.ts"
import { compileKey, keyMeaning, keySchema, type LimitKey } from "../keyed/limit-key.ts"
import { SlidingWindow } from "../keyed/meter.ts"
import { placeWord } from "../keyed/place-word.ts"
import { statusTest, statusSchema } from "../keyed/status-list.ts"
import { amounts, countStatuses } from "./amounts.ts"

const options = z.strictObject({
  name: nameSchema.describe("Name under which match rules and bans read it. Filters with the same name are one counter, and must say the same."),
  of: field(
    z.union([z.enum(Object.keys(amounts) as [string, ...string[]]), z.array(statusSchema).min(1)]),
    "requests",
    "What counts: requests, errors (answers from 400 on), client-errors (4xx), server-errors (5xx and answers that broke off), bytes-in, bytes-out (octets of bodies), seconds (of work), or a list of statuses such as [401, 5xx].",
  ),
  key: field(keySchema, "client", keyMeaning),
  per: field(duration({ min: 1000 }), "1m", "The time that is looked back on."),
  keysMax: field(wholeNumber(1, 4_000_000), 100_000, "Keys that are counted at a time; beyond them the longest idle is forgotten."),
})

type Options = z.output<typeof options>

/** No key has as much: what a reader gets is a number, not a limit. */
const UNLIMITED = Infinity

/** One counter: what a key did within the last `per`. */
class Counter {
  readonly table: KeyedTable
  private readonly key: LimitKey
  private readonly window: SlidingWindow
  private readonly time: SharedTime

  constructor({ name, of, key, per, keysMax }: Options, deps: Pick<FilterDeps, "shared" | "time">) {
    const shape: TableShape = { keysMax, valueWords: 16, kind: KIND_METER }
    // Another key or another thing to count is another counter.
    this.table = new KeyedTable(deps.shared(`count/${name}/${String(of)}/${key}/${per}`, KeyedTable.bytes(shape)), shape)
    this.key = compileKey(key)
    this.window = new SlidingWindow(this.table, UNLIMITED, per)
    this.time = new SharedTime(deps.time.clock)
  }

  add(x: Exchange, amount: number): void {
    const key = amount > 0 ? this.key.of(x) : ""
    if (key === "") return
    const base = this.table.enter(key)
    this.window.usedAt(base, this.time.now())
    this.window.add(base, amount)
    this.table.leave()
  }

  read(x: Exchange): number {
    const key = this.key.of(x)
    if (key === "") return 0
    const base = this.table.find(key)
    const used = base === -1 ? 0 : this.window.usedAt(base, this.time.now())
    this.table.leave()
    return used
  }
}

function describe({ name, of, key, per }: Options): string {
  return `${name}: ${typeof of === "string" ? of : `answers ${of.join(", ")}`} by ${key} in ${formatDuration(per)}`
}

export default defineFilter({
  name: "count",
  summary: "Counts requests, errors, octets or statuses by client or another key, for match rules and bans to read.",
  options,
  build(settings, deps): Filter {
    const counter = new Counter(settings, deps)
    const evicted = deps.counter(
      `count_evicted_${placeWord(deps.place)}`,
      "Keys of a counter that were forgotten because others came and keysMax was reached.",
    )
    const add = (x: Exchange, amount: number): void => {
      counter.add(x, amount)
      if (counter.table.evicted === 0) return
      evicted.add(counter.table.evicted)
      counter.table.evicted = 0
    }
    const ask = (): string => describe(settings)
    if (settings.of === "requests") {
      const access = (x: Exchange): Verdict => {
        add(x, 1)
        return NEXT
      }
      return { access, describe: ask }
    }
    const { of } = settings
    const amountOf = typeof of === "string" ? amounts[of]! : countStatuses(statusTest(of))
    return { log: x => add(x, amountOf(x)), describe: ask }
  },
  reading: {
    name: settings => settings.name,
    build(settings, deps): Reading {
      const counter = new Counter(settings, deps)
      return { name: settings.name, text: describe(settings), read: x => counter.read(x) }
    },
  },
})
