// HOT
import { HeaderEntry } from "../h2/hpack/entry.ts"
import type { HeaderSink } from "../h2/hpack/decoder.ts"

/** Hands a header list, name, value, name, value …, to whoever reads those of HTTP/2, too. */
export function readPairs(pairs: readonly string[], sink: HeaderSink): void {
  for (let i = 0; i + 1 < pairs.length; i += 2) sink.onField(HeaderEntry.of(pairs[i]!, pairs[i + 1]!))
}

/** Fields of one connection, which have no place here (RFC 9114 section 4.2), and those that pseudo fields say. */
const LEFT_OUT = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings", "host", "trailer"])

/** Adds ready-made lines `Name: value` as name, value, name, value …, names in lower case. */
export function addLines(pairs: string[], lines: string): void {
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf("\r\n", at)
    const colon = lines.indexOf(":", at)
    const name = lines.substring(at, colon).toLowerCase()
    const value = lines.substring(colon + 1, end).trim()
    if (!LEFT_OUT.has(name) && (name !== "te" || value === "trailers")) pairs.push(name, value)
    at = end + 2
  }
}
