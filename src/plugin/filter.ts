import type { Exchange, Verdict } from "../flow/index.ts"

/** What a filter may ask for at build time. Handles, not imports: rooms of one floor do not know each other. */
export interface FilterDeps {
  /** A number for `x.slots`, unique to this instance in its plan. */
  slot(): number
  /** A counter on the metrics page, `bothways_<name>_total`. */
  counter(name: string, help: string): { add(n: number): void }
  /** Ends the exchange with `proxy.request-timeout` when it is not over `ms` milliseconds from now; the earliest of several ends counts. */
  limit(x: Exchange, ms: number): void
  /** Resolves a path that the config names, relative to the config file. */
  path(name: string): string
  /** Reads a file now and calls back when it changes; a bad version is reported and the last good one stays. Returns the first content. */
  watchFile(path: string, changed: (content: string) => void): string
}

/**
 * The phases that a filter takes part in. Who changes a body says so for each exchange, with flow's `changeRequestBody` in the request phase and
 * `changeResponseBody` in the response phase; others' chunks do not pass it. Absent phases cost nothing. A phase returns NEXT, WAIT (then resumes), ANSWER or FAULT_VERDICT.
 */
export interface Filter {
  /** Says who the client is; decides nothing. */
  identify?(x: Exchange): Verdict
  /** Decides; fails closed. */
  access?(x: Exchange): Verdict
  request?(x: Exchange): Verdict
  /** Before each attempt, behind the choice of its peer. Fields that it adds are that attempt's alone; what it removes stays removed. */
  upstreamRequest?(x: Exchange): Verdict
  upstreamResponse?(x: Exchange): Verdict
  /** Runs on local replies too. */
  response?(x: Exchange): Verdict
  log?(x: Exchange): void
  /** What explain prints for this instance. */
  describe?(): string
}

export interface FilterDefinition<Options> {
  /** Word in the config, folder, metric label, fault prefix. */
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  build(options: Options, deps: FilterDeps): Filter
}

export function defineFilter<Options>(definition: FilterDefinition<Options>): FilterDefinition<Options> {
  return definition
}
