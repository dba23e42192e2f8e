import { createLocalJWKSet } from "jose"
import { z } from "zod"
import { duration, field, nameSchema, pathSchema } from "../base/index.ts"
import type { FilterDeps } from "../plugin/index.ts"
import { askByUrl, askThrough } from "./ask-outside.ts"
import { FixedKeys, type KeySource, parseKeySet, publishedKeys, RemoteKeys } from "./key-source.ts"
import type { PublishedTimes } from "./published.ts"

export const urlSchema = z
  .string()
  .refine(text => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), "expected a URL that begins with https:// or http://")

/** How often keys and the like are asked for. */
export const keyTimes = {
  refresh: field(duration({ min: 1000 }), "10m", "Keys are asked for again after this time, while the old ones serve."),
  refetch: field(duration({ min: 1000 }), "30s", "A token with an unknown key makes us ask, but not more often than this."),
  stale: field(duration({ min: 1000 }), "24h", "Keys older than this are not used any more when no newer ones can be had; then requests get 503."),
  timeout: field(duration({ min: 1, max: 60_000 }), "5s", "Time for the keys to come."),
}

export const keySetSchema = z
  .strictObject({
    file: pathSchema.optional().describe("A JSON Web Key Set, read again when it changes."),
    url: urlSchema.optional().describe("Where the issuer publishes its keys."),
    cluster: nameSchema.optional().describe("Goes through this cluster instead of straight to the host of the URL."),
    ...keyTimes,
  })
  .refine(set => (set.file === undefined) !== (set.url === undefined), "expected file or url")
  .refine(set => set.cluster === undefined || set.url !== undefined, "cluster goes with url, which says path and Host")

export type KeySetOptions = z.infer<typeof keySetSchema>

export function remoteTimes(set: Pick<KeySetOptions, "refresh" | "refetch" | "stale" | "timeout">): PublishedTimes {
  return { refreshMs: set.refresh, refetchMs: set.refetch, staleMs: set.stale, timeoutMs: set.timeout }
}

/** The keys that the options name. Throws where a file cannot be used. */
export function keysOf(set: KeySetOptions, deps: FilterDeps): KeySource {
  if (set.file !== undefined) return keysOfFile(set.file, deps)
  const url = new URL(set.url!)
  const ask = set.cluster === undefined ? askByUrl : askThrough(deps.cluster(set.cluster))
  return new RemoteKeys(url, remoteTimes(set), ask, publishedKeys(url, set.cluster ?? ""))
}

function keysOfFile(file: string, deps: FilterDeps): KeySource {
  const path = deps.path(file)
  const content = deps.watchFile(path, changed => keys.replace(createLocalJWKSet(parseKeySet(changed, path))))
  const keys = new FixedKeys(createLocalJWKSet(parseKeySet(content, path)))
  return keys
}

/** Octets that HS256 needs at least (RFC 7518 section 3.2). */
const SECRET_BYTES_MIN = 32

/** A secret that issuer and proxy share; spaces and line ends around it do not count. */
export function parseSecret(content: string, path: string): Uint8Array {
  const secret = Buffer.from(content.trim(), "utf8")
  if (secret.length < SECRET_BYTES_MIN) throw new Error(`${path}: expected a secret of at least ${SECRET_BYTES_MIN} octets`)
  return secret
}

export function secretKeys(file: string, deps: FilterDeps): KeySource {
  const path = deps.path(file)
  const content = deps.watchFile(path, changed => {
    const secret = parseSecret(changed, path)
    keys.replace(() => secret)
  })
  const first = parseSecret(content, path)
  const keys = new FixedKeys(() => first)
  return keys
}
