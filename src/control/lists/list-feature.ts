import { domainToASCII } from "node:url"
import { normaliseIp } from "../../base/index.ts"
import type { ExtraSample } from "../../observe/index.ts"
import { type AdminAnswer, type AdminFeature, adminJson } from "../admin/admin-feature.ts"
import type { KeptList } from "./kept-list.ts"
import type { ListKeeper } from "./list-keeper.ts"

const HOST_LENGTH_MAX = 300

/** A list as GET /lists tells of it. Times in milliseconds since 1970 UTC. */
export interface ListEntry {
  readonly name: string
  readonly category: string | null
  /** Different names. */
  readonly entries: number
  /** Octets of the memory that all workers share. */
  readonly bytes: number
  /** Lines of its files that are no entries: those that were understood and those that were not. */
  readonly skipped: number
  readonly malformed: number
  readonly loadedAt: number
  readonly tookMs: number
  readonly version: number
  /** Versions of the files that were refused. */
  readonly failures: number
  /** Why what the files hold now is not in force, null = it is. */
  readonly error: string | null
  readonly errorAt: number | null
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly rules: number; readonly taken: number }[]
  /** By why. */
  readonly skippedBy: Readonly<Record<string, number>>
}

/** Whether a list holds a host, and by which of its names. */
export interface ListAnswer {
  readonly list: string
  readonly category: string | null
  readonly holds: boolean
  /** The name of the list that the host is in; null = none. */
  readonly name: string | null
  /** The name of an exception that takes the host out again; null = none. */
  readonly exception: string | null
}

/** What the lists are, and which of them hold a host. */
export function listFeature(lists: ListKeeper): AdminFeature {
  return { read: { "/lists": query => answer(lists, query) } }
}

function answer({ live }: ListKeeper, query: URLSearchParams): AdminAnswer {
  const name = query.get("name")
  const host = query.get("host")
  const chosen = name === null ? live : live.filter(list => list.name === name)
  if (name !== null && chosen.length === 0)
    return adminJson(404, {
      error: `there is no list ${JSON.stringify(name)}; ${live.length === 0 ? "the config has none" : `there are ${live.map(list => list.name).join(", ")}`}`,
    })
  if (host === null) return adminJson(200, { lists: chosen.map(entryOf) })
  const form = hostForm(host)
  if (form === "")
    return adminJson(400, { error: `host: expected a host such as www.shop.example, got ${JSON.stringify(host.slice(0, HOST_LENGTH_MAX))}` })
  return adminJson(200, { host: form, answers: chosen.map(list => answerOf(list, form)) })
}

function entryOf(list: KeptList): ListEntry {
  const { name, config, loaded } = list
  const skippedBy: Record<string, number> = {}
  for (const { skipped } of loaded.files) for (const [reason, count] of Object.entries(skipped)) skippedBy[reason] = (skippedBy[reason] ?? 0) + count
  return {
    name,
    category: config.category,
    entries: loaded.entries,
    bytes: loaded.memory.byteLength,
    skipped: Object.values(skippedBy).reduce((sum, count) => sum + count, 0),
    malformed: loaded.files.reduce((sum, file) => sum + file.malformed, 0),
    loadedAt: list.loadedAt,
    tookMs: list.tookMs,
    version: list.version,
    failures: list.failures,
    error: list.error === "" ? null : list.error,
    errorAt: list.errorAt === 0 ? null : list.errorAt,
    files: loaded.files.map(({ path, bytes, rules, taken }) => ({ path, bytes, rules, taken })),
    skippedBy,
  }
}

function answerOf({ name, config, set }: KeptList, host: string): ListAnswer {
  const holds = set.has(host)
  const { nameAt, exceptAt } = set
  return {
    list: name,
    category: config.category,
    holds,
    name: nameAt < 0 ? null : host.slice(nameAt),
    exception: exceptAt < 0 ? null : host.slice(exceptAt),
  }
}

/** A host as people type it, as rules see it; "" = it is none. */
function hostForm(text: string): string {
  if (text.length > HOST_LENGTH_MAX || /[\s/@?#\\%]/.test(text)) return ""
  const name = text.endsWith(".") ? text.slice(0, -1) : text
  return normaliseIp(name) ?? (/[^\0-\x7f]/.test(name) ? domainToASCII(name) : name.toLowerCase())
}

/** What the metrics page says of lists. */
export function listSamples({ live }: ListKeeper): ExtraSample[] {
  return live.flatMap(({ name, config, loaded, failures, error, loadedAt }): ExtraSample[] => {
    const labels = { list: name, category: config.category ?? "" }
    const gauge = (metric: string, help: string, value: number): ExtraSample => ({ metric, kind: "gauge", help, value, labels })
    return [
      gauge("bothways_list_entries", "Different names in the version of the list that is in force.", loaded.entries),
      gauge("bothways_list_bytes", "Octets of the list in the memory that all workers share.", loaded.memory.byteLength),
      gauge("bothways_list_loaded_seconds", "When the version that is in force was read, seconds of the epoch.", loadedAt / 1000),
      gauge(
        "bothways_list_stale",
        "1 when what the files of the list hold now was refused, or a file is gone, and an older version is in force.",
        error === "" ? 0 : 1,
      ),
      {
        metric: "bothways_list_reload_failures_total",
        kind: "counter",
        help: "Versions of the list's files that were refused.",
        value: failures,
        labels,
      },
    ]
  })
}
