/** What a config does with one request. Plain data, ready for JSON; durations in milliseconds, sizes in octets. */
export interface Explanation {
  readonly request: RequestFacts
  readonly listener: ListenerFacts
  /** How the parser read the request; null when it refused it. */
  readonly parsed: ParsedFacts | null
  /** null when the request was refused before anybody asked who it is. */
  readonly identity: IdentityFacts | null
  /** In the order of the config; empty when the request did not come as far. */
  readonly rules: readonly RuleFacts[]
  /** Filters of the listener and the route, in the order in which a request meets them. */
  readonly filters: readonly FilterFacts[]
  readonly route: RouteFacts | null
  readonly answer: Answer
}

export interface RequestFacts {
  readonly method: string
  /** As it stands on the request line. */
  readonly target: string
  /** Names of the header fields that are sent; their values may be secrets. */
  readonly fields: readonly string[]
  /** Address of the connection's peer, or "unix". */
  readonly from: string
}

export interface ListenerFacts {
  readonly name: string
  /** Why it was this one. */
  readonly because: string
  readonly bind: readonly string[]
  readonly tls: boolean
  /** Takes forward requests too. */
  readonly forward: boolean
  /** Its clients called somebody else, and know nothing of it. */
  readonly captured: boolean
}

export interface ParsedFacts {
  readonly scheme: string
  readonly host: string
  readonly port: number
  /** As it goes on; "" for CONNECT. */
  readonly path: string
  /** The form that rules see. */
  readonly rulePath: string
  readonly query: string
  readonly body: "none" | "chunked" | number
}

export interface IdentityFacts {
  readonly client: string
  /** Where the client's address comes from. */
  readonly because: string
  /** "" when nobody is known. */
  readonly user: string
  /** The question says who it is. */
  readonly assumed?: boolean
  /** Name in Proxy-Authorization, whether it was checked or not; "" when there is none. */
  readonly claimed: string
}

export interface RuleFacts {
  readonly index: number
  readonly name: string
  readonly result: "wins" | "refuses" | "fails" | "not tried"
  readonly reason: string
}

export interface FilterFacts {
  readonly phase: string
  readonly name: string
  /** What the filter says of itself, "" when it says nothing. */
  readonly says: string
  readonly result: "passes" | "answers" | "refuses" | "waits" | "throws" | "not reached"
  /** What it makes of this request and why, line by line; absent when it says nothing. */
  readonly because?: readonly string[]
}

export interface RouteFacts {
  readonly name: string
  readonly index: number
  readonly cache: string
  /** null = the route has one destination. */
  readonly split: SplitFacts | null
  readonly destination: Destination
  readonly timeouts: TimeoutFacts
  readonly retry: RetryFacts | null
  readonly body: BodyFacts
  /** What becomes of TLS in the tunnel, where the listener looks into it; the reason is the word of log and metrics. Absent when it does not. */
  readonly tls?: { readonly do: string; readonly reason: string }
  readonly upgrade: UpgradeFacts | null
  /** What becomes of the request's fields on their way up; null when nothing is sent. */
  readonly fields: FieldChanges | null
}

/** Which of a split's arms a request goes to. The shares are the config's: a running canary may have others. */
export interface SplitFacts {
  /** null = it does not come as far. */
  readonly arm: string | null
  readonly because: string
  readonly arms: readonly { readonly name: string; readonly share: number }[]
}

export type Destination =
  | { readonly kind: "cluster"; readonly cluster: ClusterFacts }
  | { readonly kind: "origin"; readonly origin: OriginFacts; readonly exit: ExitFacts | null; readonly via: ClusterFacts | null }
  | { readonly kind: "answer"; readonly name: string; readonly says: string }

/** The exit that a request leaves by. */
export interface ExitFacts {
  readonly label: string
  readonly because: string
  readonly leads: string
}

export interface ClusterFacts {
  readonly name: string
  /** What its peers are where they are parent proxies that the config says more of, else "". */
  readonly parent: string
  readonly balancer: string
  /** What a hashing balancer hashes, null for the others. */
  readonly key: { readonly from: string; readonly note: string } | null
  readonly tls: boolean
  /** What the request says of a session with one of the peers, "" = the cluster keeps no clients. */
  readonly session: string
  /** What happens when no peer is available. */
  readonly allDown: "try" | "fail"
  /** What protects it, one line each: breaker, limits, queue. */
  readonly resilience: readonly string[]
  readonly peers: readonly PeerFacts[]
  /** The one peer that it will be, null when that is not known before. */
  readonly pick: string | null
  readonly because: string
}

export interface PeerFacts {
  /** `address:port`, `unix:/path`, or the name of one that is not resolved. */
  readonly name: string
  /** Name that the config has, "" for a literal. */
  readonly host: string
  readonly resolved: boolean
  readonly weight: number
  readonly backup: boolean
  readonly health: "unknown" | "up" | "down"
  /** May be chosen for the first attempt. */
  readonly candidate: boolean
  /** Why not, or what is known of its health. */
  readonly note: string
}

export interface OriginFacts {
  readonly scheme: string
  readonly host: string
  readonly port: number
  readonly privacy: string
  readonly checks: readonly CheckFacts[]
}

export interface CheckFacts {
  readonly what: "port" | "address"
  /** null = cannot be told before the name is resolved. */
  readonly ok: boolean | null
  readonly says: string
}

/** 0 = no limit. */
export interface TimeoutFacts {
  /** Towards the upstream; null for answers of the proxy itself. */
  readonly upstream: { readonly connect: number; readonly head: number; readonly idle: number; readonly request: number } | null
  readonly client: { readonly head: number; readonly body: number; readonly write: number; readonly idle: number }
  /** Of a tunnel without a word; null when there will be none. */
  readonly tunnelIdle: number | null
}

export interface RetryFacts {
  readonly attempts: number
  readonly status: readonly number[]
  readonly budget: number
  readonly replayBytesMax: number
  readonly says: string
}

export interface BodyFacts {
  /** 0 = no limit. */
  readonly bytesMax: number
  readonly says: string
}

export interface UpgradeFacts {
  readonly allowed: readonly string[]
  /** What the client asks for, "" = nothing. */
  readonly asked: string
  readonly says: string
}

export interface FieldChanges {
  readonly removed: readonly string[]
  /** Values only where they are the proxy's own; those of the config may be secrets. */
  readonly added: readonly { readonly name: string; readonly value: string | null }[]
}

/** What the client would get, as far as that depends on the config. */
export type Answer =
  | { readonly kind: "peer"; readonly cluster: string; readonly peers: readonly string[]; readonly says: string }
  | { readonly kind: "origin"; readonly origin: string; readonly says: string }
  | { readonly kind: "reply"; readonly status: number; readonly says: string }
  | { readonly kind: "fault"; readonly code: string; readonly status: number; readonly says: string }
  | { readonly kind: "unknown"; readonly says: string }
