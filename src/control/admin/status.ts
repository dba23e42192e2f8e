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
  /** The names that certificates are made for. */
  readonly certificates: readonly CertificateEntry[]
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

export interface CertificateEntry {
  readonly name: string
  /** `temporary`: there is none yet, and clients see the temporary one. */
  readonly state: "temporary" | "valid" | "expired"
  /** Something is being done about it now. */
  readonly issuing: boolean
  /** Who issued it; "" = nobody yet. */
  readonly issuer: string
  readonly validTo: string
  readonly renewAt: string
  /** When the failed attempt is repeated; "" = none has failed. */
  readonly retryAt: string
  readonly lastError: string
  /** The config does not tell the name; somebody asked for it. */
  readonly onDemand: boolean
}

export interface ClusterEntry {
  readonly name: string
  readonly available: number
  /** Why names of its peers do not resolve; such a name is no peer. */
  readonly unresolved: readonly string[]
  /** What was changed at run time and is not as in the config. */
  readonly changed: readonly string[]
  /** Retries of the last 10 seconds. */
  readonly retryBudget: { readonly requests: number; readonly retries: number; readonly share: number }
  /** Breaker, limits, queue; null = the config has nothing of it. */
  readonly resilience: ResilienceEntry | null
  readonly peers: readonly PeerEntry[]
}

/** Parts that the config does not have are null. Counts are those of all workers. */
export interface ResilienceEntry {
  readonly inFlight: number
  readonly pending: number
  readonly retries: number
  /** 0 = no limit. */
  readonly requestsMax: number
  readonly breaker: BreakerEntry | null
  /** Requests that wait, by priority. */
  readonly queue: { readonly length: number; readonly lengthMax: number; readonly waiting: Readonly<Record<string, number>> } | null
  readonly adaptive: { readonly limit: number; readonly unanswered: number; readonly baselineMs: number } | null
  /** Too few peers are available: all of them get requests. */
  readonly panic: boolean
}

export interface BreakerEntry {
  readonly state: "closed" | "open" | "half-open"
  readonly openForMs: number
  /** How often it has opened. */
  readonly opened: number
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
  /** Why it was ejected the last time; "" = it never was. */
  readonly ejectedBy: string
  /** null = it has none. */
  readonly breaker: BreakerEntry | null
  readonly inFlight: number
  readonly requests: number
  readonly failures: number
  readonly ejections: number
}
