// HOT
import type { Exchange } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"

/** A server that does not know of the prefix sends clients to places that are not theirs. Paths that have it already, and other hosts, stay. */
export function restorePrefix(x: Exchange, prefix: string): void {
  const { response } = x
  if (response.has(NAME.location)) restore(x, NAME.location, "Location", prefix)
  if (response.has(NAME.contentLocation)) restore(x, NAME.contentLocation, "Content-Location", prefix)
}

function restore(x: Exchange, id: number, name: string, prefix: string): void {
  const value = x.response.get(id)
  const from = pathStart(value, x.authority)
  if (from < 0 || hasPrefix(value, from, prefix)) return
  x.response.set(id, name, value.substring(0, from) + prefix + value.substring(from))
}

/** Where the path of a reference to this host begins; -1 = it is another host's, or relative to where the client is. */
function pathStart(value: string, authority: string): number {
  if (value.charCodeAt(0) === 47) return value.charCodeAt(1) === 47 ? -1 : 0
  const scheme = value.startsWith("https://") ? 8 : value.startsWith("http://") ? 7 : 0
  if (scheme === 0 || authority === "" || !value.startsWith(authority, scheme)) return -1
  const end = scheme + authority.length
  return value.charCodeAt(end) === 47 ? end : -1
}

function hasPrefix(value: string, from: number, prefix: string): boolean {
  if (!value.startsWith(prefix, from)) return false
  const after = value.charAt(from + prefix.length)
  return after === "" || after === "/" || after === "?" || after === "#"
}
