import { hash, randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose"

interface Grant {
  readonly clientId: string
  readonly redirectUri: string
  readonly challenge: string
  readonly nonce: string
}

/** A key that signs, with what is published of it. */
export interface SigningKey {
  readonly algorithm: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

export async function signingKey(algorithm: string, kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return { algorithm, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" } }
}

export function signed(key: SigningKey, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: key.algorithm, kid: key.jwk.kid! }).sign(key.privateKey)
}

/**
 * An OpenID Connect provider that logs in whoever comes. It holds clients to the rules: registered redirect URI, PKCE, client secret, each code and each
 * refresh token once.
 */
export class OidcProvider implements AsyncDisposable {
  readonly clientId = "shop"
  readonly clientSecret = "p@ss:wörd/of the client"
  redirectUris: string[] = []
  /** Claims of the user beside sub. */
  claims: JWTPayload = { email: "ann@a.test", email_verified: true, groups: ["staff"], name: "Änn" }
  /** Changes the ID token before it is signed. */
  spoil: (claims: JWTPayload) => JWTPayload = claims => claims
  /** Keys that are published, the first signs. */
  keys: SigningKey[] = []
  signer: SigningKey | null = null
  tokenSeconds = 3600
  givesRefreshTokens = true
  down = false
  /** What was asked, by path. */
  readonly asked: string[] = []
  /** What went wrong with clients. */
  readonly complaints: string[] = []
  private readonly codes = new Map<string, Grant>()
  private readonly refreshTokens = new Set<string>()
  private readonly server = createServer((request, response) => void this.serve(request, response))

  get issuer(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async start(): Promise<this> {
    this.keys = [await signingKey("ES256", "k1")]
    await new Promise<void>(resolve => this.server.listen(0, "127.0.0.1", () => resolve()))
    return this
  }

  revokeAll(): void {
    this.refreshTokens.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    return new Promise(resolve => this.server.close(() => resolve()))
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.issuer)
    this.asked.push(url.pathname)
    if (this.down) return void response.socket!.destroy()
    if (url.pathname === "/authorize") return this.authorize(url.searchParams, response)
    if (url.pathname === "/token") return this.token(request, response)
    if (url.pathname === "/userinfo") return json(response, 200, { sub: "u1", department: "sales" })
    if (url.pathname === "/jwks") return json(response, 200, { keys: this.keys.map(key => key.jwk) })
    if (url.pathname === "/.well-known/openid-configuration") return json(response, 200, this.document())
    if (url.pathname === "/logout") return void response.writeHead(302, { Location: url.searchParams.get("post_logout_redirect_uri")! }).end()
    response.writeHead(404).end()
  }

  private document(): object {
    const { issuer } = this
    return {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      userinfo_endpoint: `${issuer}/userinfo`,
      end_session_endpoint: `${issuer}/logout`,
    }
  }

  private authorize(query: URLSearchParams, response: ServerResponse): void {
    const value = (name: string): string => query.get(name) ?? ""
    const redirectUri = value("redirect_uri")
    if (value("client_id") !== this.clientId || !this.redirectUris.includes(redirectUri))
      return this.complain(response, `redirect_uri ${redirectUri}`)
    if (value("response_type") !== "code" || value("code_challenge_method") !== "S256" || !value("scope").split(" ").includes("openid"))
      return this.complain(response, "the parameters of the log-in")
    const code = randomBytes(16).toString("hex")
    this.codes.set(code, { clientId: value("client_id"), redirectUri, challenge: value("code_challenge"), nonce: value("nonce") })
    const back = new URL(redirectUri)
    back.searchParams.set("code", code)
    back.searchParams.set("state", value("state"))
    back.searchParams.set("iss", this.issuer)
    response.writeHead(302, { Location: back.href }).end()
  }

  private async token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ""
    for await (const chunk of request) body += String(chunk)
    const form = new URLSearchParams(body)
    const basic = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString()
    const [id, secret] = basic.split(":").map(text => decodeURIComponent(text.replaceAll("+", " ")))
    if (id !== this.clientId || secret !== this.clientSecret) return this.complain(response, "client authentication")
    if (form.get("grant_type") === "refresh_token") return this.refresh(form.get("refresh_token")!, response)
    const grant = this.codes.get(form.get("code") ?? "")
    this.codes.delete(form.get("code") ?? "")
    if (grant === undefined) return json(response, 400, { error: "invalid_grant" })
    if (grant.redirectUri !== form.get("redirect_uri")) return this.complain(response, "redirect_uri at the token endpoint")
    if (hash("sha256", form.get("code_verifier") ?? "", "base64url") !== grant.challenge) return this.complain(response, "PKCE")
    json(response, 200, await this.tokens(grant.nonce))
  }

  private async refresh(token: string, response: ServerResponse): Promise<void> {
    if (!this.refreshTokens.delete(token)) return json(response, 400, { error: "invalid_grant" })
    json(response, 200, await this.tokens(""))
  }

  private async tokens(nonce: string): Promise<object> {
    const now = Math.floor(Date.now() / 1000)
    const claims = this.spoil({
      iss: this.issuer,
      aud: this.clientId,
      sub: "u1",
      iat: now,
      exp: now + 300,
      ...(nonce === "" ? {} : { nonce }),
      ...this.claims,
    })
    const refreshToken = randomBytes(16).toString("hex")
    if (this.givesRefreshTokens) this.refreshTokens.add(refreshToken)
    return {
      access_token: `access-${randomBytes(8).toString("hex")}`,
      token_type: "Bearer",
      expires_in: this.tokenSeconds,
      id_token: await signed(this.signer ?? this.keys[0]!, claims),
      ...(this.givesRefreshTokens ? { refresh_token: refreshToken } : {}),
    }
  }

  private complain(response: ServerResponse, what: string): void {
    this.complaints.push(what)
    json(response, 400, { error: "invalid_request" })
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body))
}
