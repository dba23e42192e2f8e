import { NAME, nameId } from "../names.ts"
import type { Message } from "../message.ts"
import { pairOf } from "./records.ts"

/** How requests become calls of scripts. */
export interface FcgiOptions {
  /** Directory of the scripts as the application sees it. */
  readonly root: string
  /** Script for paths that end in a slash. */
  readonly index: string
  /** Ending of a script's name; what follows it is the path that the script gets. */
  readonly split: string
  /** Script for paths that name none; "" = they are refused. */
  readonly fallback: string
  /** Further parameters. */
  readonly params: Readonly<Record<string, string>>
  /** The application keeps its connections, each of which holds one of its processes. */
  readonly keepAlive: boolean
  /** Octets of a request body of unknown length that are held until it is known. */
  readonly bufferBytesMax: number
}

/** The script of a path and what follows it; null = the path names none. */
export interface Script {
  readonly name: string
  readonly pathInfo: string
}

/**
 * Finds the script in a path in the form that rules see: up to the first segment that ends as scripts do. Segments are decoded each by itself; one that holds a
 * slash, a backslash or NUL when it is decoded, or that climbs, names no script.
 */
export function scriptOf(path: string, { index, split, fallback }: FcgiOptions): Script | null {
  const decoded = decodePath(path)
  if (decoded === null) return null
  const end = endOfScript(decoded, split)
  if (end > 0) return { name: decoded.substring(0, end), pathInfo: decoded.substring(end) }
  if (decoded.endsWith("/") && fallback === "") return { name: decoded + index, pathInfo: "" }
  return fallback === "" ? null : { name: fallback, pathInfo: "" }
}

function endOfScript(path: string, split: string): number {
  for (let at = path.indexOf(split); at >= 0; at = path.indexOf(split, at + 1)) {
    const end = at + split.length
    if (end === path.length || path.charCodeAt(end) === 47) return end
  }
  return -1
}

function decodePath(path: string): string | null {
  const segments: string[] = []
  for (const segment of path.split("/")) {
    let text = segment
    try {
      if (segment.includes("%")) text = decodeURIComponent(segment)
    } catch {
      return null
    }
    if (text === "." || text === ".." || /[/\\\0]/.test(text)) return null
    segments.push(text)
  }
  return segments.join("/")
}

/** RFC 3875 section 4.1, as servers have come to write it. Text beyond ASCII goes out as UTF-8. */
export function paramsOf(m: Message, script: Script, options: FcgiOptions): string {
  const info = m.down === null ? null : m.down.info
  const { root } = options
  const uri = m.path + m.query
  const secure = m.scheme === "https"
  let pairs =
    pairOf("GATEWAY_INTERFACE", "CGI/1.1") +
    pairOf("SERVER_SOFTWARE", "bothways") +
    pairOf("SERVER_PROTOCOL", protocolOf(m.version)) +
    pairOf("SERVER_NAME", m.host) +
    pairOf("SERVER_PORT", String(m.port)) +
    pairOf("SERVER_ADDR", info === null ? "" : info.localAddress) +
    pairOf("REMOTE_ADDR", m.clientAddress) +
    pairOf("REMOTE_PORT", info === null ? "0" : String(info.remotePort)) +
    pairOf("REQUEST_METHOD", m.method) +
    pairOf("REQUEST_SCHEME", m.scheme) +
    pairOf("REQUEST_URI", uri) +
    pairOf("DOCUMENT_URI", utf8(script.name + script.pathInfo)) +
    pairOf("DOCUMENT_ROOT", utf8(root)) +
    pairOf("SCRIPT_NAME", utf8(script.name)) +
    pairOf("SCRIPT_FILENAME", utf8(root + script.name)) +
    pairOf("PATH_INFO", utf8(script.pathInfo)) +
    pairOf("QUERY_STRING", m.query === "" ? "" : m.query.substring(1)) +
    pairOf("CONTENT_TYPE", m.request.get(NAME.contentType)) +
    // PHP serves nothing without it where it was built to be safe.
    pairOf("REDIRECT_STATUS", "200")
  if (secure) pairs += pairOf("HTTPS", "on")
  if (m.user !== "") pairs += pairOf("REMOTE_USER", utf8(m.user))
  if (script.pathInfo !== "") pairs += pairOf("PATH_TRANSLATED", utf8(root + script.pathInfo))
  for (const [name, value] of Object.entries(options.params)) pairs += pairOf(name, utf8(value))
  return pairs + fieldPairs(m)
}

/**
 * Header fields as HTTP_*. Not those that have a parameter of their own, nor Proxy, which many programs take for the proxy that they should use (CVE-2016-5385), nor a
 * name with an underscore, which could pass for one with a hyphen.
 */
function fieldPairs(m: Message): string {
  const values = new Map<string, string>()
  for (const line of m.request.render().split("\r\n")) {
    const colon = line.indexOf(":")
    if (colon <= 0) continue
    const lower = line.substring(0, colon).toLowerCase()
    const id = nameId(lower, 0, lower.length)
    if (id === NAME.contentType || id === NAME.contentLength || id === NAME.transferEncoding || id === NAME.connection) continue
    if (lower === "proxy" || lower.includes("_")) continue
    const value = line.substring(colon + 1).trim()
    const before = values.get(lower)
    // Cookies are one list (RFC 9113 section 8.2.3), all others too (RFC 9110 section 5.3).
    values.set(lower, before === undefined ? value : `${before}${id === NAME.cookie ? "; " : ", "}${value}`)
  }
  let pairs = ""
  for (const [name, value] of values) pairs += pairOf(`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, value)
  return pairs
}

function protocolOf(version: number): string {
  return version === 10 ? "HTTP/1.0" : version === 11 ? "HTTP/1.1" : version === 20 ? "HTTP/2.0" : "HTTP/3.0"
}

function utf8(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : Buffer.from(text, "utf8").toString("latin1")
}
