import { patternTrouble } from "../../../base/index.ts"
import type { Exchange } from "../../../flow/index.ts"
import { TextGlob } from "../../text-glob.ts"

const SCHEMES = ["*", "http", "https"]
const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 }

/** `scheme://host:port/path?query` with stars, taken apart: each part is compared with what the request has there, and no text is made of them. */
export interface UrlGlob {
  /** "" = any. */
  readonly scheme: string
  readonly host: TextGlob
  /** 0 = any. */
  readonly port: number
  /** null = any path and query: the glob names none, or only stars. */
  readonly path: TextGlob | null
  /** null = any query, or none. */
  readonly query: TextGlob | null
}

const form = /^([a-z*]+):\/\/([^/?#:[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?(\/[^?#]*)?(?:\?([^#]*))?$/i
const expected = 'expected a URL with stars such as "https://*.example.com/ads/*", or "~" and an RE2 pattern'

/** What is wrong with a pattern in the config, "" when nothing is. */
export function urlTrouble(text: string): string {
  if (text.startsWith("~")) return patternTrouble(text.slice(1))
  const found = form.exec(text)
  if (found === null) return text.includes("#") ? `"${text}" has a fragment, which no request has; ${expected}` : `"${text}" is no URL; ${expected}`
  const [, scheme = "", host = "", port, path] = found
  if (!SCHEMES.includes(scheme.toLowerCase())) return `"${text}" has the scheme ${scheme}; expected http, https or *`
  if (/[^\0-\x7f]/.test(host)) return `"${text}" has a host that is no ASCII; write it as the A-labels that requests have (xn--…)`
  if (port !== undefined && port !== "*" && (Number(port) < 1 || Number(port) > 65535)) return `"${text}" has the port ${port}; expected 1 to 65535`
  if (path !== undefined && /[^\0-\x7f]/.test(path)) return `"${text}" has a path that is no ASCII; rules see such characters as %XX in upper case`
  return ""
}

/** Reads what `urlTrouble` finds nothing wrong with. Scheme and host are without case, path and query are not. */
export function parseUrlGlob(text: string): UrlGlob {
  const [, scheme = "", host = "", port, path, query] = form.exec(text)!
  const word = scheme.toLowerCase() === "*" ? "" : scheme.toLowerCase()
  const anyPath = path === undefined || /^\/\*+$/.test(path)
  return {
    scheme: word,
    host: new TextGlob(host.toLowerCase().replace(/^\[|\]$/g, "")),
    port: port === undefined || port === "*" ? 0 : Number(port),
    path: anyPath && query === undefined ? null : new TextGlob(path ?? "/*"),
    query: query === undefined ? null : new TextGlob(query),
  }
}

export function urlGlobMatches({ scheme, host, port, path, query }: UrlGlob, x: Exchange): boolean {
  const isTunnel = x.method === "CONNECT"
  const asked = isTunnel ? "https" : x.scheme
  if (scheme !== "" && scheme !== asked) return false
  if (port > 0 && x.port !== port) return false
  if (!host.test(x.host)) return false
  if (path === null) return true
  // Of a tunnel nobody knows a path: what names one does not hold, or allowing one page would allow the site.
  if (isTunnel || !path.test(x.rulePath)) return false
  return query === null || query.test(x.query.substring(1))
}

// The text that patterns see is made once for all of the rules that ask for it one after the other.
let made = ""
let madeScheme = ""
let madeHost = ""
let madePort = -1
let madePath = ""
let madeQuery = ""

/** `scheme://host[:port]/path?query`: the port where it is not the scheme's own, the path as rules see it. Of a tunnel `https://host[:port]`, without a slash behind it. */
export function urlText(x: Exchange): string {
  const isTunnel = x.method === "CONNECT"
  const scheme = isTunnel ? "https" : x.scheme
  const { host, port, rulePath, query } = x
  if (scheme === madeScheme && host === madeHost && port === madePort && rulePath === madePath && query === madeQuery) return made
  const name = host.includes(":") ? `[${host}]` : host
  made = `${scheme}://${port === PORTS[scheme] ? name : `${name}:${port}`}${isTunnel ? "" : rulePath}${query}`
  madeScheme = scheme
  madeHost = host
  madePort = port
  madePath = rulePath
  madeQuery = query
  return made
}
