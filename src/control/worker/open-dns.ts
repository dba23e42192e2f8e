import { DnsServerConnection, type ServerHooks } from "../../http/index.ts"
import type { ConnectionInfo, Wire } from "../../net/index.ts"

/** A client of a DNS listener. What comes by UDP is its own information: datagrams have no connection. */
export function openDns(wire: Wire, info: ConnectionInfo, hooks: ServerHooks): DnsServerConnection {
  return new DnsServerConnection(wire, info, hooks, (wire as unknown) !== info)
}
