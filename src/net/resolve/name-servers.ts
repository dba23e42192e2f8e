import { AddressError, ipFamily, parseAddress } from "../../base/index.ts"
import type { ServerAddress } from "./dns-transport.ts"
import { endOf, type SecureChannel, secureChannel, type SecureServer } from "./secure-channel.ts"

/** A server as it is configured: `address`, `address:port`, or one that is spoken to over TLS. */
export type ServerConfig = string | SecureServer

export interface NameServer extends ServerAddress {
  /** `127.0.0.1:53`, for messages. */
  readonly text: string
  /** Cleared when the server turns out not to know EDNS (RFC 6891 section 7). */
  edns: boolean
  /** The connection over which all queries go; null = UDP, and TCP where that does not do. */
  readonly channel: SecureChannel | null
}

/** The servers that are asked, the one first that answered last. */
export class NameServers {
  private servers: readonly NameServer[]
  private first: number

  /** Addresses, with port 53 unless they name one. Throws AddressError. */
  constructor(servers: readonly ServerConfig[]) {
    if (servers.length === 0) throw new AddressError("expected at least one name server")
    this.servers = servers.map(server => (typeof server === "string" ? parseServer(server) : secured(server)))
    this.first = 0
  }

  /** In the order to ask them. */
  inOrder(): NameServer[] {
    return [...this.servers.slice(this.first), ...this.servers.slice(0, this.first)]
  }

  /** The same servers in the order of now, for a query from which nothing is to be learnt about them: many swallow or refuse types that they do not know. */
  apart(): NameServers {
    const copy = new NameServers(["127.0.0.1"])
    copy.servers = this.inOrder().map(server => ({ ...server }))
    return copy
  }

  /** Closes the connections that are kept. */
  close(): void {
    for (const { channel } of this.servers) channel?.close()
  }

  /** The server did not answer in time: the next query begins with the one behind it, so that one dead server does not slow down each look-up. */
  passOver(server: NameServer): void {
    if (this.servers[this.first] === server) this.first = (this.first + 1) % this.servers.length
  }
}

/** Reads `address`, `address:port`, `[IPv6]:port`. Throws AddressError. */
export function parseServer(text: string): NameServer {
  // resolv.conf writes IPv6 bare, even with a zone.
  const bare = !text.startsWith("[") && text.indexOf(":") !== text.lastIndexOf(":")
  const address = parseAddress(bare ? `[${text}]` : text, { defaultPort: 53 })
  if ("path" in address || ipFamily(address.host.replace(/%.*$/, "")) === 0) {
    throw new AddressError(`${JSON.stringify(text)} is not a name server: expected an address such as "127.0.0.1:53", not a name`)
  }
  return { host: address.host, port: address.port, text, edns: true, channel: null }
}

function secured(server: SecureServer): NameServer {
  if (ipFamily(server.address) === 0) throw new AddressError(`${JSON.stringify(server.address)} is not the address of a name server`)
  return { host: server.address, port: endOf(server).port, text: server.url, edns: true, channel: secureChannel(server) }
}
