import type { Finding } from "../problem.ts"
import { error, type Subject } from "./subject.ts"

/** Versions of HTTP that cannot be spoken where they are asked for. */
export function checkVersions({ config, routeIndex }: Subject): Finding[] {
  const listeners = Object.entries(config.listeners).flatMap(([name, { http3, tls, bind, proxyProtocol }]) => {
    const at = ["listeners", name, "http3"]
    if (http3 === null) return []
    if (tls === null) return [error(at, "HTTP/3 is always encrypted: this listener needs tls, too")]
    if (bind.every(address => "path" in address)) return [error(at, "HTTP/3 needs a port; this listener has Unix sockets only")]
    return proxyProtocol === null ? [] : [error(at, "there is no PROXY protocol over UDP: a sender of it could not be told from others")]
  })
  const clusters = Object.entries(config.clusters).flatMap(([name, { protocol, tls, peers, proxyProtocol, fastcgi }]) => {
    const at = ["clusters", name, "protocol"]
    if (proxyProtocol !== null && (protocol === "http2" || protocol === "http3" || protocol === "fastcgi")) {
      return [error(at, "a connection that begins with a PROXY header speaks for one client, so it cannot be shared; use http1")]
    }
    if ((protocol === "fastcgi") !== (fastcgi !== null)) {
      const text =
        protocol === "fastcgi"
          ? "fastcgi needs to know where the scripts are: write fastcgi: { root: /var/www/app }"
          : "fastcgi has no effect without protocol: fastcgi"
      return [error(protocol === "fastcgi" ? at : ["clusters", name, "fastcgi"], text)]
    }
    if (protocol !== "http3") return []
    if (tls === null) return [error(at, "HTTP/3 is always encrypted: this cluster needs tls, too")]
    return peers.some(peer => peer.path !== "") ? [error(at, "HTTP/3 needs ports; this cluster has peers on Unix sockets")] : []
  })
  const routes = config.routes.flatMap(({ to }, i) =>
    to.kind === "origin" && to.via !== null && to.upgrade?.http === "http3"
      ? [
          error(
            ["routes", routeIndex[i]!, "to", "origin", "upgrade", "http"],
            "parent proxies carry no QUIC, so no HTTP/3: take auto, http1 or http2",
          ),
        ]
      : [],
  )
  return [...listeners, ...clusters, ...routes]
}
