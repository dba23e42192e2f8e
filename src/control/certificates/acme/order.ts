import { createHash, type KeyObject } from "node:crypto"
import { isIP } from "node:net"
import { makeRequest } from "../../../net/index.ts"
import type { Challenge } from "../challenges/challenge.ts"
import type { AcmeClient, AcmeReply } from "./acme-client.ts"
import { AcmeProblem, readProblem, retryAfterMs } from "./acme-problem.ts"
import { thumbprint } from "./jws.ts"

export interface OrderRequest {
  /** A host name, a wildcard or an address. */
  readonly name: string
  /** The certificate's. */
  readonly key: KeyObject
  readonly challenge: Challenge
  readonly profile: string | null
  /** Identifier of the certificate that this one replaces (RFC 9773 section 5); "" = none. */
  readonly replaces: string
}

/** The name was not proven by this challenge; another one may do. */
export class ProofFailed extends AcmeProblem {
  override name = "ProofFailed"
}

const ORDER_MS = 180_000
const POLL_FIRST_MS = 100
const POLL_MS_MAX = 5000

/** Orders a certificate for one name (RFC 8555 section 7.4). Gives the chain in PEM. Rejects with AcmeProblem, or ProofFailed. */
export async function order(client: AcmeClient, request: OrderRequest): Promise<string> {
  const until = Date.now() + ORDER_MS
  const opened = await openOrder(client, request)
  for (const authorization of textsOf(opened.object["authorizations"])) await prove(client, authorization, request, until)
  const ready = await poll(client, opened.location, until, ["ready", "valid"])
  if (ready["status"] === "ready") {
    const csr = makeRequest([request.name], request.key).toString("base64url")
    await client.post(String(ready["finalize"]), { csr })
  }
  const done = await poll(client, opened.location, until, ["valid"])
  const { text } = await client.post(String(done["certificate"]), null)
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new AcmeProblem("", "what it gives is no certificate in PEM")
  return text
}

async function openOrder(client: AcmeClient, { name, profile, replaces }: OrderRequest): Promise<AcmeReply> {
  const { newOrder, meta } = await client.directory()
  if (profile !== null && meta?.profiles?.[profile] === undefined) {
    throw new AcmeProblem("invalidProfile", `it offers no profile ${profile}; it has ${Object.keys(meta?.profiles ?? {}).join(", ") || "none"}`)
  }
  const identifiers = [{ type: isIP(name) === 0 ? "dns" : "ip", value: name }]
  const wanted = { identifiers, ...(profile === null ? {} : { profile }) }
  if (replaces === "") return client.post(newOrder, wanted)
  try {
    return await client.post(newOrder, { ...wanted, replaces })
  } catch (error) {
    // Somebody has replaced it already, or it is another issuer's: an order like any other then.
    if (error instanceof AcmeProblem && ["alreadyReplaced", "malformed"].includes(error.kind)) return client.post(newOrder, wanted)
    throw error
  }
}

interface OfferedChallenge {
  readonly type: string
  readonly url: string
  readonly token: string
}

async function prove(client: AcmeClient, url: string, request: OrderRequest, until: number): Promise<void> {
  const { object } = await client.post(url, null)
  if (object["status"] === "valid") return
  const { challenge } = request
  const offered = (Array.isArray(object["challenges"]) ? object["challenges"] : []) as OfferedChallenge[]
  const chosen = offered.find(one => one.type === challenge.type)
  if (chosen === undefined) throw new ProofFailed("", `it does not offer ${challenge.type} for ${request.name}`)
  if (!/^[A-Za-z0-9_-]{1,512}$/.test(chosen.token)) throw new AcmeProblem("", "its token is none")
  const authorization = `${chosen.token}.${thumbprint(client.key)}`
  const digest = createHash("sha256").update(authorization).digest()
  const cleanUp = await challenge.present({ name: request.name, token: chosen.token, authorization, digest })
  try {
    await client.post(chosen.url, {})
    await poll(client, url, until, ["valid"])
  } catch (error) {
    if (error instanceof InvalidError) throw new ProofFailed(error.kind, `${challenge.type}: ${error.detail}`)
    throw error
  } finally {
    await cleanUp()
  }
}

class InvalidError extends AcmeProblem {
  readonly detail: string

  constructor(kind: string, detail: string) {
    super(kind, detail)
    this.detail = detail
  }
}

/** Asks until the object has one of these states; Retry-After says how often (RFC 8555 section 7.5.1). */
async function poll(client: AcmeClient, url: string, until: number, states: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(pauseMs * 1.5, POLL_MS_MAX)) {
    const { object, headers } = await client.post(url, null)
    if (states.includes(String(object["status"]))) return object
    if (object["status"] === "invalid" || object["status"] === "deactivated" || object["status"] === "expired") throw invalid(object)
    if (Date.now() > until) throw new AcmeProblem("", `the order was not done within ${ORDER_MS / 1000} s`)
    const asked = Math.min(retryAfterMs(headers["retry-after"]), 60_000)
    await new Promise(resolve => setTimeout(resolve, Math.max(pauseMs, asked)))
  }
}

/** The error of the object itself, or of its challenge. */
function invalid(object: Readonly<Record<string, unknown>>): InvalidError {
  const challenges = (Array.isArray(object["challenges"]) ? object["challenges"] : []) as { error?: unknown }[]
  const { kind, detail } = readProblem(object["error"] ?? challenges.find(challenge => challenge.error !== undefined)?.error)
  return new InvalidError(kind, detail === "" ? `it is ${String(object["status"])}` : detail)
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
