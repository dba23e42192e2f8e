// HOT

/** What a TLS client says of itself before anything else. */
export class ClientHello {
  /** Host name that it asks for (RFC 6066 section 3), as it wrote it; "" = none. */
  readonly serverName: string
  /** Protocols that it offers (RFC 7301 section 3.1), the preferred one first. */
  readonly protocols: readonly string[]

  constructor(serverName: string, protocols: readonly string[]) {
    this.serverName = serverName
    this.protocols = protocols
  }
}

/** More octets than a client says hello in; with keys for after quantum computers it takes 2 KB. */
export const HELLO_BYTES_MAX = 65_536

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const RECORD_HEAD = 5
const SERVER_NAME = 0
const ALPN = 16
/** Version and random. */
const FIXED_OCTETS = 34

/** Reads the hello at the start of a connection; "incomplete" = more has to arrive, "invalid" = it will not become one. */
export function readClientHello(octets: Buffer): ClientHello | "incomplete" | "invalid" {
  const message = handshakeMessage(octets)
  if (typeof message === "string") return message
  return readExtensions(message)
}

/** The first handshake message without its head; it may lie in several records (RFC 8446 section 5.1). */
export function handshakeMessage(octets: Buffer): Buffer | "incomplete" | "invalid" {
  let message: Buffer | null = null
  let at = 0
  while (at + RECORD_HEAD <= octets.length) {
    if (octets[at] !== HANDSHAKE_RECORD || octets[at + 1] !== 3) return "invalid"
    const end = at + RECORD_HEAD + octets.readUInt16BE(at + 3)
    if (end > octets.length) break
    const part = octets.subarray(at + RECORD_HEAD, end)
    message = message === null ? part : Buffer.concat([message, part])
    if (message.length >= 4) {
      if (message[0] !== CLIENT_HELLO) return "invalid"
      const length = message.readUIntBE(1, 3)
      if (length > HELLO_BYTES_MAX) return "invalid"
      if (message.length >= 4 + length) return message.subarray(4, 4 + length)
    }
    at = end
  }
  const first = octets.length > 0 && octets[0] !== HANDSHAKE_RECORD
  return first || octets.length > HELLO_BYTES_MAX ? "invalid" : "incomplete"
}

/** RFC 8446 section 4.1.2; a length that leads beyond the end ends the search, and the runtime's own reader will refuse the message. */
function readExtensions(hello: Buffer): ClientHello {
  let at = FIXED_OCTETS
  at += 1 + byteAt(hello, at)
  at += 2 + wordAt(hello, at)
  at += 1 + byteAt(hello, at)
  const end = Math.min(hello.length, at + 2 + wordAt(hello, at))
  at += 2
  let serverName = ""
  let protocols: readonly string[] = NONE
  while (at + 4 <= end) {
    const type = wordAt(hello, at)
    const next = at + 4 + wordAt(hello, at + 2)
    if (next > end) break
    if (type === SERVER_NAME) serverName = hostNameIn(hello, at + 4, next)
    else if (type === ALPN) protocols = protocolsIn(hello, at + 6, next)
    at = next
  }
  return new ClientHello(serverName, protocols)
}

const NONE: readonly string[] = []

function byteAt(octets: Buffer, at: number): number {
  return at < octets.length ? octets[at]! : 0
}

function wordAt(octets: Buffer, at: number): number {
  return at + 2 <= octets.length ? octets.readUInt16BE(at) : 0
}

/** A list of which only the first entry counts, and that of one kind. */
function hostNameIn(octets: Buffer, start: number, end: number): string {
  const from = start + 5
  const to = from + wordAt(octets, start + 3)
  return from > end || to > end || octets[start + 2] !== 0 ? "" : octets.latin1Slice(from, to)
}

function protocolsIn(octets: Buffer, start: number, end: number): string[] {
  const found: string[] = []
  let at = start
  while (at < end) {
    const next = at + 1 + octets[at]!
    if (next > end) break
    found.push(octets.latin1Slice(at + 1, next))
    at = next
  }
  return found
}
