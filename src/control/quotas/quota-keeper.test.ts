import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { KeyedTable, logOf, ZoneTime } from "../../base/index.ts"
import { parseConfig, type Config } from "../../config/index.ts"
import { type QuotaOptions, QuotaTable, quotaZone } from "../../filter/index.ts"
import { Zones } from "../shared-zones.ts"
import { quotaFeature } from "./quota-feature.ts"
import { QuotaKeeper } from "./quota-keeper.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-quotas-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const unlimited = { bytes: null, requests: null, minutes: null }
const period = new ZoneTime("UTC").periodNumber("day", Date.now())

async function configWith(quota: string): Promise<Config> {
  const text = `listeners: { egress: { bind: "127.0.0.1:3128", forward: true } }\nroutes: [ { filters: [ { quota: ${quota} } ], to: { origin: {} } } ]`
  const result = await parseConfig(text, join(folder, "bothways.yaml"))
  if (!result.ok) throw new Error(result.problems.map(problem => problem.message).join())
  return result.config
}

/** A process with this config: its keeper, and the table that workers write to. */
function started(config: Config): { readonly keeper: QuotaKeeper; readonly table: QuotaTable } {
  const options = config.routes[0]!.filters[0]!.options as QuotaOptions
  const zones = new Zones()
  const shape = { keysMax: options.keysMax, valueWords: 48, kind: 4 }
  zones.stage(new Map([[quotaZone(options), KeyedTable.bytes(shape)]])).commit()
  const table = new QuotaTable(zones.get(quotaZone(options))!, options.keysMax)
  const keeper = new QuotaKeeper(zones, logOf("control"))
  keeper.follow(config)
  return { keeper, table }
}

describe("quota keeper", () => {
  test("what was used is written, and is there in the next process, once", async () => {
    const config = await configWith("{ name: a, bytes: 1GB, timeZone: UTC, persist: a.json }")
    const first = started(config)
    first.table.add("ann", period, 1, 1000, unlimited)
    first.keeper.stop()
    expect(JSON.parse(readFileSync(join(folder, "a.json"), "utf8"))).toMatchObject({
      period,
      per: "day",
      usages: [{ key: "ann", bytes: 1000, minutes: 1 }],
    })
    const second = started(config)
    second.keeper.follow(config)
    expect(second.table.list(period)).toMatchObject([{ key: "ann", bytes: 1000, requests: 0, minutes: 1 }])
    second.keeper.stop()
  })

  test("another period's file is left alone, a broken one is put aside", async () => {
    const file = join(folder, "b.json")
    writeFileSync(file, JSON.stringify({ period: period - 1, per: "day", usages: [{ key: "old", bytes: 5, requests: 1, minutes: 1 }] }))
    const config = await configWith("{ name: b, bytes: 1GB, timeZone: UTC, persist: b.json }")
    const one = started(config)
    expect(one.table.list(period)).toEqual([])
    one.keeper.stop()
    writeFileSync(file, "no quotas")
    const other = started(config)
    expect([other.table.list(period), existsSync(`${file}.broken`)]).toEqual([[], true])
    other.keeper.stop()
  })

  test("the admin API lists and resets", async () => {
    const config = await configWith("{ name: c, bytes: 1KB, requests: 3, timeZone: UTC }")
    const { keeper, table } = started(config)
    table.take("ann", period, 1, unlimited)
    table.add("bob", period, 1, 10, unlimited)
    const { read, change } = quotaFeature(keeper)
    const asked = async (path: string, query: string, of = read) => {
      const answer = await (of as NonNullable<typeof read>)[path]!(new URLSearchParams(query))
      return { status: answer.status, body: answer.body as { quotas: { key: string; bytesMax: number }[]; error?: string } }
    }
    expect((await asked("/quotas", "")).body.quotas).toMatchObject([
      { key: "bob", bytes: 10, bytesMax: 1024, requestsMax: 3, minutesMax: null },
      { key: "ann", requests: 1 },
    ])
    expect((await asked("/quotas", "key=ann")).body.quotas.length).toBe(1)
    expect((await asked("/quotas", "quota=x")).body.error).toContain("there is c")
    expect([
      (await asked("/quotas/reset", "key=ann", change as typeof read)).status,
      (await asked("/quotas/reset", "key=ann", change as typeof read)).status,
    ]).toEqual([200, 404])
    expect((await asked("/quotas/reset", "", change as typeof read)).status).toBe(400)
    keeper.stop()
  })
})
