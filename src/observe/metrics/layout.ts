import { faults } from "../../base/index.ts"
import { HISTOGRAM_CELLS } from "./buckets.ts"

/**
 * Where each series lies in a worker's region. Plain data, so that it can be posted to the workers.
 *
 *   memory:  | region of worker 0 | region of worker 1 | … | region of the control thread |
 *   region:  | scratch | faults | process | unrouted | blocks in the order in which they were asked for … |
 *
 * An offset means the same in every region; the page shows the sum over the regions.
 */
export interface MetricsLayout {
  /** Float64 cells of one region. */
  readonly capacity: number
  readonly blocks: readonly MetricsBlock[]
}

export interface MetricsBlock {
  readonly shape: ShapeName
  /** Name of a counter or gauge of its own, without `bothways_` and `_total`; "" for the other shapes. */
  readonly name: string
  readonly help: string
  readonly labels: Readonly<Record<string, string>>
  /** Cell in the region. */
  readonly offset: number
}

export type MetricKind = "counter" | "gauge" | "histogram"

/** One cell of a block (`HISTOGRAM_CELLS` of them for a histogram) as the page shows it. */
export interface Cell {
  readonly metric: string
  readonly kind: MetricKind
  readonly help: string
  /** Labels beside the block's own. */
  readonly labels: Readonly<Record<string, string>>
}

export type ShapeName = "faults" | "process" | "route" | "cluster" | "peer" | "listener" | "cache" | "counter" | "gauge"

/** Cells of a route's block, by their distance from its offset. A status class is its own distance: `offset + (status / 100 | 0)`. */
export const ROUTE = { noStatus: 0, duration: 6, requestBytes: 6 + HISTOGRAM_CELLS, responseBytes: 7 + HISTOGRAM_CELLS } as const
export const CLUSTER = {
  attempts: 0,
  failures: 1,
  retries: 2,
  connect: 3,
  hedges: 3 + HISTOGRAM_CELLS,
  hedgesWon: 4 + HISTOGRAM_CELLS,
  queueWait: 5 + HISTOGRAM_CELLS,
  refused: 5 + 2 * HISTOGRAM_CELLS,
  panicked: 6 + 2 * HISTOGRAM_CELLS,
} as const
export const PEER = { attempts: 0, failures: 1, connect: 2 } as const
export const LISTENER = { accepted: 0, open: 1, refused: 2 } as const
/** Cells of a route's cache: one a result, in this order, and octets that no upstream had to send. */
export const CACHE_RESULTS = ["hit", "stale", "revalidated", "coalesced", "miss", "pass", "bypass"] as const
export const CACHE = { savedBytes: CACHE_RESULTS.length } as const
export const PROCESS = { linesDropped: 0 } as const

const counter = (metric: string, help: string, labels: Record<string, string> = {}): Cell => ({ metric, kind: "counter", help, labels })
const gauge = (metric: string, help: string): Cell => ({ metric, kind: "gauge", help, labels: {} })
const histogram = (metric: string, help: string): Cell => ({ metric, kind: "histogram", help, labels: {} })

const lookups = "Requests of routes with a cache, by what came of them."
const requests = "Requests that ended, by the class of the status that the client got; none = it got no answer."

/** What each shape's block holds. The page follows this order. Counters and gauges of their own are described by their block. */
export const shapes: Readonly<Record<Exclude<ShapeName, "counter" | "gauge">, readonly Cell[]>> = {
  listener: [
    counter("bothways_connections_accepted_total", "Client connections that were accepted."),
    gauge("bothways_connections_open", "Client connections that are open now."),
    counter("bothways_connections_refused_total", "Client connections that were closed at once because of a limit or rule."),
  ],
  route: [
    counter("bothways_requests_total", requests, { status: "none" }),
    ...["1xx", "2xx", "3xx", "4xx", "5xx"].map(status => counter("bothways_requests_total", requests, { status })),
    histogram(
      "bothways_request_duration_seconds",
      "From the first octet of the request to the last of the answer; for tunnels to the head of the answer.",
    ),
    counter("bothways_request_body_bytes_total", "Octets of request bodies and of what clients sent into tunnels."),
    counter("bothways_response_body_bytes_total", "Octets of response bodies and of what tunnels sent to clients."),
  ],
  cluster: [
    counter("bothways_cluster_attempts_total", "Attempts to send a request to the cluster."),
    counter("bothways_cluster_failures_total", "Attempts that ended in a fault of the upstream side."),
    counter("bothways_cluster_retries_total", "Attempts that repeat an earlier one of the same request."),
    histogram("bothways_cluster_connect_seconds", "Time to open a connection to a peer of the cluster, TLS included."),
    counter("bothways_cluster_hedges_total", "Second attempts beside one that was not answered."),
    counter("bothways_cluster_hedges_won_total", "Second attempts whose answer came first."),
    histogram("bothways_cluster_queue_wait_seconds", "Time that requests waited in front of the cluster, whatever came of it."),
    counter("bothways_cluster_refused_total", "Requests that the cluster's breaker, limits, queue or shedding refused."),
    counter("bothways_cluster_panic_attempts_total", "Attempts while too few peers were available and all of them got requests."),
  ],
  peer: [
    counter("bothways_peer_attempts_total", "Attempts to send a request to the peer."),
    counter("bothways_peer_failures_total", "Attempts that ended in a fault of the upstream side."),
    histogram("bothways_peer_connect_seconds", "Time to open a connection to the peer, TLS included."),
  ],
  cache: [
    ...CACHE_RESULTS.map(result => counter("bothways_cache_requests_total", lookups, { result })),
    counter("bothways_cache_saved_bytes_total", "Octets of bodies that came from the cache."),
  ],
  faults: faults.map(fault =>
    counter("bothways_faults_total", "Faults of exchanges and connections, as in the table of faults.", { fault: fault.code, source: fault.source }),
  ),
  process: [counter("bothways_log_lines_dropped_total", "Lines of the access log that were lost because the target did not keep up.")],
}

/** How many Float64 cells a cell of this kind takes. */
export function cellsOf(kind: MetricKind): number {
  return kind === "histogram" ? HISTOGRAM_CELLS : 1
}

/** How many Float64 cells a block of this shape takes. */
export function cellsOfShape(shape: ShapeName): number {
  if (shape === "counter" || shape === "gauge") return 1
  return shapes[shape].reduce((sum, cell) => sum + cellsOf(cell.kind), 0)
}

/** The cells of a block as the page shows them. */
export function cellsOfBlock(block: MetricsBlock): readonly Cell[] {
  if (block.shape === "counter") return [counter(`bothways_${block.name}_total`, block.help)]
  if (block.shape === "gauge") return [gauge(`bothways_${block.name}`, block.help)]
  return shapes[block.shape]
}
