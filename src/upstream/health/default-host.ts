import { isIPv6 } from "node:net"
import type { HealthTarget } from "../../plugin/index.ts"

/** Host as a client of the peer would write it (RFC 9110 section 7.2): brackets for IPv6, no port when it is the scheme's own. */
export function defaultHost(target: HealthTarget, port: number): string {
  const name = target.host ?? target.address
  if (name === "" || name.startsWith("unix:")) return "localhost"
  const host = isIPv6(name) ? `[${name}]` : name
  return port === (target.tls === null ? 80 : 443) ? host : `${host}:${port}`
}
