import { stat } from "node:fs/promises"
import { EXIT } from "../../exit-codes.ts"
import type { CommandContext } from "../../program.ts"
import { styleOf, withProgress } from "../../terminal.ts"
import { UsageError } from "../../usage-error.ts"
import { type LogRequest, readLogLine } from "./log-request.ts"
import { checkReadable, LogFileError, readLines, STDIN } from "./read-lines.ts"

/** Files that one command reads. */
export const LOG_FILES_MAX = 1000

/** Why a request has nothing to do with a cache. */
export type LeftOut = "method" | "status" | "uncacheable" | "route" | "no request"

/** What the log of a cache says it did with the requests that it saw. */
export type CacheWord = "hit" | "stale" | "revalidated" | "coalesced" | "miss" | "pass" | "bypass"
export const CACHE_WORDS: readonly CacheWord[] = ["hit", "stale", "revalidated", "coalesced", "miss", "pass", "bypass"]

export interface LogCounts {
  files: number
  lines: number
  /** Lines of no format that is known. */
  bad: number
  /** Requests that a cache may answer. */
  counted: number
  readonly leftOut: Record<LeftOut, number>
  /** What the cache of the log did. */
  readonly did: Record<CacheWord, number>
  /** Requests that count although the log names no cache for them. */
  uncached: number
}

/**
 * Statuses that caches keep when nothing says how long (RFC 9110 section 15.1), and 304: the client had the body. Not 206, which is a part, nor what only
 * an explicit lifetime makes storable.
 */
const cacheable = new Set([200, 203, 204, 300, 301, 304, 308, 404, 405, 410, 414, 501])

/** Reasons that lie with the size or the patience of the cache of the log, not with what was asked: another cache could have kept that. */
export const REASONS_OF_THE_CACHE: readonly string[] = ["stored", "too-large", "no-room", "min-uses", "coalesce-timeout", "busy"]

/** Whether the cache of the log says that no cache may keep this. */
function isUncacheable({ cache, cacheReason }: LogRequest): boolean {
  if (REASONS_OF_THE_CACHE.includes(cacheReason)) return false
  return cache === "pass" || cache === "bypass" || (cache === "miss" && cacheReason !== "")
}

/** Reads logs and hands on the requests that a cache may answer. */
export class LogScan {
  readonly counts: LogCounts = {
    files: 0,
    lines: 0,
    bad: 0,
    counted: 0,
    leftOut: { method: 0, status: 0, uncacheable: 0, route: 0, "no request": 0 },
    did: { hit: 0, stale: 0, revalidated: 0, coalesced: 0, miss: 0, pass: 0, bypass: 0 },
    uncached: 0,
  }
  private readonly routes: ReadonlySet<string>
  private readonly take: (request: LogRequest) => void

  /** `routes`: only requests of these; empty = of all. */
  constructor(routes: readonly string[], take: (request: LogRequest) => void) {
    this.routes = new Set(routes)
    this.take = take
  }

  /** Reads the files, the one that begins earliest first. Throws UsageError when one cannot be read, or when there is no line in them that is one of an access log. */
  async read(paths: readonly string[]): Promise<LogCounts> {
    if (paths.length > LOG_FILES_MAX) throw new UsageError(`--from: at most ${LOG_FILES_MAX} files, got ${paths.length}`)
    for (const path of paths) await checkReadable(path)
    for (const path of await inOrder(paths)) {
      await readLines(path, line => this.line(line))
      this.counts.files++
    }
    if (this.counts.bad > 0 && this.counts.bad === this.counts.lines) throw new UsageError(unknownFormat(paths))
    return this.counts
  }

  private line(line: string): boolean {
    const request = readLogLine(line)
    this.counts.lines++
    if (request === null) this.counts.bad++
    else this.request(request)
    return true
  }

  private request(request: LogRequest): void {
    const { counts } = this
    const reason = this.reasonAgainst(request)
    if (reason !== "route" && Object.hasOwn(counts.did, request.cache)) counts.did[request.cache as CacheWord]++
    if (reason !== null) return void counts.leftOut[reason]++
    counts.counted++
    if (request.cache === "") counts.uncached++
    this.take(request)
  }

  private reasonAgainst(request: LogRequest): LeftOut | null {
    if (request.method === "" || request.target === "") return "no request"
    if (this.routes.size > 0 && !this.routes.has(request.route)) return "route"
    if (request.method !== "GET") return "method"
    if (isUncacheable(request)) return "uncacheable"
    return cacheable.has(request.status) ? null : "status"
  }
}

/** Reads the files for a command; says it when one breaks off, and answers null then. */
export async function scanLogs(scan: LogScan, paths: readonly string[], context: CommandContext): Promise<LogCounts | null> {
  try {
    return await withProgress(context, `reading ${paths.join(", ")}`, scan.read(paths))
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error
    context.err.write(`${styleOf(context.err, context.env).red("bothways:")} ${error.message}\n`)
    context.exit(EXIT.failed)
    return null
  }
}

function unknownFormat(paths: readonly string[]): string {
  return (
    `--from: no line of ${paths.join(", ")} is one of the access log formats json and combined; ` +
    "lines of the format template can be read if they look like one of these: log with `format: json` for a while"
  )
}

/** Rotated logs are named in any order, and a cache sees requests in theirs. Pipes can be read once only: then the order is the operator's. */
async function inOrder(paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 1) return paths
  const begins: { path: string; timeMs: number }[] = []
  for (const path of paths) {
    if (path === STDIN || !(await stat(path)).isFile()) return paths
    begins.push({ path, timeMs: await firstTime(path) })
  }
  // a file without a time comes last: it has no request either
  return begins.sort((a, b) => order(a.timeMs) - order(b.timeMs)).map(({ path }) => path)
}

function order(timeMs: number): number {
  return Number.isNaN(timeMs) ? Number.MAX_SAFE_INTEGER : timeMs
}

/** When the first line that has a time was written; NaN = none of the first thousand has. */
async function firstTime(path: string): Promise<number> {
  let found = Number.NaN
  let lines = 0
  await readLines(path, line => {
    found = readLogLine(line)?.timeMs ?? Number.NaN
    return Number.isNaN(found) && ++lines < 1000
  })
  return found
}
