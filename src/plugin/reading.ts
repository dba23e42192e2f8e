import type { Exchange } from "../flow/index.ts"
import type { FilterDeps } from "./filter.ts"

/** A number that other rules may read by a name: what a filter counts for the key of a request. */
export interface Reading {
  readonly name: string
  /** What the number is, for explain: `errors by client in 1m`. */
  readonly text: string
  /** The number for this request; 0 where it has no key. Looks into memory of all workers and allocates next to nothing. */
  read(x: Exchange): number
}

/** Gives the reading of this name. Throws where the config has none. */
export type Readings = (name: string) => Reading

/** How the readings that a filter offers are made without it. */
export interface ReadingDefinition<Options> {
  /** The name that the options give; "" = none. */
  name(options: Options): string
  build(options: Options, deps: Pick<FilterDeps, "shared" | "time">): Reading
}
