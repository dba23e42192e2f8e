import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { z } from "zod"
import { KeyedTable, KIND_QUOTAS, type Log, ZoneTime } from "../../base/index.ts"
import type { Config } from "../../config/index.ts"
import { type QuotaOptions, QuotaTable, quotaZone } from "../../filter/index.ts"
import type { Zones } from "../shared-zones.ts"

const KEEP_EVERY_MS = 3000

/** The quotas of one name. */
export interface LiveQuota {
  readonly name: string
  readonly options: QuotaOptions
  readonly table: QuotaTable
  readonly zone: ZoneTime
  /** What its file holds, so that nothing is written that is there. */
  kept: string
}

const fileSchema = z.object({
  period: z.int(),
  per: z.string(),
  usages: z.array(z.object({ key: z.string().min(1), bytes: z.number().min(0), requests: z.int().min(0), minutes: z.int().min(0) })),
})

/** What the control thread knows and keeps of the quotas of the live config. */
export class QuotaKeeper {
  #live: readonly LiveQuota[] = []
  readonly #zones: Zones
  readonly #log: Log
  #timer: ReturnType<typeof setInterval> | null = null

  constructor(zones: Zones, log: Log) {
    this.#zones = zones
    this.#log = log
  }

  get live(): readonly LiveQuota[] {
    return this.#live
  }

  /** The config is live, and so is its memory. What a file has kept is added to memory that is new. */
  follow(config: Config): void {
    this.#keep()
    const byZone = new Map<string, QuotaOptions>()
    for (const use of config.routes.flatMap(route => route.filters)) {
      if (use.name !== "quota" || use.inline !== null) continue
      const options = use.options as QuotaOptions
      const zone = quotaZone(options)
      if (!byZone.has(zone)) byZone.set(zone, options)
    }
    this.#live = [...byZone].flatMap(([zone, options]) => this.#quotaOf(zone, options))
    if (this.#live.every(({ options }) => options.persist === null)) this.#halt()
    else if (this.#timer === null) {
      this.#timer = setInterval(() => this.#keep(), KEEP_EVERY_MS)
      this.#timer.unref()
    }
  }

  stop(): void {
    this.#halt()
    this.#keep()
  }

  #halt(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #quotaOf(key: string, options: QuotaOptions): LiveQuota[] {
    const { name } = options
    const memory = this.#zones.get(key)
    if (memory === undefined) return []
    const table = new QuotaTable(memory, options.keysMax)
    const quota: LiveQuota = { name, options, table, zone: new ZoneTime(options.timeZone), kept: "" }
    // Once for each memory: what was restored is in there.
    if (KeyedTable.kindOf(memory) === KIND_QUOTAS && table.table.extra === 0) this.#restore(quota)
    table.table.countExtra()
    return [quota]
  }

  #restore({ name, options, table, zone }: LiveQuota): void {
    const file = options.persist
    if (file === null) return
    let text: string
    try {
      text = readFileSync(file, "utf8")
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#log.error("the file of quotas cannot be read", { quota: name, file, error })
      return
    }
    try {
      const { period, per, usages } = fileSchema.parse(JSON.parse(text))
      if (per !== options.per || period !== zone.periodNumber(options.per, Date.now())) return
      for (const usage of usages) table.restore({ ...usage, period })
      this.#log.info("quotas are back from their file", { quota: name, file, keys: usages.length })
    } catch (error) {
      renameSync(file, `${file}.broken`)
      this.#log.error("the file of quotas is no such file; it has been put aside", {
        quota: name,
        file: `${file}.broken`,
        error: (error as Error).message.slice(0, 200),
      })
    }
  }

  #keep(): void {
    for (const quota of this.#live) {
      const { options, name } = quota
      if (options.persist === null) continue
      try {
        const text = textOf(quota)
        if (text === quota.kept) continue
        // Beside the file and then in its place, so that it is whole at any time.
        writeFileSync(`${options.persist}.new`, text, { mode: 0o600 })
        renameSync(`${options.persist}.new`, options.persist)
        quota.kept = text
      } catch (error) {
        this.#log.error("quotas cannot be written to their file", { quota: name, file: options.persist, error })
      }
    }
  }
}

/** A key that was cut would come back as another one. */
function textOf({ options, table, zone }: LiveQuota): string {
  const period = zone.periodNumber(options.per, Date.now())
  const usages = table
    .list(period)
    .filter(({ key }) => !key.endsWith("…"))
    .map(({ key, bytes, requests, minutes }) => ({ key, bytes, requests, minutes }))
  return `${JSON.stringify({ period, per: options.per, usages }, null, 1)}\n`
}
