import { X509Certificate } from "node:crypto"
import { readCertificateParts } from "../../../net/index.ts"
import type { AcmeClient } from "./acme-client.ts"
import { retryAfterMs } from "./acme-problem.ts"

/** When the issuer wants a certificate to be renewed. Milliseconds since 1970 UTC. */
export interface RenewalWindow {
  readonly start: number
  readonly end: number
  /** When to ask again. */
  readonly askAt: number
  /** Why, for people; "" = it does not say. */
  readonly explanation: string
}

/** RFC 9773 section 4.3: where nothing is said, and the bounds of what is believed. */
const ASK_MS = 6 * 3_600_000
const ASK_MS_MIN = 60_000
const ASK_MS_MAX = 24 * 3_600_000

/** The certificate's identifier (RFC 9773 section 4.1); "" = it has none. */
export function certificateId(pem: string): string {
  const { serial, authorityKeyId } = readCertificateParts(new X509Certificate(pem).raw)
  return authorityKeyId === null ? "" : `${authorityKeyId.toString("base64url")}.${serial.toString("base64url")}`
}

/** Asks; null = this issuer does not tell. Rejects like any request. */
export async function renewalWindow(client: AcmeClient, pem: string): Promise<RenewalWindow | null> {
  const { renewalInfo } = await client.directory()
  const id = renewalInfo === undefined ? "" : certificateId(pem)
  if (renewalInfo === undefined || id === "") return null
  const { object, headers } = await client.get(`${renewalInfo.replace(/\/$/, "")}/${id}`)
  const { start, end } = (object["suggestedWindow"] ?? {}) as { start?: unknown; end?: unknown }
  const [from, to] = [Date.parse(String(start)), Date.parse(String(end))]
  if (!(to > from)) throw new Error("its renewal window is none")
  const pause = retryAfterMs(headers["retry-after"])
  const bounded = pause === 0 ? ASK_MS : Math.min(Math.max(pause, ASK_MS_MIN), ASK_MS_MAX)
  const explanation = typeof object["explanationURL"] === "string" ? object["explanationURL"] : ""
  return { start: from, end: to, askAt: Date.now() + bounded, explanation }
}
