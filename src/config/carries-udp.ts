import type { ClusterConfig } from "./schema.ts"

/** Parents that UDP tunnels go through (RFC 9298): what is spoken to them has extended CONNECT (RFC 8441, RFC 9220). */
export function carriesUdp({ protocol, parent }: ClusterConfig): boolean {
  const isHttp = parent === null || parent.kind === "http" || parent.kind === "https"
  return isHttp && (protocol === "http2" || protocol === "http3")
}
