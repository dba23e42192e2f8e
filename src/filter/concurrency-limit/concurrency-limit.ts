import { z } from "zod"
import {
  count,
  FAULT,
  type Fault,
  field,
  KeyedTable,
  KIND_TALLY,
  maybe,
  nameSchema,
  TALLY_AT,
  type TableShape,
  tallyWords,
} from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { compileKey, keyMeaning, keySchema, type LimitKey } from "../keyed/limit-key.ts"
import { placeWord } from "../keyed/place-word.ts"

const options = z.strictObject({
  requests: count(1, 60_000).describe("Requests of a key that may be under way at a time, over all workers."),
  key: field(keySchema, "client", keyMeaning),
  zone: maybe(nameSchema, "Filters with the same zone count together. Default: a zone of its own."),
  keysMax: field(count(1, 4_000_000), 100_000, "Keys with requests under way. What finds no place beyond them is not limited."),
  status: field(count(400, 599), 503, "Status of the refusal."),
  dryRun: field(z.boolean(), false, "Refuses nothing and counts what would have been refused."),
})

type Options = z.output<typeof options>

class ConcurrencyLimit {
  private readonly most: number
  private readonly key: LimitKey
  private readonly table: KeyedTable
  /** Which of an entry's tallies is this worker's. */
  private readonly own: number
  private readonly slot: number
  private readonly fault: Fault
  private readonly dryRun: boolean
  private readonly limited: { add(n: number): void }
  private readonly untracked: { add(n: number): void }

  constructor(settings: Options, deps: FilterDeps) {
    const worker = deps.worker ?? { index: 0, count: 1 }
    const shape: TableShape = { keysMax: settings.keysMax, valueWords: tallyWords(worker.count), kind: KIND_TALLY }
    const zone = settings.zone === null ? deps.place : `concurrency-limit/${settings.zone}`
    this.table = new KeyedTable(deps.shared(zone, KeyedTable.bytes(shape)), shape)
    this.own = TALLY_AT * 2 + worker.index
    this.most = settings.requests
    this.key = compileKey(settings.key)
    this.slot = deps.slot()
    this.fault = settings.status === FAULT.concurrencyMax.status ? FAULT.concurrencyMax : { ...FAULT.concurrencyMax, status: settings.status }
    this.dryRun = settings.dryRun
    const word = placeWord(deps.place)
    this.limited = deps.counter(`concurrency_limit_limited_${word}`, "Requests that would have been one too many of their key under way.")
    this.untracked = deps.counter(`concurrency_limit_untracked_${word}`, "Requests that were not limited because keysMax was reached.")
  }

  access(x: Exchange): Verdict {
    const key = this.key.of(x)
    if (key === "") return NEXT
    const { table } = this
    const base = table.enter(key)
    if (base === -1) {
      table.leave()
      this.untracked.add(1)
      return NEXT
    }
    const over = table.tallies(base) >= this.most
    if (!over || this.dryRun) {
      table.halves[base * 2 + this.own]!++
      x.slots[this.slot] = base
    }
    table.leave()
    if (!over) return NEXT
    this.limited.add(1)
    if (this.dryRun) return NEXT
    x.fault = this.fault
    x.replyFields = "Retry-After: 1\r\n"
    return FAULT_VERDICT
  }

  /** However the exchange ended: its place is free. A key with nothing under way needs none. */
  log(x: Exchange): void {
    const base = x.slots[this.slot] as number | undefined
    if (base === undefined) return
    x.slots[this.slot] = undefined
    const { table } = this
    table.enterAt(base)
    table.halves[base * 2 + this.own]!--
    if (table.tallies(base) === 0) table.drop()
    table.leave()
  }
}

export default defineFilter({
  name: "concurrency-limit",
  raw: true,
  summary: "Lets each client, user or other key have so many requests under way at a time, counted over all workers; refuses the rest with 503.",
  options,
  build(settings, deps) {
    const filter = new ConcurrencyLimit(settings, deps)
    const { requests, key, zone, dryRun } = settings
    return {
      access: x => filter.access(x),
      log: x => filter.log(x),
      describe: () => `${requests} under way by ${key}${zone === null ? "" : ` in zone ${zone}`}${dryRun ? "; dry run" : ""}`,
    }
  },
})
