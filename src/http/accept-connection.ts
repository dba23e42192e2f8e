// HOT
import type { ConnectionInfo, Wire, WireHandler } from "../net/index.ts"
import { ServerConnection } from "./h1/server.ts"
import { H2ServerConnection } from "./h2/server.ts"
import type { ServerHooks } from "./server-hooks.ts"
import type { DownstreamConnection } from "./sides.ts"
import { SocksServerConnection } from "./socks/socks-server.ts"

/** A client connection in the version of HTTP that TLS agreed on; a plain one begins as HTTP/1.1 and goes on as HTTP/2, or as SOCKS, when its first octets say so. */
export function acceptConnection(wire: Wire, info: ConnectionInfo, hooks: ServerHooks): WireHandler & DownstreamConnection {
  const { socks } = hooks
  if (socks?.only) return new SocksServerConnection(wire, info, hooks, socks)
  return info.alpn === "h2" ? new H2ServerConnection(wire, info, hooks) : new ServerConnection(wire, info, hooks)
}
