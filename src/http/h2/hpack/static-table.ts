/**
 * The static table of RFC 7541 appendix A.
 *
 *   STATIC: [ null, :authority, :method GET, … www-authenticate ]    indices 1 to 61
 */
import { HeaderEntry } from "./entry.ts"

// Entry k of the table is line k; a value follows the first blank.
const rows = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split("\n")

/** The entries by index; place 0 is none. */
export const STATIC: readonly (HeaderEntry | null)[] = [null, ...rows.map(entryOf)]
/** Index of the last entry: 61. */
export const STATIC_LAST: number = STATIC.length - 1

const indexByName = new Map<string, number>()
const indexByLine = new Map<string, number>()
STATIC.forEach((entry, index) => {
  if (entry === null) return
  if (!indexByName.has(entry.name)) indexByName.set(entry.name, index)
  indexByLine.set(entry.line, index)
})

function entryOf(row: string): HeaderEntry {
  const blank = row.indexOf(" ")
  return blank < 0 ? HeaderEntry.of(row, "") : HeaderEntry.of(row.slice(0, blank), row.slice(blank + 1))
}

/** The first index with this lower-case name, or 0. */
export function staticNameIndex(name: string): number {
  return indexByName.get(name) ?? 0
}

/** The index of exactly this `name: value\r\n`, or 0. */
export function staticLineIndex(line: string): number {
  return indexByLine.get(line) ?? 0
}
