/**
 * What the control thread and the worker threads say to each other. Plain data: everything here survives `postMessage`.
 *
 *   control                                   worker
 *     | ------- new Worker(workerData) -------> |
 *     | <------------- ready ------------------ |
 *     | ------- prepare(version, …) ----------> |   compile beside the live snapshot, bind new listeners, serve nothing from it yet
 *     | <----- prepared | refused ------------- |
 *     | ------- commit | discard -------------> |   swap the pointer, or forget it
 *     | <----------- committed ---------------- |
 *     | ------- peers, drain, reopen … -------> |   only ever about the committed snapshot
 */
import type { LogRecord } from "../base/index.ts"
import type { DiskAttachment, PassedUrl } from "../cache/index.ts"
import type { Config } from "../config/index.ts"
import type { MetricsLayout } from "../observe/index.ts"
import type { PeerEndpoint, SharedCounts } from "../upstream/index.ts"
import type { SharedCaches } from "./caches/shared-caches.ts"
import type { SharedList } from "./lists/shared-list.ts"
import type { SharedZones } from "./shared-zones.ts"
import type { LimitsByListener } from "./connection-memory.ts"

/** One endpoint of a cluster, with its places in the memory that all threads share. */
export interface ResolvedPeer extends PeerEndpoint {
  /** Index of the peer's block in `shared.peers`. Stays with `address:port` of the cluster as long as the peer is in any live snapshot. */
  readonly slot: number
  /** Offset of the peer's block of metrics. */
  readonly metrics: number
}

export type PeersByCluster = Readonly<Record<string, readonly ResolvedPeer[]>>

/** Memory that all threads see. Made once at boot; its size does not change. */
export interface SharedMemory {
  /** Peer states: in flight, health, ejection (upstream's layout). The control thread is number 0 in it, worker `index` is number `index + 1`. */
  readonly peers: SharedArrayBuffer
  /** Counters and histograms (observe's layout). Worker `index` has region `index`, the control thread the last one. */
  readonly metrics: SharedArrayBuffer
  /** `HEARTBEAT_WORDS` Int32 words a worker. */
  readonly heartbeat: SharedArrayBuffer
}

/** Int32 words that a worker owns in `shared.heartbeat`, from `index * HEARTBEAT_WORDS` on. */
export const HEARTBEAT_WORDS = 8
/** Words within the block. */
export const HEARTBEAT = {
  /** Incremented every `HEARTBEAT_EVERY_MS` by the worker's event loop; wraps. */
  beat: 0,
  /** Version of the committed snapshot, 0 = none. */
  version: 1,
  /** Client connections that are open. */
  connections: 2,
  /** Exchanges that are running, tunnels included. */
  exchanges: 3,
  /** 1 while the worker drains. */
  draining: 4,
} as const

export const HEARTBEAT_EVERY_MS = 100
/** A worker whose beat stands still for longer is ended and replaced. */
export const HEARTBEAT_STALL_MS = 3000

/** What a worker finds in `workerData`. */
export interface WorkerSetup {
  /** 0 to workers - 1. A replacement has the index of the worker it replaces. */
  readonly index: number
  /** How many workers there are. */
  readonly count: number
  readonly shared: SharedMemory
  /** Names this process in Via and in loop detection. */
  readonly instanceId: string
  /** Switches for tests, empty in production. */
  readonly testing: Readonly<Record<string, string | number | boolean>>
}

/** One thing that is wrong with a config, as the loader reports it. */
export interface ReloadProblem {
  readonly message: string
  /** `file:line:column`, or a path in the config such as `listeners.web.bind`; "" when there is none. */
  readonly where: string
  /** What would be right, or "". */
  readonly expected: string
  /** `port`: an address is taken; `failed`: it is not the config's fault. The start ends with exit codes of their own. */
  readonly kind?: "port" | "failed"
}

export type ToWorker =
  | {
      readonly type: "prepare"
      /** Rises by one with each attempt to reload. */
      readonly version: number
      readonly config: Config
      /**
       * Path of a config that is, or has in it, a script: the worker loads it again because functions cannot be posted; here they are null.
       * null for everything else. In both cases the listeners' `bind` of this message is what to bind: port 0 has been replaced by a free port.
       */
      readonly file: string | null
      /** Directory that relative paths in options of features count from. */
      readonly baseDir: string
      readonly peers: PeersByCluster
      /** By cluster: index of its own record in `shared.peers`, where the retry budget counts. */
      readonly clusterSlots: Readonly<Record<string, number>>
      /** By listener: where its open connections are counted over all workers. The same memory as before when the limits are the same. */
      readonly limits: LimitsByListener
      /** By name: the memory that all threads share. The same as before where its size is. */
      readonly caches: SharedCaches
      /** Memory that filters share over all workers. The same as before where key and size are. */
      readonly zones: SharedZones
      readonly layout: MetricsLayout
    }
  /** The end of a disk store for this worker, before the first config that uses it. `id` is the cache's. */
  | { readonly type: "disk"; readonly id: number; readonly attachment: DiskAttachment }
  /** Lists of names; `whole`: all that the live config and the one that comes next have. */
  | { readonly type: "lists"; readonly lists: readonly SharedList[]; readonly whole: boolean }
  | { readonly type: "commit"; readonly version: number }
  | { readonly type: "discard"; readonly version: number }
  /** A cluster's addresses, the whole list: they changed, or this is the answer to `refreshPeers`. */
  | { readonly type: "peers"; readonly cluster: string; readonly peers: readonly ResolvedPeer[] }
  /** A peer gets no more requests: close what is idle; with `cut` also end what is under way there. */
  | { readonly type: "leave"; readonly cluster: string; readonly slot: number; readonly cut: boolean }
  /**
   * Stop accepting, finish what runs, cut the rest after `timeoutMs`, then answer `drained`. Sent again with a smaller limit it shortens the wait.
   * `handed`: addresses whose sockets another process accepts from now; absent = nobody takes our place.
   */
  | { readonly type: "drain"; readonly timeoutMs: number; readonly handed?: readonly string[] }
  /** Sockets of the process whose place we take, before the first config. */
  | { readonly type: "inherit"; readonly sockets: readonly InheritedSockets[] }
  /** Give out descriptors of the listening sockets; answered by `lent`. */
  | { readonly type: "lend" }
  /** Open the log files again. */
  | { readonly type: "reopen" }
  /** Look at certificates and at the files that filters read now. */
  | { readonly type: "certificates" }
  /** The answer to `wanted`: the name has its certificate, or gets none now. */
  | { readonly type: "answered"; readonly name: string }
  /** `passesMax`: of how many URLs that caches passed by it tells. */
  | { readonly type: "inspect"; readonly id: number; readonly passesMax: number }

export type FromWorker =
  /** The worker listens to messages. */
  | { readonly type: "ready" }
  | { readonly type: "prepared"; readonly version: number }
  | { readonly type: "refused"; readonly version: number; readonly problems: readonly ReloadProblem[] }
  | { readonly type: "committed"; readonly version: number }
  /** The receiver closes the descriptors. */
  | { readonly type: "lent"; readonly sockets: readonly LentSocket[] }
  /** `cut` exchanges were still running when the limit came. */
  | { readonly type: "drained"; readonly cut: number }
  /** A peer that the config names by name refused the connection: resolve it again now. Answered by `peers`, changed or not. */
  | { readonly type: "refreshPeers"; readonly cluster: string }
  /** A client asks for a name that there is no certificate for, where they are made on demand; its handshake waits for `answered`. */
  | { readonly type: "wanted"; readonly name: string }
  | ({ readonly type: "inspected"; readonly id: number } & WorkerInspection)
  /** The files that the live config follows, the whole list: it is new, or one of them changed or cannot be used. */
  | { readonly type: "files"; readonly files: readonly FollowedFile[] }
  /** An entry of the operational log. */
  | { readonly type: "log"; readonly record: LogRecord }
  /** The worker cannot go on; it is ended and replaced. */
  | { readonly type: "fatal"; readonly error: string }

/** A listening socket of a worker, for another process. */
export interface LentSocket {
  /** The address as the config has it, `127.0.0.1:80`. */
  readonly bind: string
  readonly fd: number
}

/** What one worker takes over at one address. Descriptors are the control thread's, who closes them when all workers have duplicates. */
export interface InheritedSockets {
  readonly bind: string
  /** This worker alone accepts from them. */
  readonly own: readonly number[]
  /** To share with another worker where there is none of its own and none can be bound; -1 = none. */
  readonly spare: number
}

/** A file that is read again when it changes. Times in milliseconds since 1970 UTC. */
export interface FollowedFile {
  readonly file: string
  /** When the version in force was written. */
  readonly writtenAt: number
  /** Last moment of a certificate; 0 = it is none. */
  readonly validTo: number
  /** What is there now cannot be used, or nothing is there: an older version is in force. */
  readonly stale: boolean
}

/** What /status shows of one worker. */
export interface WorkerInspection {
  /** Client connections by listener name. */
  readonly connections: Readonly<Record<string, number>>
  readonly exchanges: number
  readonly tunnels: number
  /** Connections to peers by cluster name: in use and idle. */
  readonly pools: Readonly<Record<string, { readonly busy: number; readonly idle: number; readonly shared: SharedCounts }>>
  /** Octets of this thread's heap. */
  readonly heapBytes: number
  /** Versions of snapshots that exchanges still use, the live one included. */
  readonly snapshots: readonly number[]
  /** By cache: the URLs that went upstream most. */
  readonly passes: Readonly<Record<string, readonly PassedUrl[]>>
}
