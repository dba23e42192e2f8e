// HOT
import type { Exchange } from "../flow/index.ts"
import { type Fields, NAME } from "../http/index.ts"
import { lineValue } from "../flow/index.ts"
import type { CacheOptions } from "./options.ts"

/**
 * The URL that a request asks for, which names the group of its entries. Only its authority is normalised: path and query are those that go to the peer,
 * octet for octet, so that no two readings of one target share an entry.
 */
export function groupOf(x: Exchange): string {
  const usual = x.scheme === "https" ? 443 : 80
  const host = x.host.includes(":") ? `[${x.host}]` : x.host
  const authority = x.port === usual || x.port === 0 ? host : `${host}:${x.port}`
  return `${x.scheme}://${authority}${x.path}${x.query}`
}

/** What tells entries of one URL apart besides their variants. */
export type KeyRest = (x: Exchange) => string

/** A request's value of any field (lower case), also of one that a filter has set; "" = absent. */
export function requestValue(x: Exchange, name: string): string {
  return fieldValue(x.request, name)
}

/** The same of a section by itself. */
export function fieldValue(fields: Fields, name: string): string {
  const added = fields.extra === "" ? "" : lineValue(fields.extra, name)
  if (added !== "") return added
  const i = fields.indexOfName(name)
  if (i < 0) return ""
  let value = fields.valueAt(i)
  for (let k = fields.indexOfName(name, i + 1); k >= 0; k = fields.indexOfName(name, k + 1)) value += `, ${fields.valueAt(k)}`
  return value
}

/** The same for the URL with the query as the policy sees it. null = the query counts as it is. */
export type QueryRule = ((query: string) => string) | null

// allow(closure): once a route
export function compileQuery(options: CacheOptions["key"]["query"]): QueryRule {
  if (options === "all") return null
  // allow(closure): once a route
  if (options === "ignore") return () => ""
  if (options === "sort") return sorted
  const { only, without, sort } = options
  // allow(closure): once a route
  return query => {
    if (query.length < 2) return ""
    const kept: string[] = []
    for (const part of query.substring(1).split("&")) {
      const equals = part.indexOf("=")
      const name = equals < 0 ? part : part.substring(0, equals)
      if (only !== undefined && !named(only, name)) continue
      if (without !== undefined && named(without, name)) continue
      kept.push(part)
    }
    if (sort) kept.sort()
    return kept.length === 0 ? "" : `?${kept.join("&")}`
  }
}

/** How a route's cache sees the query of a URL, from the options of its filter. */
export function compileQueryView(options: unknown): QueryRule {
  return compileQuery((options as CacheOptions).key.query)
}

function sorted(query: string): string {
  return query.length < 2 ? query : `?${query.substring(1).split("&").sort().join("&")}`
}

function named(patterns: readonly string[], name: string): boolean {
  for (const pattern of patterns)
    if (pattern === name || (pattern.endsWith("*") && name.startsWith(pattern.substring(0, pattern.length - 1)))) return true
  return false
}

/** The part of the key behind the URL. `destination` tells clusters apart that serve the same URL. */
// allow(closure): once a route
export function compileRest(options: CacheOptions["key"], destination: string): KeyRest {
  const base = `\n${destination}`
  const rest = restOf(options, base)
  // What a client says of an address that it called holds for that address alone: its Host may be a lie.
  // allow(closure): once a route
  return x => (x.notes === null || x.notes.dials === "" ? rest(x) : `${rest(x)}\ncalled ${x.notes.dials}`)
}

// allow(closure): once a route
function restOf({ headers, cookies, device }: CacheOptions["key"], base: string): KeyRest {
  // allow(closure): once a route
  if (headers.length === 0 && cookies.length === 0 && !device) return () => base
  const names: string[] = []
  for (const name of headers) names.push(name.toLowerCase())
  // Each part says what it is: routes that lead to the same place may have different ones.
  // allow(closure): once a route
  return x => {
    let rest = base
    for (let i = 0; i < names.length; i++) rest += `\nfield ${names[i]} ${escaped(requestValue(x, names[i]!))}`
    if (cookies.length > 0) {
      const jar = x.request.joined(NAME.cookie)
      for (let i = 0; i < cookies.length; i++) rest += `\ncookie ${cookies[i]} ${escaped(cookieValue(jar, cookies[i]!))}`
    }
    return device ? `${rest}\ndevice ${deviceOf(x)}` : rest
  }
}

/** Field values hold no LF; still nothing may look like the next part. */
function escaped(value: string): string {
  return value.includes("\n") ? value.replaceAll("\n", " ") : value
}

function cookieValue(jar: string, name: string): string {
  for (const pair of jar.split(/[;,]/)) {
    const text = pair.trim()
    if (text.startsWith(name) && text.charCodeAt(name.length) === 61) return text.substring(name.length + 1)
  }
  return ""
}

/** phone, tablet or desktop. The hint that clients send of their own accord counts first (Sec-CH-UA-Mobile). */
export function deviceOf(x: Exchange): "phone" | "tablet" | "desktop" {
  const agent = x.request.get(NAME.userAgent)
  if (/ipad|tablet|playbook|silk|kindle/i.test(agent) || (/android/i.test(agent) && !/mobile/i.test(agent))) return "tablet"
  const hint = x.request.find("sec-ch-ua-mobile")
  if (hint !== undefined) return hint.trim() === "?1" ? "phone" : "desktop"
  return /mobi|iphone|ipod|windows phone/i.test(agent) ? "phone" : "desktop"
}
