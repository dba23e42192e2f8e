export interface HealthTarget {
  readonly address: string
  readonly port: number
  /** Set when probes go over TLS. */
  readonly tls: { readonly serverName: string; readonly verify: boolean; readonly ca?: string | undefined } | null
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
