import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters, type CryptoKey } from "jose"
import { log } from "../base/index.ts"
import { type AskOutside, askByUrl } from "./ask-outside.ts"

/** Finds the key that a token says it was signed with. Throws jose's errors where there is none. */
export type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey> | Promise<Uint8Array> | Uint8Array

/** Whose keys cannot be had: nobody can say whether a token is good. */
export class KeysUnavailable extends Error {
  override name = "KeysUnavailable"
}

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
  /** Asks for keys if there are none. Throws KeysUnavailable. */
  ready(): Promise<void>
  find: FindKey
  /** A token names a key that is not there: looks for it, not too often. False = there are no other keys than before. Throws KeysUnavailable. */
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

export interface RemoteKeysOptions {
  readonly refreshMs: number
  readonly refetchMs: number
  readonly staleMs: number
  readonly timeoutMs: number
}

/** After a failure nobody asks again for so long. */
const FAILED_MS = 1000

const none: FindKey = () => {
  throw new errors.JWKSNoMatchingKey()
}

/** What an issuer publishes, by where it publishes it. Kept over reloads, so that one that comes while the issuer is down takes nobody's log-in. */
export class PublishedKeys {
  version = 0
  goodUntilMs = 0
  refreshAtMs = 0
  find: FindKey = none
  private text = ""
  private askedAtMs = 0
  private failedAtMs = 0
  private running: Promise<boolean> | null = null

  /** The last attempt brought nothing. */
  get failed(): boolean {
    return this.failedAtMs > 0
  }

  get sinceAskedMs(): number {
    return Date.now() - this.askedAtMs
  }

  /** Asks, once at a time. True = other keys than before. Throws KeysUnavailable. */
  fetch(url: URL, ask: AskOutside, options: RemoteKeysOptions): Promise<boolean> {
    if (this.running !== null) return this.running
    if (this.failed && Date.now() - this.failedAtMs < FAILED_MS) return Promise.reject(new KeysUnavailable("the keys could not be had a moment ago"))
    this.askedAtMs = Date.now()
    this.refreshAtMs = this.askedAtMs + options.refreshMs
    this.running = this.load(url, ask, options).finally(() => {
      this.running = null
    })
    return this.running
  }

  private async load(url: URL, ask: AskOutside, options: RemoteKeysOptions): Promise<boolean> {
    try {
      const { status, body } = await ask({ method: "GET", url, fields: { Accept: "application/json" }, body: null, timeoutMs: options.timeoutMs })
      if (status !== 200) throw new Error(`status ${status}`)
      return this.take(body, url, options)
    } catch (error) {
      this.failedAtMs = Date.now()
      this.refreshAtMs = this.failedAtMs + Math.min(options.refetchMs, options.refreshMs)
      const reason = error instanceof Error ? error.message : String(error)
      log.warn("filter", "keys that tokens are checked with cannot be had; the last ones stay until they are too old", { url: url.href, reason })
      throw new KeysUnavailable(reason)
    }
  }

  private take(body: string, url: URL, options: RemoteKeysOptions): boolean {
    const isNew = body !== this.text
    if (isNew) {
      this.find = createLocalJWKSet(parseKeySet(body, url.href))
      this.text = body
      this.version++
    }
    this.failedAtMs = 0
    this.goodUntilMs = Date.now() + options.staleMs
    return isNew
  }
}

const published = new Map<string, PublishedKeys>()
const PUBLISHED_MAX = 256

/** The keys that this place publishes. `through`: name of the cluster, "" for none. */
export function publishedKeys(url: URL, through: string): PublishedKeys {
  const name = `${through} ${url.href}`
  let keys = published.get(name)
  if (keys === undefined) {
    if (published.size >= PUBLISHED_MAX) published.clear()
    keys = new PublishedKeys()
    published.set(name, keys)
  }
  return keys
}

/** Keys of an issuer as one filter sees them: fetched in the background, asked for when a token names an unknown one, given up when they are too old. */
export class RemoteKeys implements KeySource {
  private readonly keys: PublishedKeys
  private readonly url: URL
  private readonly options: RemoteKeysOptions
  private readonly ask: AskOutside

  constructor(url: URL, options: RemoteKeysOptions, ask: AskOutside = askByUrl, keys: PublishedKeys = new PublishedKeys()) {
    this.url = url
    this.options = options
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
    return this.keys.find
  }

  refresh(): void {
    // Told of in the log; whoever needs the keys now asks for them.
    this.fetch().catch(() => {})
  }

  async ready(): Promise<void> {
    if (Date.now() >= this.keys.goodUntilMs) await this.fetch()
  }

  async refetch(): Promise<boolean> {
    if (this.keys.sinceAskedMs >= this.options.refetchMs || this.keys.failed) return this.fetch()
    return false
  }

  private fetch(): Promise<boolean> {
    return this.keys.fetch(this.url, this.ask, this.options)
  }
}
