import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { readTarget } from "../../quick-config.ts"
import { UsageError } from "../../usage-error.ts"
import type { Asked } from "./most-asked.ts"

/** Where requests go: to a listener of the proxy as to a server (`to`), or to it as to a forward proxy (`proxy`). */
export interface Destination {
  readonly kind: "to" | "proxy"
  /** As the operator wrote it, without a password. */
  readonly name: string
  readonly tls: boolean
  /** `host`, `port`; or `socketPath`. */
  readonly place: { readonly host: string; readonly port: number } | { readonly socketPath: string }
  /** Host for what the log names no host for; "" = there is none to name. */
  readonly authority: string
  /** Value of Proxy-Authorization, "" = none. */
  readonly authorization: string
}

/** `http://host:port`, `https://host:port`, `host:port`, `:port`, `unix:/path`. Throws UsageError. */
export function readTo(text: string): Destination {
  const { peer, tls } = readTarget(text)
  const place = peer.startsWith("unix:") ? { socketPath: peer.slice(5) } : placeOf(peer)
  return { kind: "to", name: text, tls, place, authority: authorityOf(peer, tls), authorization: "" }
}

/** `http://[user:password@]host:port`. Throws UsageError. */
export function readProxy(text: string): Destination {
  const found = /^(?:http:\/\/)?(?:([^@/?#]*)@)?((?:\[[^\]]+\]|[^:/?#@\s]*):\d{1,5})\/?$/i.exec(text)
  if (found === null) throw new UsageError(`--proxy: expected http://host:port, got ${JSON.stringify(text.replace(/\/\/[^@/]*@/, "//***@"))}`)
  const [, user, peer] = found
  const { peer: address } = readTarget(peer!)
  const authorization = user === undefined ? "" : `Basic ${Buffer.from(decoded(user)).toString("base64")}`
  return { kind: "proxy", name: `http://${address}`, tls: false, place: placeOf(address), authority: "", authorization }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError("--proxy: user and password are not percent-encoded as in a URL")
  }
}

function placeOf(peer: string): { host: string; port: number } {
  const at = peer.lastIndexOf(":")
  return { host: peer.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(peer.slice(at + 1)) }
}

function authorityOf(peer: string, tls: boolean): string {
  return peer.startsWith("unix:") ? "localhost" : peer.replace(tls ? /:443$/ : /:80$/, "")
}

/** Keeps connections to one destination and sends requests over them. */
export class Sender {
  readonly destination: Destination
  private readonly insecure: boolean
  private readonly fields: Readonly<Record<string, string>>
  private readonly agent: HttpAgent | HttpsAgent

  constructor(
    destination: Destination,
    settings: { readonly insecure: boolean; readonly fields: Readonly<Record<string, string>>; readonly connections: number },
  ) {
    this.destination = destination
    this.insecure = settings.insecure
    this.fields = settings.fields
    const pool = { keepAlive: true, maxSockets: settings.connections }
    this.agent = destination.tls ? new HttpsAgent(pool) : new HttpAgent(pool)
  }

  /** Begins a GET; the caller ends it and hears of errors. Target and Host go out as they stand in the log. */
  get(asked: Asked, answered: (response: IncomingMessage) => void): ClientRequest {
    const { kind, place, tls, authorization } = this.destination
    const path = kind === "proxy" ? `http://${asked.authority}${asked.target}` : asked.target
    const headers: Record<string, string> = { ...this.fields, Host: asked.authority }
    if (authorization !== "") headers["Proxy-Authorization"] = authorization
    const options = { ...place, method: "GET", path, headers, agent: this.agent }
    if (!tls) return httpRequest(options, answered)
    return httpsRequest({ ...options, servername: hostOf(asked.authority), rejectUnauthorized: !this.insecure }, answered)
  }

  close(): void {
    this.agent.destroy()
  }
}

/** The name that TLS asks for: no port, and no address (RFC 6066 section 3). */
function hostOf(authority: string): string {
  const host = authority.replace(/:\d+$/, "")
  return host.startsWith("[") || /^[\d.]+$/.test(host) ? "" : host
}
