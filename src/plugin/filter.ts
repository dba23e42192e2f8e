import type { Exchange, OwnAnswer, OwnRequest, Verdict } from "../flow/index.ts"
import type { Fault } from "../base/index.ts"
import type { Time } from "../http/index.ts"
import type { Lists, ListUse } from "./lists.ts"
import type { LogSink } from "./log-format.ts"
import type { CompiledMatch, MatchUse } from "./match-use.ts"
import type { ReadingDefinition, Readings } from "./reading.ts"

/** A cluster that a filter sends requests of its own to: an authorisation service, a mirror. Balanced, retried and health-checked as all of its requests are. */
export interface ClusterHandle {
  readonly name: string
  /** Sends a request. `done` is called once, never before `send` has returned, unless `cancel` came first. */
  send(request: OwnRequest, done: OwnDone): { cancel(): void }
}

/** The whole answer, or the fault that came instead of one. */
export type OwnDone = (answer: OwnAnswer | null, fault: Fault | null) => void

export type PhaseVerdict = Verdict | Promise<Verdict>

/** What a filter may ask for at build time. Handles, not imports: rooms of one floor do not know each other. */
export interface FilterDeps {
  /** Where in the config this filter stands, such as `routes/shop/rate-limit#0`. Stays over reloads while the route keeps its name and the filter its position. */
  readonly place: string
  /** A number for `x.slots`, unique to this instance in its plan. */
  slot(): number
  /** A counter on the metrics page, `bothways_<name>_total`. */
  counter(name: string, help: string): { add(n: number): void }
  /**
   * Memory that all workers share, all zeroes at first. Filters that ask for the same key have the same memory. It is kept over reloads as long as key
   * and size stay. Ask for it in `build` only; throws where another filter asks for the key with another size.
   */
  shared(key: string, bytes: number): SharedArrayBuffer
  /** This thread among the workers that share memory. Default: the only one. */
  readonly worker?: { readonly index: number; readonly count: number }
  /** What other filters of the config count, by name. */
  readonly reading?: Readings
  /** The lists of the config. */
  readonly lists?: Lists
  /** Compiles what stands under a `match:` of the options. Throws when a matcher cannot be used. Default: nothing has one. */
  match?(use: MatchUse): CompiledMatch
  /**
   * Whether the tunnel that this request asks for comes to somebody who looks into it and never carries on what is refused (`notes.refuse`): then a refusal can be told inside.
   * Default: never.
   */
  opens?(x: Exchange): boolean
  /** A cluster of the config. Throws when there is none of this name. */
  cluster(name: string): ClusterHandle
  /** Milliseconds of the monotonic clock, and timers on the worker's wheel. */
  readonly time: Time
  /** Ends the exchange with `proxy.request-timeout` when it is not over `ms` milliseconds from now; the earliest of several ends counts. */
  limit(x: Exchange, ms: number): void
  /** Resolves a path that the config names, relative to the config file. */
  path(name: string): string
  /** Reads a file now and calls back when it changes; a bad version is reported and the last good one stays. Returns the first content. */
  watchFile(path: string, changed: (content: string) => void): string
  /** Lines of a filter's own, to a file (an absolute path) or to standard output (""). Filters that name the same have the same. Default: nothing is served, and nothing written. */
  lines?(path: string): Lines
}

/** Takes whole lines and never blocks; what its target does not keep up with is dropped and counted. */
export type Lines = Pick<LogSink, "write" | "dropped">

/**
 * The phases that a filter takes part in. Who changes a body says so for each exchange, with flow's `changeRequestBody` in the request phase and
 * `changeResponseBody` in the response phase; others' chunks do not pass it. Absent phases cost nothing.
 * A phase returns NEXT, WAIT (then resumes), ANSWER or FAULT_VERDICT; one that is asynchronous returns a promise of a verdict, which costs a microsecond and is waited for.
 */
export interface Filter {
  /** Says who the client is; decides nothing. */
  identify?(x: Exchange): PhaseVerdict
  /** Decides; fails closed. */
  access?(x: Exchange): PhaseVerdict
  request?(x: Exchange): PhaseVerdict
  /** Before each attempt, behind the choice of its peer. Fields that it adds are that attempt's alone; what it removes stays removed. */
  upstreamRequest?(x: Exchange): PhaseVerdict
  upstreamResponse?(x: Exchange): PhaseVerdict
  /** Runs on local replies too. */
  response?(x: Exchange): PhaseVerdict
  log?(x: Exchange): void
  /** What explain prints for this instance. */
  describe?(): string
  /** What this filter makes of a request and why, one line each, for explain. Asked right before its first phase of access, request and upstreamRequest; changes nothing. */
  explain?(x: Exchange): readonly string[]
}

/** Something that is wrong with options; `at`: keys below them. */
export interface OptionProblem {
  readonly severity: "error" | "warning"
  readonly at: readonly (string | number)[]
  readonly text: string
}

export interface FilterDefinition<Options> {
  /** Word in the config, folder, metric label, fault prefix. */
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  /** Options that hold matches: their schema, made of the one of `match:`. The config reads them by it instead of `options`. */
  optionsWith?(match: import("zod").ZodType<MatchUse>): import("zod").ZodType<Options>
  /** Means something for connections without HTTP, which have a client and maybe a TLS name, and no request: identify, access and log run. Default false. */
  readonly raw?: boolean
  build(options: Options, deps: FilterDeps): Filter
  /** A number that rules elsewhere may read. Filters with the same name and options share it. */
  readonly reading?: ReadingDefinition<Options>
  /** Names of readings among the options, with the keys that lead there. */
  readings?(options: Options): readonly { readonly at: readonly (string | number)[]; readonly name: string }[]
  /** Names of clusters among the options, with the keys that lead there: an unknown one is told with its place in the file. */
  clusters?(options: Options): readonly { readonly at: readonly (string | number)[]; readonly name: string }[]
  /** Lists and categories among the options: an unknown one is told with its place in the file. */
  lists?(options: Options): readonly ListUse[]
  /** Paths among the options that other threads than the workers need, made absolute when the config is loaded. */
  paths?(options: Options, resolve: (path: string) => string): Options
  /** What is wrong with the options that only the world shows, such as a file that cannot be read. `resolve`: paths count from the config's directory. */
  problems?(options: Options, resolve: (path: string) => string): readonly OptionProblem[]
}

/** Gives a definition its type. */
export function defineFilter<Options>(definition: FilterDefinition<Options>): FilterDefinition<Options> {
  return definition
}
