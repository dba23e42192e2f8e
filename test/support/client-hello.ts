/** What a TLS client offers in its first message. */
export interface ClientHello {
  /** Name in the server_name extension (RFC 6066 section 3); null when there is none. */
  readonly serverName: string | null
  /** Protocols in the ALPN extension (RFC 7301), "" for none. */
  readonly alpn: string
  /** Highest version offered, `1.3` or `1.2`. */
  readonly version: string
}

/** Reads the ClientHello in the first TLS record; null while it is not whole. `octets` are latin1. */
export function readClientHello(octets: string): ClientHello | null {
  const bytes = Buffer.from(octets, "latin1")
  if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) return null
  if (bytes[0] !== 22 || bytes[5] !== 1) throw new Error("not a ClientHello")
  let at = 5 + 4 + 2 + 32
  at += 1 + bytes[at]! // session id
  at += 2 + bytes.readUInt16BE(at) // cipher suites
  at += 1 + bytes[at]! // compression methods
  const end = at + 2 + bytes.readUInt16BE(at)
  const extensions = new Map<number, Buffer>()
  for (at += 2; at < end; at += 4 + bytes.readUInt16BE(at + 2))
    extensions.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + bytes.readUInt16BE(at + 2)))
  const name = extensions.get(0)
  const versions = extensions.get(43)
  return {
    serverName: name === undefined ? null : name.subarray(5, 5 + name.readUInt16BE(3)).toString("latin1"),
    alpn: protocolsOf(extensions.get(16)).join(","),
    version: versions?.subarray(1).includes(Buffer.from([3, 4])) ? "1.3" : "1.2",
  }
}

function protocolsOf(list: Buffer | undefined): string[] {
  const protocols: string[] = []
  for (let at = 2; list !== undefined && at < list.length; at += 1 + list[at]!) protocols.push(list.toString("latin1", at + 1, at + 1 + list[at]!))
  return protocols
}
