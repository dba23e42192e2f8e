export interface HealthTarget {
  /** Address literal without brackets, or `unix:/path`. */
  readonly address: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** Name that the config gave the peer, for Host. Default: the address. */
  readonly host?: string | undefined
  /** Set when probes go over TLS. */
  readonly tls: HealthTls | null
}

/** How a peer is spoken to over TLS. Certificates and keys are PEM texts. */
export interface HealthTls {
  readonly serverName: string
  readonly verify: boolean
  readonly ca?: string | undefined
  /** Our own certificate, for peers that ask for one. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly minVersion?: "1.2" | "1.3" | undefined
}

/** Probes one peer again and again. Runs in the control thread, never on the data path. */
export interface HealthCheckDefinition<Options> {
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  /** One probe: settles with null for success or with the reason of the failure; never rejects; gives up by itself after `timeoutMs`. */
  probe(target: HealthTarget, options: Options, timeoutMs: number): Promise<string | null>
}

export function defineHealthCheck<Options>(definition: HealthCheckDefinition<Options>): HealthCheckDefinition<Options> {
  return definition
}
