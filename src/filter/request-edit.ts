// HOT
import type { Exchange } from "../flow/index.ts"
import { NAME } from "../http/index.ts"

/** Removes the parameters of this name, as it stands in the query, from what goes to the peer and into the log. */
export function dropParameter(x: Exchange, name: string): void {
  const { query } = x
  let kept = ""
  let at = 1
  while (at < query.length) {
    let end = query.indexOf("&", at)
    if (end < 0) end = query.length
    if (!isNamed(query, at, end, name)) kept += (kept === "" ? "?" : "&") + query.substring(at, end)
    at = end + 1
  }
  x.query = kept
}

/** How many parameters of this name there are. */
export function parameterCount(query: string, name: string): number {
  let count = 0
  let at = 1
  while (at < query.length) {
    let end = query.indexOf("&", at)
    if (end < 0) end = query.length
    if (isNamed(query, at, end, name)) count++
    at = end + 1
  }
  return count
}

function isNamed(query: string, at: number, end: number, name: string): boolean {
  return query.startsWith(name, at) && (at + name.length === end || query.charCodeAt(at + name.length) === 61)
}

/** All cookies of a request in one line: HTTP/2 clients cut it as they like (RFC 9113 section 8.2.3), and others may, too. */
export function cookiesOf({ request }: Exchange): string {
  if (!request.has(NAME.cookie)) return ""
  let cookies = ""
  for (let i = request.indexOf(NAME.cookie); i >= 0; i = request.indexOf(NAME.cookie, i + 1))
    cookies += cookies === "" ? request.valueAt(i) : `; ${request.valueAt(i)}`
  return cookies
}

/** Removes the cookie of this name, and with `parts` those of names that go on with a dot, from what goes to the peer. */
export function dropCookies(x: Exchange, name: string, parts: boolean): void {
  const cookies = cookiesOf(x)
  let kept = ""
  let found = false
  let at = 0
  while (at < cookies.length) {
    while (isGap(cookies.charCodeAt(at))) at++
    let end = cookies.indexOf(";", at)
    if (end < 0) end = cookies.length
    if (cookies.startsWith(name, at) && isEnd(cookies.charCodeAt(at + name.length), parts)) found = true
    else if (end > at) kept += (kept === "" ? "" : "; ") + cookies.substring(at, end)
    at = end + 1
  }
  if (!found) return
  x.request.remove(NAME.cookie)
  if (kept !== "") x.request.append("Cookie", kept)
}

function isGap(code: number): boolean {
  return code === 32 || code === 59
}

function isEnd(code: number, parts: boolean): boolean {
  return code === 61 || (parts && code === 46)
}
