import { errors, type JWTPayload } from "jose"
import { log } from "../../base/index.ts"
import type { AskOutside, OutsideAnswer } from "../ask-outside.ts"
import { publishedKeys, RemoteKeys } from "../key-source.ts"
import { type Published, publishedAt, type PublishedTimes, Unavailable } from "../published.ts"
import { asymmetric, TokenRefused, verifyToken } from "../token-verifier.ts"

/** What a provider says of itself (OpenID Connect Discovery 1.0 section 3), as far as it is used. */
export interface Metadata {
  readonly authorization: URL
  readonly token: URL
  readonly keys: URL
  readonly userinfo: URL | null
  readonly endSession: URL | null
  /** The token endpoint wants id and secret in the body. */
  readonly secretInBody: boolean
}

/** What the token endpoint gave, checked. */
export interface Tokens {
  /** null = a refresh that brought no ID token. */
  readonly claims: JWTPayload | null
  readonly idToken: string
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds that the access token lasts; 0 = not said. */
  readonly seconds: number
}

/** The provider refuses: a code that it did not give, a session that is over. */
export class LoginRefused extends Error {
  override name = "LoginRefused"
}

export interface ProviderClient {
  readonly issuer: string
  readonly clientId: string
  readonly secret: () => string
  readonly through: string
  readonly times: PublishedTimes
}

/** Reads the document. Throws with a sentence for the operator. */
export function parseMetadata(text: string, issuer: string): Metadata {
  const said = JSON.parse(text) as Record<string, unknown>
  if (said["issuer"] !== issuer) throw new Error(`the provider calls itself ${JSON.stringify(said["issuer"])}; expected ${issuer}`)
  const url = (name: string): URL | null => {
    const value = said[name]
    if (typeof value !== "string" || !URL.canParse(value)) return null
    const parsed = new URL(value)
    // A provider that is reached safely must not lead to where one is not.
    return parsed.protocol === "https:" || (parsed.protocol === "http:" && issuer.startsWith("http:")) ? parsed : null
  }
  const needed = (name: string): URL => {
    const found = url(name)
    if (found === null) throw new Error(`expected a URL as ${name} in the provider's document`)
    return found
  }
  const methods = said["token_endpoint_auth_methods_supported"]
  return {
    authorization: needed("authorization_endpoint"),
    token: needed("token_endpoint"),
    keys: needed("jwks_uri"),
    userinfo: url("userinfo_endpoint"),
    endSession: url("end_session_endpoint"),
    secretInBody: Array.isArray(methods) && !methods.includes("client_secret_basic") && methods.includes("client_secret_post"),
  }
}

/** The provider's own interfaces, as a client of it sees them. */
export class Provider {
  private readonly client: ProviderClient
  private readonly ask: AskOutside
  private readonly url: URL
  private readonly document: Published<Metadata>
  private keys: { readonly of: string; readonly source: RemoteKeys } | null = null

  constructor(client: ProviderClient, ask: AskOutside) {
    this.client = client
    this.ask = ask
    this.url = new URL(`${client.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`)
    this.document = publishedAt("provider", this.url, client.through, text => parseMetadata(text, client.issuer))
  }

  /** Throws Unavailable. */
  async metadata(): Promise<Metadata> {
    const { document, client } = this
    const nowMs = Date.now()
    if (nowMs >= document.goodUntilMs) await document.fetch(this.url, this.ask, client.times)
    else if (nowMs >= document.refreshAtMs) document.fetch(this.url, this.ask, client.times).catch(() => {})
    return document.value!
  }

  /** Asks the token endpoint (RFC 6749 section 3.2) and checks the ID token. Throws LoginRefused or Unavailable. */
  async tokens(form: Readonly<Record<string, string>>, nonce: string | null): Promise<Tokens> {
    const metadata = await this.metadata()
    const { status, body } = await this.send(metadata, form)
    if (status >= 500 || status === 429) throw new Unavailable(`the token endpoint answered ${status}`)
    const said = readJson(body)
    if (status !== 200) throw new LoginRefused(`the token endpoint answered ${status} ${typeof said["error"] === "string" ? said["error"] : ""}`)
    const idToken = textOf(said["id_token"])
    if (idToken === "" && nonce !== null) throw new LoginRefused("the token endpoint gave no ID token")
    const seconds = Number(said["expires_in"])
    return {
      claims: idToken === "" ? null : await this.check(idToken, metadata, nonce),
      idToken,
      accessToken: textOf(said["access_token"]),
      refreshToken: textOf(said["refresh_token"]),
      seconds: Number.isFinite(seconds) && seconds > 0 ? seconds : 0,
    }
  }

  /** Claims of the userinfo endpoint (OpenID Connect Core section 5.3), which must be of the same user. */
  async userinfo(accessToken: string, subject: string | undefined): Promise<Record<string, unknown>> {
    const { userinfo } = await this.metadata()
    if (userinfo === null) throw new LoginRefused("the provider has no userinfo endpoint")
    const { status, body } = await this.reach(userinfo, "GET", { Authorization: `Bearer ${accessToken}`, Accept: "application/json" }, null)
    const said = status === 200 ? readJson(body) : {}
    if (said["sub"] !== subject) throw new LoginRefused(`the userinfo endpoint answered ${status}, or of somebody else`)
    return said
  }

  private send(metadata: Metadata, form: Readonly<Record<string, string>>): Promise<OutsideAnswer> {
    const { clientId } = this.client
    const secret = this.client.secret()
    const fields: Record<string, string> = { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" }
    const body = new URLSearchParams(form)
    if (secret === "" || metadata.secretInBody) body.set("client_id", clientId)
    if (secret !== "" && metadata.secretInBody) body.set("client_secret", secret)
    else if (secret !== "") fields["Authorization"] = `Basic ${Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString("base64")}`
    return this.reach(metadata.token, "POST", fields, body.toString())
  }

  private async reach(url: URL, method: "GET" | "POST", fields: Record<string, string>, body: string | null): Promise<OutsideAnswer> {
    try {
      return await this.ask({ method, url, fields, body, timeoutMs: this.client.times.timeoutMs })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log.warn("filter", "the provider of a log-in does not answer", { url: url.href, reason })
      throw new Unavailable(reason)
    }
  }

  /** OpenID Connect Core section 3.1.3.7. */
  private async check(idToken: string, { keys }: Metadata, nonce: string | null): Promise<JWTPayload> {
    const { issuer, clientId } = this.client
    try {
      const claims = await verifyToken(idToken, this.keysAt(keys), {
        issuer,
        audience: clientId,
        algorithms: [...asymmetric],
        clockTolerance: 30,
        requiredClaims: ["exp", "iat", "sub"],
      })
      if (nonce !== null && claims["nonce"] !== nonce) throw new LoginRefused("the ID token is of another log-in (nonce)")
      const azp = claims["azp"]
      if (azp !== undefined && azp !== clientId) throw new LoginRefused("the ID token is for another client (azp)")
      return claims
    } catch (error) {
      if (error instanceof TokenRefused || error instanceof errors.JOSEError) throw new LoginRefused(`the ID token is not believed: ${error.message}`)
      throw error
    }
  }

  private keysAt(url: URL): RemoteKeys {
    if (this.keys?.of !== url.href)
      this.keys = { of: url.href, source: new RemoteKeys(url, this.client.times, this.ask, publishedKeys(url, this.client.through)) }
    return this.keys.source
  }
}

function readJson(body: string): Record<string, unknown> {
  try {
    const said: unknown = JSON.parse(body)
    return typeof said === "object" && said !== null ? (said as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

/** RFC 6749 section 2.3.1 wants id and secret form-encoded before they are joined. */
function formEncoded(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1)
}
