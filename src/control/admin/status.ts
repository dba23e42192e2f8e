import type { ReloadProblem, WorkerInspection } from "../protocol.ts"
import type { SlotState } from "../workers/worker-slot.ts"

/** The body of GET /status. Times are ISO 8601, durations milliseconds. */
export interface Status {
  readonly name: "bothways"
  readonly version: string
  readonly pid: number
  readonly instance: string
  readonly state: "starting" | "ready" | "degraded" | "draining"
  readonly startedAt: string
  readonly uptimeMs: number
  readonly rssBytes: number
  readonly config: ConfigStatus
  readonly workers: readonly WorkerEntry[]
  readonly listeners: readonly ListenerEntry[]
  readonly clusters: readonly ClusterEntry[]
  readonly connections: number
  readonly exchanges: number
}

export interface ConfigStatus {
  readonly version: number
  readonly source: string
  readonly committedAt: string
  /** The last attempt, whatever came of it. */
  readonly lastReload: {
    readonly trigger: string
    readonly at: string
    readonly tookMs: number
    readonly ok: boolean
    readonly problems: readonly ReloadProblem[]
  } | null
}

export interface WorkerEntry {
  readonly index: number
  readonly state: SlotState
  readonly configVersion: number
  readonly restarts: number
  readonly aliveMs: number
  readonly heartbeatAgeMs: number
  readonly connections: number
  readonly exchanges: number
  /** null when the worker did not answer in time. */
  readonly detail: WorkerInspection | null
}

export interface ListenerEntry {
  readonly name: string
  readonly bind: readonly string[]
  readonly tls: boolean
  readonly forward: boolean
  readonly connections: number
}

export interface ClusterEntry {
  readonly name: string
  readonly available: number
  /** Why names of its peers do not resolve; such a name is no peer. */
  readonly unresolved: readonly string[]
  /** What was changed at run time and is not as in the config. */
  readonly changed: readonly string[]
  readonly peers: readonly PeerEntry[]
}

export interface PeerEntry {
  readonly name: string
  readonly host: string
  readonly weight: number
  readonly backup: boolean
  readonly health: "unknown" | "up" | "down"
  readonly available: boolean
  /** Takes no new requests, by the operator's word. */
  readonly draining: boolean
  /** Milliseconds until the ejection ends, 0 = not ejected. */
  readonly ejectedForMs: number
  readonly inFlight: number
  readonly requests: number
  readonly failures: number
  readonly ejections: number
}
