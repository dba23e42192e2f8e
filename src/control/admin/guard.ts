import { createHash, timingSafeEqual } from "node:crypto"
import { isIP } from "node:net"
import { type Authority, isLoopback, parseAuthority } from "./authority.ts"

/** Who may talk to the admin listener. */
export interface GuardRules {
  /** Names and addresses that Host may have, beside the loopback ones; lower case, without port. */
  readonly hosts: ReadonlySet<string>
  /** "" = none; then the listener is on loopback or a Unix socket. */
  readonly token: string
  /** A Unix socket: its file's permissions decide, and no browser reaches it. */
  readonly unix: boolean
}

/** The parts of a request that the guard looks at. */
export interface GuardedRequest {
  readonly method: string
  /** Request target as it came. */
  readonly target: string
  /** Names and values in turn, doubles included. */
  readonly rawHeaders: readonly string[]
  /** Address that the connection came in on. */
  readonly localAddress: string
}

export interface Refusal {
  readonly status: 400 | 401 | 403 | 415 | 421
  readonly message: string
}

const openPaths = new Set(["/healthz", "/readyz"])

/**
 * Why the request is refused, or null. A web page in the operator's browser must not get through: not by a name that was rebound to loopback
 * (Host), not from another origin (Origin, Sec-Fetch-Site), not with a form (content type). None of this can be switched off.
 */
export function refusalOf(request: GuardedRequest, rules: GuardRules): Refusal | null {
  const path = pathOf(request.target)
  if (path === null) return { status: 400, message: "the request target is not a path" }
  return refusedHost(request, rules) ?? refusedOrigin(request) ?? refusedCaller(request, rules, path)
}

/** The path of an origin-form or absolute-form target, or null. */
export function pathOf(target: string): string | null {
  const rest = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?#]*/i, "")
  if (!rest.startsWith("/")) return null
  const end = rest.search(/[?#]/)
  return end < 0 ? rest : rest.slice(0, end)
}

function refusedHost(request: GuardedRequest, rules: GuardRules): Refusal | null {
  const hosts = values(request, "host")
  if (hosts.length !== 1) return { status: 400, message: `expected one Host field, got ${hosts.length}` }
  const named = /^https?:\/\/([^/?#]*)/i.exec(request.target)
  for (const text of named ? [named[1]!, hosts[0]!] : hosts) {
    const authority = parseAuthority(text)
    if (authority === null) return { status: 400, message: "Host is not a host" }
    if (!allowedHost(authority, request, rules)) {
      return { status: 421, message: `this host name is not allowed here; use a loopback name or add it to admin.hosts: ${authority.host}` }
    }
  }
  return null
}

function allowedHost(authority: Authority, request: GuardedRequest, rules: GuardRules): boolean {
  if (rules.unix || isLoopback(authority.host) || rules.hosts.has(authority.host)) return true
  // the address that the connection reached, written as an address: no DNS answer can forge that
  return isIP(authority.host) !== 0 && authority.host === request.localAddress.replace(/^::ffff:(?=\d+\.)/, "")
}

function refusedOrigin(request: GuardedRequest): Refusal | null {
  const foreign: Refusal = { status: 403, message: "requests of other origins are refused" }
  const site = values(request, "sec-fetch-site")
  if (site.some(value => value !== "same-origin" && value !== "none")) return foreign
  const origins = values(request, "origin")
  if (origins.length === 0) return null
  const host = values(request, "host")[0]!
  return origins.length === 1 && origins[0]!.toLowerCase() === `http://${host.toLowerCase()}` ? null : foreign
}

function refusedCaller(request: GuardedRequest, rules: GuardRules, path: string): Refusal | null {
  const reading = request.method === "GET" || request.method === "HEAD"
  if (reading && openPaths.has(path)) return null
  if (rules.token !== "")
    return hasToken(request, rules.token) ? null : { status: 401, message: "expected Authorization: Bearer and the admin token" }
  if (reading || rules.unix) return null
  const type = (values(request, "content-type")[0] ?? "").split(";")[0]!.trim().toLowerCase()
  if (type === "application/json" || values(request, "x-bothways").includes("1")) return null
  return { status: 415, message: "a change needs the field X-Bothways: 1 or the content type application/json" }
}

function hasToken(request: GuardedRequest, token: string): boolean {
  const given = values(request, "authorization")
  const match = given.length === 1 ? /^bearer +(\S+)$/i.exec(given[0]!) : null
  // hashes have one length, so that the comparison tells nothing about the token's
  return match !== null && timingSafeEqual(digest(match[1]!), digest(token))
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest()
}

function values(request: GuardedRequest, name: string): string[] {
  const found: string[] = []
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i]!.toLowerCase() === name) found.push(raw[i + 1]!)
  return found
}
