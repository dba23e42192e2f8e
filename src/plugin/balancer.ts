/** One endpoint as a balancer sees it. Nothing of HTTP, so that TCP and HTTP share balancers. */
export interface BalancerPeer {
  /** `address:port`; stable over reloads, so hashing by it is stable too. */
  readonly name: string
  /** 1 to 65535, default 1. 0 never gets new requests. */
  readonly weight: number
  /** Up by health check, not ejected, not draining, below its connection limit. Read at every selection. */
  isAvailable(): boolean
  /** Requests in flight, exact over all workers. */
  inFlight(): number
}

/** The peers that this request has already tried, by index. */
export interface Tried {
  has(index: number): boolean
  readonly count: number
}

/** Spreads requests over the peers of one cluster, in one worker. `select` must not allocate. */
export interface Balancer {
  /** The whole list, at start and whenever it changes. Backup peers are another instance's matter: the cluster asks the primaries first. */
  peersChanged(peers: readonly BalancerPeer[]): void
  /**
   * Index of an available peer that was not tried, or -1.
   * `hash` is an unsigned 32-bit hash of the request's key when the balancer `needsKey`, else 0.
   */
  select(hash: number, tried: Tried): number
}

/** Where a hashing balancer takes its key from. */
export type BalancerKey =
  | { readonly from: "client" }
  | { readonly from: "path" }
  /** Name of the origin or site that is asked for. */
  | { readonly from: "host" }
  /** Everything that names what is asked for, with the query. */
  | { readonly from: "url" }
  | { readonly from: "header"; readonly name: string }
  | { readonly from: "cookie"; readonly name: string }

export interface BalancerDefinition<Options> {
  /** Word in the config, folder, label. */
  readonly name: string
  readonly summary: string
  /** zod schema of the options; the short form (`balance: name`) is the schema's default. */
  readonly options: import("zod").ZodType<Options>
  /** Set when `select` needs a hash: the cluster computes it from the exchange. */
  key?(options: Options): BalancerKey
  build(options: Options, random: () => number): Balancer
}

/** Gives a definition its type. */
export function defineBalancer<Options>(definition: BalancerDefinition<Options>): BalancerDefinition<Options> {
  return definition
}
