import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters, type CryptoKey } from "jose"
import type { AskOutside } from "./ask-outside.ts"
import { type Published, publishedAt, type PublishedTimes } from "./published.ts"

/** Finds the key that a token says it was signed with. Throws jose's errors where there is none. */
export type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey> | Promise<Uint8Array> | Uint8Array

/** The keys that tokens are checked with. Times are of the wall clock. */
export interface KeySource {
  /** Grows when the keys change: what was good before must be checked again. */
  readonly version: number
  /** From here on nothing may be believed any more. */
  readonly goodUntilMs: number
  /** From here on somebody should call `refresh`. */
  readonly refreshAtMs: number
  /** Looks for newer keys without a wait. */
  refresh(): void
  /** Asks for keys if there are none. Throws Unavailable. */
  ready(): Promise<void>
  find: FindKey
  /** A token names a key that is not there: looks for it, not too often. False = there are no other keys than before. Throws Unavailable. */
  refetch(): Promise<boolean>
}

/** Keys in a set: one key and its successor are usual. */
const KEYS_MAX = 200

/** Reads a key set (RFC 7517 section 5). Throws with a sentence that has no key in it. */
export function parseKeySet(text: string, name: string): JSONWebKeySet {
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    throw new Error(`${name}: expected a JSON Web Key Set, got something that is no JSON`)
  }
  const keys = (set as JSONWebKeySet | null)?.keys
  if (!Array.isArray(keys) || keys.length === 0) throw new Error(`${name}: expected a JSON Web Key Set: an object with keys`)
  if (keys.length > KEYS_MAX) throw new Error(`${name}: expected at most ${KEYS_MAX} keys`)
  if (keys.some(key => key?.kty === "oct")) throw new Error(`${name}: a secret (kty oct) has no place in a set of public keys; use secretFile`)
  return set as JSONWebKeySet
}

/** Keys that change only when a file does. */
export class FixedKeys implements KeySource {
  version = 0
  readonly goodUntilMs: number = Number.POSITIVE_INFINITY
  readonly refreshAtMs: number = Number.POSITIVE_INFINITY
  find: FindKey

  constructor(find: FindKey) {
    this.find = find
  }

  replace(find: FindKey): void {
    this.find = find
    this.version++
  }

  refresh(): void {}

  ready(): Promise<void> {
    return Promise.resolve()
  }

  refetch(): Promise<boolean> {
    return Promise.resolve(false)
  }
}

const none: FindKey = () => {
  throw new errors.JWKSNoMatchingKey()
}

/** The keys that this place publishes. `through`: name of the cluster, "" for none. */
export function publishedKeys(url: URL, through: string): Published<FindKey> {
  return publishedAt("keys", url, through, text => createLocalJWKSet(parseKeySet(text, url.href)))
}

/** Keys of an issuer as one filter sees them: fetched in the background, asked for when a token names an unknown one, given up when they are too old. */
export class RemoteKeys implements KeySource {
  private readonly keys: Published<FindKey>
  private readonly url: URL
  private readonly times: PublishedTimes
  private readonly ask: AskOutside

  constructor(url: URL, times: PublishedTimes, ask: AskOutside, keys: Published<FindKey>) {
    this.url = url
    this.times = times
    this.ask = ask
    this.keys = keys
  }

  get version(): number {
    return this.keys.version
  }

  get goodUntilMs(): number {
    return this.keys.goodUntilMs
  }

  get refreshAtMs(): number {
    return this.keys.refreshAtMs
  }

  get find(): FindKey {
    return this.keys.value ?? none
  }

  refresh(): void {
    // Told of in the log; whoever needs the keys now asks for them.
    this.fetch().catch(() => {})
  }

  async ready(): Promise<void> {
    if (Date.now() >= this.keys.goodUntilMs) await this.fetch()
  }

  async refetch(): Promise<boolean> {
    if (this.keys.sinceAskedMs >= this.times.refetchMs || this.keys.failed) return this.fetch()
    return false
  }

  private fetch(): Promise<boolean> {
    return this.keys.fetch(this.url, this.ask, this.times)
  }
}
