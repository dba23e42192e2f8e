// HOT
import { plainServerName, readClientHello } from "../../net/index.ts"

/** A request line that is longer is left to its own reader and the limits of it. */
const LINE_BYTES_MAX = 65_536
const METHOD_OCTETS_MAX = 32
const HANDSHAKE_RECORD = 22
const LINE_FEED = 10
const SPACE = 32
const SLASH = 47
const ASTERISK = 42

/** What a client speaks, by what it said first. */
export type Spoken =
  /** A TLS handshake; `spokenName` is the name that it asks for, "" = none. */
  | "tls"
  /** Requests of HTTP/1, or HTTP/2's preface. */
  | "http"
  /** Something else, CONNECT among it: that is meant for another proxy. */
  | "other"
  /** It may become TLS or HTTP: more has to arrive. */
  | "started"

/** The TLS name of the last hello that `readSpoken` found. */
export let spokenName = ""

/** Reads the octets that a connection begins with. */
export function readSpoken(octets: Buffer): Spoken {
  if (octets.length === 0) return "started"
  return octets[0] === HANDSHAKE_RECORD ? readTls(octets) : readLine(octets)
}

function readTls(octets: Buffer): Spoken {
  const hello = readClientHello(octets)
  if (hello === "incomplete") return "started"
  if (hello === "invalid") return "other"
  spokenName = plainServerName(hello.serverName)
  return "tls"
}

/** A request line as RFC 9112 section 3 has it: other protocols begin with a word and a space, too (SIP, RTSP, IRC), but name another version or no path. */
function readLine(octets: Buffer): Spoken {
  let i = 0
  while (i < octets.length && isMethodOctet(octets[i]!)) i++
  if (i > METHOD_OCTETS_MAX || i === 0) return "other"
  if (i === octets.length) return "started"
  if (octets[i] !== SPACE) return "other"
  if (i + 1 === octets.length) return "started"
  if (!isTargetStart(octets, i + 1)) return "other"
  if (octets.latin1Slice(0, i) === "CONNECT") return "other"
  const end = octets.indexOf(LINE_FEED)
  if (end < 0) return octets.length > LINE_BYTES_MAX ? "http" : "started"
  const version = octets.lastIndexOf(SPACE, end)
  return octets.latin1Slice(version + 1, Math.min(end, version + 6)) === "HTTP/" ? "http" : "other"
}

/** Methods are written in capitals, by everybody; what is a token otherwise is more likely another protocol's word. */
function isMethodOctet(octet: number): boolean {
  return (octet >= 65 && octet <= 90) || octet === 45 || octet === 95
}

/** A path, `*`, or the URL that a server must take as well (RFC 9112 section 3.2.2). */
function isTargetStart(octets: Buffer, at: number): boolean {
  const first = octets[at]!
  if (first === SLASH || first === ASTERISK) return true
  const start = octets.latin1Slice(at, Math.min(octets.length, at + 8)).toLowerCase()
  return "http://".startsWith(start) || "https://".startsWith(start) || start.startsWith("http://")
}
