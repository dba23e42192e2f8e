import { normaliseIp } from "../../base/index.ts"
import { ExplainError } from "./explain-error.ts"

/** A request as it is asked about. */
export interface ExplainRequest {
  readonly method: string
  /** `http://host/path`; `host:port` or an URL for CONNECT; `/path` as it stands, with a Host field; `*` for OPTIONS. */
  readonly url: string
  /** Field lines as they are sent, without their line ends: `Name: value`. */
  readonly fields: readonly string[]
  /** Address of the connection's peer, or "unix". */
  readonly from: string
  /** Name of the listener, null = the one that the URL leads to. */
  readonly listener: string | null
  /** Somebody whose log-in at the listener counts as right; absent = the request logs in by itself, or not at all. */
  readonly user?: string
  /** Groups of that user. */
  readonly groups?: readonly string[]
  /** When it comes, milliseconds since 1970-01-01 UTC. Default: now. */
  readonly at?: number
}

/** A URL taken apart without changing an octet: what a client normalises may be what the question is about. */
export interface Target {
  /** "" when the target names no authority. */
  readonly scheme: "http" | "https" | ""
  /** As written, with its port. */
  readonly authority: string
  /** Address literal in its one form, or name in lower case. */
  readonly host: string
  /** Of the authority or the scheme's own; 0 without authority. */
  readonly port: number
  /** Path and query, "" for none. */
  readonly rest: string
}

const schemePorts = { http: 80, https: 443, "": 0 } as const

/** Throws ExplainError for what is no target at all; what a client could send is left to the parser. */
export function readTarget(method: string, url: string): Target {
  const absolute = /^(https?):\/\/([^/?#]+)([^#]*)(?:#.*)?$/is.exec(url)
  if (absolute) return withAuthority(absolute[1]!.toLowerCase() as "http" | "https", absolute[2]!, absolute[3]!)
  if (method === "CONNECT") {
    if (!/^(?:\[[^\]]*\]|[^:/?#@\s[\]]+):\d{1,5}$/.test(url)) throw new ExplainError(`expected host:port for CONNECT, got ${JSON.stringify(url)}`)
    return withAuthority("https", url, "")
  }
  if (url === "*" || url.startsWith("/")) return { scheme: "", authority: "", host: "", port: 0, rest: url }
  throw new ExplainError(`expected a URL such as http://shop.example/path, got ${JSON.stringify(url)}`)
}

function withAuthority(scheme: "http" | "https", authority: string, rest: string): Target {
  if (authority.includes("@"))
    throw new ExplainError("the URL has a user or a password: a client sends them as a field, so give -H 'Authorization: …'")
  const found = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{0,5}))?$/.exec(authority)
  const host = (found?.[1] ?? authority).replace(/\.$/, "").toLowerCase()
  const port = Number(found?.[2] ?? "")
  return { scheme, authority, host: normaliseIp(host) ?? host, port: port === 0 ? schemePorts[scheme] : port, rest }
}

export interface RequestText {
  /** What stands on the request line. */
  readonly target: string
  /** The whole head with its blank line, UTF-8. */
  readonly head: string
  /** Names of the fields in it. */
  readonly fields: readonly string[]
}

/**
 * The head that a client would send: to a forward listener with the absolute URL or CONNECT's authority on the request line, to a reverse one with path
 * and Host (RFC 9112 section 3.2). Nothing is repaired, so that a request that the parser refuses is refused here too.
 */
export function requestText(request: ExplainRequest, target: Target, forward: boolean): RequestText {
  const lines = [request.method, request.url, ...request.fields]
  if (lines.some(line => /[\r\n\0]/.test(line)))
    throw new ExplainError("a line break or NUL would make another request of it; give one field for each -H")
  const names = request.fields.map(nameOf)
  const hasHost = names.some(name => name.toLowerCase() === "host")
  if (target.authority === "" && !hasHost) throw new ExplainError(`${request.url} names no host: give -H 'Host: …', or the whole URL`)
  const fields = hasHost ? request.fields : [`Host: ${target.authority}`, ...request.fields]
  const line = requestTarget(request.method, target, forward)
  return { target: line, head: [`${request.method} ${line} HTTP/1.1`, ...fields, "", ""].join("\r\n"), fields: hasHost ? names : ["Host", ...names] }
}

function requestTarget(method: string, target: Target, forward: boolean): string {
  const { scheme, authority, rest } = target
  if (method === "CONNECT" && authority !== "") return /:\d*$/.test(authority) ? authority : `${authority}:${target.port}`
  if (forward && authority !== "") return `${scheme}://${authority}${rest === "" ? "/" : rest}`
  return rest.startsWith("/") || rest === "*" ? rest : `/${rest}`
}

function nameOf(line: string): string {
  const colon = line.indexOf(":")
  if (colon < 0) throw new ExplainError(`expected a field such as 'Name: value', got ${JSON.stringify(line)}`)
  return line.slice(0, colon)
}
