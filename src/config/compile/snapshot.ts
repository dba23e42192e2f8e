import type { Plan } from "../../flow/index.ts"
import type { RouteTable } from "../../route/index.ts"
import type { Cluster, Origins } from "../../upstream/index.ts"
import type { Config } from "../schema.ts"
import type { Inspector } from "./inspect/inspector.ts"
import type { CompiledClusters } from "./compile-clusters.ts"

/**
 * A config as the data path runs it. Nothing in it changes after it was compiled, but the state of clusters (peers, connections), which
 * belongs to the running proxy; an exchange keeps the snapshot that it started with.
 */
export interface Snapshot {
  readonly version: number
  readonly config: Config
  readonly table: RouteTable
  /** By route index. */
  readonly plans: readonly Plan[]
  /** By listener name: what every exchange of the listener starts with; ends in the route step. */
  readonly entries: ReadonlyMap<string, Plan>
  /** The same for requests inside tunnels that were opened, where a listener inspects. */
  readonly insideEntries: ReadonlyMap<string, Plan>
  readonly inspectors: ReadonlyMap<string, Inspector>
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly compiledClusters: CompiledClusters
  /** By listener name, for those that take forward requests. */
  readonly origins: ReadonlyMap<string, Origins>
}
