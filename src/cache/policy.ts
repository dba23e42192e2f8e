import { CidrSet } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import { Encoder } from "./encoded/encoder.ts"
import type { CacheOptions } from "./options.ts"
import { DEFAULT_FRESHNESS_POLICY } from "./rules/freshness.ts"
import type { StoringPolicy } from "./rules/storing.ts"

/** What a route's cache goes by, made once from its options. Times in ms. */
export interface CachePolicy {
  readonly storing: StoringPolicy
  /** Requests that the cache has no part in; null = none. */
  readonly bypass: ((x: Exchange) => boolean) | null
  /** What the server is told of how the client came, where that is not the route's to say: "" = nothing of note. It is part of the key. null = never anything. */
  readonly told: ((x: Exchange) => string) | null
  readonly coalesceMs: number
  readonly passMs: number
  readonly refreshShare: number
  readonly minUses: number
  /** Large bodies are fetched and stored in ranges of so many octets; 0 = as a whole. */
  readonly sliceBytes: number
  readonly earlyHints: boolean
  /** Serves texts in other codings than they are stored in; null = none does. */
  readonly encoder: Encoder | null
  readonly status: boolean
  /** Names of request fields that are part of the key, lower case. */
  readonly keyHeaders: readonly string[]
  /** Who may use the method PURGE; null = nobody, it is a method like others. */
  readonly purgers: CidrSet | null
  readonly options: CacheOptions
}

export function compilePolicy(options: CacheOptions, bypass: CachePolicy["bypass"], told: CachePolicy["told"] = null): CachePolicy {
  const negativeTtlMs: Record<number, number> = {}
  for (const [status, ms] of Object.entries(options.negativeTtl)) negativeTtlMs[Number(status)] = ms
  return {
    storing: {
      freshness: {
        ...DEFAULT_FRESHNESS_POLICY,
        ttlMs: options.ttl ?? -1,
        forceTtlMs: options.forceTtl ?? -1,
        heuristicShare: options.heuristic,
        negativeTtlMs,
        staleWhileRevalidateMs: options.staleWhileRevalidate,
        staleIfErrorMs: options.staleIfError,
      },
      setCookie: options.setCookie,
      storePartial: true,
      bodyBytesMax: options.bodyMax,
    },
    bypass,
    told,
    coalesceMs: options.coalesce.wait,
    passMs: options.passMemory,
    refreshShare: options.refreshAhead,
    minUses: options.minUses,
    sliceBytes: options.slice,
    earlyHints: options.earlyHints,
    encoder: options.compress.length > 0 ? new Encoder(options.compress) : null,
    status: options.status,
    keyHeaders: options.key.headers.map(name => name.toLowerCase()),
    purgers: options.purgeMethod === undefined ? null : CidrSet.parse(options.purgeMethod.from),
    options,
  }
}
