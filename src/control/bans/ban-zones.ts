import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { z } from "zod"
import { KeyedTable, KIND_BANS, type Log } from "../../base/index.ts"
import type { Config } from "../../config/index.ts"
import { type Ban, type BanOptions, BanTable, banZone } from "../../filter/index.ts"
import type { SharedZones } from "../shared-zones.ts"

const KEEP_EVERY_MS = 2000

/** What filters of the config say of a zone of bans. */
export interface BanZone {
  readonly name: string
  readonly table: BanTable
  /** What its bans are by; several where filters differ. */
  readonly keys: readonly string[]
  /** File that keeps them, null = none. */
  readonly file: string | null
  /** The table's count of changes when the file was written. */
  keptAt: number
}

const fileSchema = z.object({
  bans: z.array(z.object({ key: z.string().min(1), since: z.number(), until: z.number(), offences: z.number().int().min(0), reason: z.string() })),
})

/** The zones of bans of the live config: what the control thread reads, changes and keeps of them. */
export class BanZones {
  #live: readonly BanZone[] = []
  readonly #log: Log
  readonly #timer: ReturnType<typeof setInterval>

  constructor(log: Log) {
    this.#log = log
    this.#timer = setInterval(() => this.#keep(), KEEP_EVERY_MS)
    this.#timer.unref()
  }

  /** The zones of a candidate. Memory that is new gets what the zone's file has kept, before a worker serves from it. */
  stage(config: Config, zones: SharedZones, baseDir: string): { commit(): void } {
    const staged = [...optionsByZone(config)].map(([name, uses]) => this.#zoneOf(name, uses, zones, baseDir))
    return {
      commit: () => {
        // What is no longer in the config is written for the last time.
        this.#keep()
        this.#live = staged
      },
    }
  }

  get live(): readonly BanZone[] {
    return this.#live
  }

  /** Writes what has changed. */
  close(): void {
    clearInterval(this.#timer)
    this.#keep()
  }

  #zoneOf(name: string, uses: readonly BanOptions[], zones: SharedZones, baseDir: string): BanZone {
    const memory = zones[banZone(name)]!
    const isNew = KeyedTable.kindOf(memory) !== KIND_BANS
    const table = BanTable.of(memory, uses[0]!.bansMax)
    const persist = uses.find(use => use.persist !== null)?.persist ?? null
    const file = persist === null ? null : resolve(baseDir, persist)
    if (isNew && file !== null) this.#load(table, name, file)
    const before = this.#live.find(zone => zone.name === name && zone.file === file)
    const keptAt = isNew ? table.changes : (before?.keptAt ?? -1)
    return { name, table, keys: [...new Set(uses.map(use => use.key))], file, keptAt }
  }

  #load(table: BanTable, zone: string, file: string): void {
    let text: string
    try {
      text = readFileSync(file, "utf8")
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#log.error("the file of bans cannot be read", { zone, file, error })
      return
    }
    try {
      const now = Date.now()
      const bans = fileSchema.parse(JSON.parse(text)).bans.filter(ban => ban.until > now)
      for (const ban of bans) table.restore(ban)
      this.#log.info("bans are back from their file", { zone, file, bans: bans.length })
    } catch (error) {
      renameSync(file, `${file}.broken`)
      this.#log.error("the file of bans is no such file; it has been put aside", {
        zone,
        file: `${file}.broken`,
        error: (error as Error).message.slice(0, 200),
      })
    }
  }

  #keep(): void {
    for (const zone of this.#live) {
      const { changes } = zone.table
      if (zone.file === null || zone.keptAt === changes) continue
      try {
        keep(zone.file, zone.table.list(Date.now()))
        zone.keptAt = changes
      } catch (error) {
        this.#log.error("bans cannot be written to their file", { zone: zone.name, file: zone.file, error })
      }
    }
  }
}

/** Beside the file and then in its place, so that it is whole at any time. A key that was cut would come back as another one. */
function keep(file: string, bans: readonly Ban[]): void {
  const whole = bans.filter(ban => !ban.key.endsWith("…"))
  writeFileSync(`${file}.new`, `${JSON.stringify({ bans: whole }, null, 1)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function optionsByZone(config: Config): Map<string, BanOptions[]> {
  const byZone = new Map<string, BanOptions[]>()
  for (const use of config.routes.flatMap(route => route.filters)) {
    if (use.name !== "ban" || use.inline !== null) continue
    const options = use.options as BanOptions
    byZone.set(options.zone, [...(byZone.get(options.zone) ?? []), options])
  }
  return byZone
}
