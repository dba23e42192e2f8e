import { ipFamily, normaliseIp } from "../../base/index.ts"
import { type Endpoint, incomplete, invalid, type Preface } from "./preface.ts"

/** The longest line, with its CRLF (section 2.1). */
const LINE_OCTETS_MAX = 107
const CR = 13
const LF = 10
const START = "PROXY "

/** Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443` and CRLF. `chunk` begins with P. */
export function parsePrefaceV1(chunk: Uint8Array): Preface {
  const limit = Math.min(chunk.length, LINE_OCTETS_MAX)
  for (let at = 0; at < limit; at++) {
    const octet = chunk[at]
    if (at < START.length && octet !== START.charCodeAt(at)) return invalid("the line does not begin with PROXY and a space")
    if (octet === LF) return invalid("a line feed without a carriage return")
    if (octet !== CR) continue
    if (at + 1 === limit) break
    return chunk[at + 1] === LF ? parseLine(latin1(chunk, at), at + 2) : invalid("a carriage return without a line feed")
  }
  return limit === LINE_OCTETS_MAX ? invalid(`the line has more than ${LINE_OCTETS_MAX} octets`) : incomplete
}

function latin1(chunk: Uint8Array, to: number): string {
  return String.fromCharCode(...chunk.subarray(0, to))
}

function parseLine(line: string, length: number): Preface {
  const words = line.split(" ")
  const family = words[1]
  // Whatever follows UNKNOWN is to be ignored.
  if (family === "UNKNOWN") return { status: "ok", version: 1, length, source: null, destination: null }
  if (family !== "TCP4" && family !== "TCP6") return invalid("the protocol is not TCP4, TCP6 or UNKNOWN")
  if (words.length !== 6) return invalid("the line does not have two addresses and two ports, one space apart")
  const source = parseEndpoint(family, words[2]!, words[4]!)
  const destination = parseEndpoint(family, words[3]!, words[5]!)
  if (source === null || destination === null) return invalid(`an address or a port is not one of ${family}`)
  return { status: "ok", version: 1, length, source, destination }
}

function parseEndpoint(family: "TCP4" | "TCP6", address: string, portText: string): Endpoint | null {
  if (ipFamily(address) !== (family === "TCP4" ? 4 : 6)) return null
  const port = /^(?:0|[1-9]\d{0,4})$/.test(portText) ? Number(portText) : 65_536
  return port > 65_535 ? null : { address: normaliseIp(address)!, port }
}
