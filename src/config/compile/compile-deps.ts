import type { CacheStore } from "../../cache/index.ts"
import type { Exchange, Step } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import type { dial, dialUdp } from "../../net/index.ts"
import type { AccessLog, MetricsLayout, WorkerMetrics } from "../../observe/index.ts"
import type { Lines, Lists, Readings } from "../../plugin/index.ts"
import type { OriginResolver, PeerEndpoint, PeerStates } from "../../upstream/index.ts"
import type { OpenInside } from "./inspect/inside-opening.ts"
import type { Stage } from "./step-list.ts"

/** A peer with the slot of its shared state. */
export interface SlottedPeer extends PeerEndpoint {
  readonly slot: number
  /** Place of its numbers among the metrics. Default: they go nowhere. */
  readonly metrics?: number
}

/** What a snapshot is compiled with. The worker gives the real things; explain and check give quiet ones. */
export interface CompileDeps {
  readonly time: Time
  readonly states: PeerStates
  readonly peers: Readonly<Record<string, readonly SlottedPeer[]>>
  /** By cluster: slot of its retry budget. */
  readonly clusterSlots: Readonly<Record<string, number>>
  readonly resolver: OriginResolver
  readonly metrics: WorkerMetrics | null
  readonly layout: MetricsLayout | null
  readonly accessLog: AccessLog | null
  /** Names this process in Via. */
  readonly instanceId: string
  /** Directory that relative paths count from. */
  readonly baseDir: string
  /** Asks for the addresses of a cluster's names again. */
  refreshPeers(cluster: string): void
  /** Told of each exchange's end, after the log. */
  ended(x: Exchange): void
  /** Told when a file that a filter watches is to be watched; returns the first content. */
  watchFile(path: string, changed: (content: string) => void): string
  /** Lines of filters, by path; "" = standard output. Default: nothing is served. */
  readonly lines?: (path: string) => Lines
  /** Addresses of this machine, for the loop rule. */
  readonly ownAddresses: readonly string[]
  /** The caches of the config by name. Default: none, so that routes with a cache go without. */
  readonly caches?: ReadonlyMap<string, CacheStore>
  /** Memory that all workers share, by key, of just this size. Default: memory of this thread's own. */
  readonly shared?: (key: string, bytes: number) => SharedArrayBuffer
  /** This thread among the workers. Default: the only one. */
  readonly worker?: { readonly index: number; readonly count: number }
  /** What filters of the config count, by name; `compileSnapshot` fills it in. */
  readonly reading?: Readings
  /** The lists of the config. Default: they are read when somebody asks for them. */
  readonly lists?: Lists
  /** Opens connections. Default: net's `dial`; explain gives one that opens none. */
  readonly dial?: typeof dial
  /** Serves what is in tunnels whose TLS is opened. Default: none is opened, as in explain. */
  readonly openInside?: OpenInside
  /** Opens UDP sockets. Default: net's `dialUdp`; explain gives one that opens none. */
  readonly dialUdp?: typeof dialUdp
  /** Gives the step that stands in the plan for `step`. Default: itself, and stages cost nothing. */
  readonly watch?: (stage: Stage, step: Step) => Step
}
