import { createPublicKey, type KeyObject, randomBytes, verify, type webcrypto } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { element } from "../../src/net/x509/der.ts"
import { elements } from "../../src/net/x509/der-reader.ts"
import { Authority, createAuthority } from "../../src/net/x509/authority.ts"

const PREFIX = "urn:ietf:params:acme:error:"

interface Jws {
  readonly head: { readonly nonce: string; readonly url: string; readonly jwk?: webcrypto.JsonWebKey; readonly kid?: string }
  readonly payload: Readonly<Record<string, unknown>>
}

/** What the server says instead of taking the next order. */
export interface Refusal {
  readonly kind: string
  readonly status: number
  readonly retryAfter?: string
}

/**
 * A scripted ACME authority over plain HTTP, for what pebble does not do: renewal information, profiles, refusals. It believes every name, but checks
 * signatures, nonces and addresses of requests.
 */
export class AcmeServer implements Disposable {
  readonly orders: Readonly<Record<string, unknown>>[] = []
  /** Paths of requests for renewal information. */
  readonly renewalQuestions: string[] = []
  /** Windows that are told, milliseconds since 1970; null = there is no renewal information. */
  window: { readonly start: number; readonly end: number } | null = null
  refusals: Refusal[] = []
  accounts = 0
  readonly #pair = createAuthority({ name: "Scripted ACME", days: 30 })
  readonly #authority = new Authority(this.#pair)
  readonly #server: Server
  readonly #nonces = new Set<string>()
  readonly #keys = new Map<string, KeyObject>()
  readonly #chains = new Map<string, string>()
  readonly #names = new Map<string, string>()

  private constructor(server: Server) {
    this.#server = server
    server.on("request", (request, response) => void this.#answer(request, response))
  }

  static async start(): Promise<AcmeServer> {
    const server = createServer()
    await new Promise<void>(done => server.listen(0, "127.0.0.1", done))
    return new AcmeServer(server)
  }

  /** As after a fresh start. */
  forget(): void {
    this.#keys.clear()
  }

  get base(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  get directory(): string {
    return `${this.base}/directory`
  }

  get root(): string {
    return this.#pair.cert
  }

  [Symbol.dispose](): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!
    const nonce = randomBytes(12).toString("base64url")
    this.#nonces.add(nonce)
    response.setHeader("Replay-Nonce", nonce)
    try {
      if (request.method !== "POST") return this.#open(path, response)
      const jws = this.#verified(path, await textOf(request))
      this.#signed(path, jws, response)
    } catch (error) {
      const { kind = "malformed", status = 400, retryAfter } = error as Partial<Refusal>
      if (retryAfter !== undefined) response.setHeader("Retry-After", retryAfter)
      json(response, status, { type: PREFIX + kind, detail: `scripted: ${kind} ${(error as Error).message ?? ""}` })
    }
  }

  #open(path: string, response: ServerResponse): void {
    const { base } = this
    const ari = this.window === null ? {} : { renewalInfo: `${base}/renewal-info` }
    if (path === "/directory") {
      const meta = { profiles: { shortlived: "six days" } }
      return json(response, 200, { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order`, ...ari, meta })
    }
    if (path.startsWith("/renewal-info/") && this.window !== null) {
      this.renewalQuestions.push(path.slice("/renewal-info/".length))
      const iso = (ms: number): string => new Date(ms).toISOString()
      response.setHeader("Retry-After", "3600")
      return json(response, 200, {
        suggestedWindow: { start: iso(this.window.start), end: iso(this.window.end) },
        explanationURL: "https://ca.test/why",
      })
    }
    response.writeHead(path === "/nonce" ? 200 : 404).end()
  }

  #signed(path: string, { head, payload }: Jws, response: ServerResponse): void {
    const { base } = this
    const [, kind, id = ""] = path.split("/")
    if (kind === "account") {
      const url = `${base}/accounts/${++this.accounts}`
      this.#keys.set(url, createPublicKey({ key: head.jwk!, format: "jwk" }))
      response.setHeader("Location", url)
      return json(response, 201, { status: "valid" })
    }
    if (kind === "order" && id === "") return this.#newOrder(payload, response)
    if (kind === "finalize") {
      this.#chains.set(id, this.#sign(id, Buffer.from(String(payload["csr"]), "base64url")))
      return json(response, 200, this.#order(id))
    }
    if (kind === "order") return json(response, 200, this.#order(id))
    if (kind === "authz") return json(response, 200, { status: "valid", identifier: { type: "dns", value: this.#names.get(id) } })
    if (kind === "cert") return void response.writeHead(200, { "Content-Type": "application/pem-certificate-chain" }).end(this.#chains.get(id))
    throw new Error(path)
  }

  #newOrder(payload: Readonly<Record<string, unknown>>, response: ServerResponse): void {
    const refusal = this.refusals.shift()
    if (refusal !== undefined) throw refusal
    this.orders.push(payload)
    const id = String(this.orders.length)
    this.#names.set(id, (payload["identifiers"] as { value: string }[])[0]!.value)
    response.setHeader("Location", `${this.base}/order/${id}`)
    json(response, 201, this.#order(id))
  }

  #order(id: string): object {
    const { base } = this
    const done = this.#chains.has(id) ? { status: "valid", certificate: `${base}/cert/${id}` } : { status: "ready" }
    return { ...done, authorizations: [`${base}/authz/${id}`], finalize: `${base}/finalize/${id}` }
  }

  #sign(id: string, csr: Buffer): string {
    const info = elements(elements(csr)[0]!.content)[0]!
    const key = createPublicKey({ key: element(0x30, elements(info.content)[2]!.content), format: "der", type: "spki" })
    return this.#authority.issueLeaf({ names: [this.#names.get(id)!], key, lifeMs: 86_400_000 }) + this.#pair.cert
  }

  /** RFC 8555 section 6.2 to 6.5: the signature, the address that was signed, and a nonce that is used once. */
  #verified(path: string, body: string): Jws {
    const { protected: signed, payload, signature } = JSON.parse(body) as Record<string, string>
    const head = JSON.parse(Buffer.from(signed!, "base64url").toString()) as Jws["head"]
    const key = head.kid === undefined ? createPublicKey({ key: head.jwk!, format: "jwk" }) : this.#keys.get(head.kid)
    if (key === undefined) throw Object.assign(new Error(), { kind: "accountDoesNotExist" })
    const good = verify("sha256", Buffer.from(`${signed}.${payload}`), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature!, "base64url"))
    if (!good) throw Object.assign(new Error("signature"), { kind: "malformed" })
    if (head.url !== this.base + path) throw Object.assign(new Error("url"), { kind: "unauthorized" })
    if (!this.#nonces.delete(head.nonce)) throw Object.assign(new Error("nonce"), { kind: "badNonce" })
    return { head, payload: payload === "" ? {} : (JSON.parse(Buffer.from(payload!, "base64url").toString()) as Jws["payload"]) }
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" }).end(JSON.stringify(body))
}
