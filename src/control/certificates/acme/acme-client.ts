import type { KeyObject } from "node:crypto"
import { AcmeProblem, problemOf } from "./acme-problem.ts"
import type { Answer, HttpsClient } from "./https-client.ts"
import { type JwsHead, signRequest } from "./jws.ts"

/** What an issuer offers (RFC 8555 section 7.1.1). */
export interface AcmeDirectory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  /** RFC 9773 section 4. */
  readonly renewalInfo?: string
  readonly meta?: {
    readonly profiles?: Readonly<Record<string, string>>
    readonly externalAccountRequired?: boolean
    readonly termsOfService?: string
  }
}

export interface AcmeReply {
  readonly status: number
  /** The address of what was made; "" = none. */
  readonly location: string
  readonly headers: Readonly<Record<string, string>>
  /** The object of a JSON answer, else an empty one. */
  readonly object: Readonly<Record<string, unknown>>
  readonly text: string
}

/** An issuer may reject the nonce that it gave out a moment before (RFC 8555 section 6.5). */
const NONCE_ATTEMPTS_MAX = 6
const NONCES_MAX = 16
const DIRECTORY_MS = 3_600_000

/** Signed requests to one issuer, in the name of one key. */
export class AcmeClient {
  readonly key: KeyObject
  /** Address of the account; "" = not known yet. */
  kid = ""
  readonly #http: HttpsClient
  readonly #url: string
  #directory: { readonly at: number; readonly of: AcmeDirectory } | null = null
  readonly #nonces: string[] = []

  constructor(http: HttpsClient, directoryUrl: string, key: KeyObject) {
    this.#http = http
    this.#url = directoryUrl
    this.key = key
  }

  async directory(): Promise<AcmeDirectory> {
    const known = this.#directory
    if (known !== null && Date.now() - known.at < DIRECTORY_MS) return known.of
    const answer = await this.#http.ask(this.#url, { method: "GET" })
    if (answer.status !== 200) throw problemOf(answer)
    const of = objectOf(answer) as unknown as AcmeDirectory
    for (const name of ["newNonce", "newAccount", "newOrder"] as const) {
      if (typeof of[name] !== "string") throw new AcmeProblem("", `${this.#url} is no ACME directory: ${name} is missing`)
    }
    this.#directory = { at: Date.now(), of }
    return of
  }

  /** `payload` null = POST-as-GET. `withKey`: signed in the name of the key, for there is no account yet. Rejects with AcmeProblem when the issuer says no. */
  async post(url: string, payload: object | null, withKey = false): Promise<AcmeReply> {
    const text = payload === null ? "" : JSON.stringify(payload)
    for (let attempt = 1; ; attempt++) {
      const head: JwsHead = { nonce: await this.#nonce(), url, ...(withKey ? {} : { kid: this.kid }) }
      const body = signRequest(this.key, head, text)
      const answer = await this.#http.ask(url, { method: "POST", body, contentType: "application/jose+json" })
      this.#keepNonce(answer)
      if (answer.status < 400) return replyOf(answer)
      const problem = problemOf(answer)
      if (problem.kind !== "badNonce" || attempt === NONCE_ATTEMPTS_MAX) throw problem
    }
  }

  /** Unsigned, for what everybody may ask. */
  async get(url: string): Promise<AcmeReply> {
    const answer = await this.#http.ask(url, { method: "GET" })
    if (answer.status >= 400) throw problemOf(answer)
    return replyOf(answer)
  }

  async #nonce(): Promise<string> {
    const kept = this.#nonces.pop()
    if (kept !== undefined) return kept
    const answer = await this.#http.ask((await this.directory()).newNonce, { method: "HEAD" })
    const nonce = answer.headers["replay-nonce"]
    if (answer.status >= 400 || nonce === undefined) throw new AcmeProblem("", `it gives no nonce (status ${answer.status})`, answer.status)
    return nonce
  }

  #keepNonce({ headers }: Answer): void {
    const nonce = headers["replay-nonce"]
    if (nonce !== undefined && this.#nonces.length < NONCES_MAX) this.#nonces.push(nonce)
  }
}

function replyOf(answer: Answer): AcmeReply {
  return { status: answer.status, location: answer.headers["location"] ?? "", headers: answer.headers, object: objectOf(answer), text: answer.body }
}

function objectOf({ body, headers }: Answer): Record<string, unknown> {
  if (!(headers["content-type"] ?? "").includes("json")) return {}
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
