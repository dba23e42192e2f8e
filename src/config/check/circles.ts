import { networkInterfaces } from "node:os"
import { type Address, normaliseIp } from "../../base/index.ts"
import type { Finding } from "../problem.ts"
import type { EndpointConfig } from "../schema/address.ts"
import type { RouteConfig } from "../schema.ts"
import { clustersOf, listenersOf, type Subject, warning } from "./subject.ts"

/** Peers that are the very listener whose requests they would get. Where privacy takes Via away, nothing else notices the circle. */
export function checkCircles(subject: Subject): Finding[] {
  const { config } = subject
  return Object.entries(config.clusters).flatMap(([cluster, { peers }]) => {
    const routes = config.routes.filter(route => clustersOf(route).some(({ name }) => name === cluster))
    return peers.flatMap((peer, i) => {
      const route = routes.find(candidate => listenerAt(subject, candidate, peer) !== null)
      if (route === undefined) return []
      const listener = JSON.stringify(listenerAt(subject, route, peer))
      return [
        warning(
          ["clusters", cluster, "peers", i],
          `this is the listener ${listener} itself, and the route ${JSON.stringify(route.name)} sends its requests here: they go in a circle`,
        ),
      ]
    })
  })
}

/** The listener of the route that waits at the peer's address. */
function listenerAt(subject: Subject, route: RouteConfig, peer: EndpointConfig): string | null {
  const { listeners } = subject.config
  const waits = (name: string) => Object.hasOwn(listeners, name) && listeners[name]!.bind.some(bind => isSame(bind, peer))
  return listenersOf(subject, route).find(waits) ?? null
}

function isSame(bind: Address, peer: EndpointConfig): boolean {
  if ("path" in bind) return bind.path === peer.path
  if (bind.port !== peer.port || peer.path !== "") return false
  const hosts = peer.host === "localhost" ? ["127.0.0.1", "::1"] : [normaliseIp(peer.host) ?? peer.host]
  return hosts.some(host => host === bind.host || (isEvery(bind.host, host) && isOurs(host)))
}

function isEvery(bound: string, host: string): boolean {
  return bound === "" || bound === "::" || (bound === "0.0.0.0" && !host.includes(":"))
}

function isOurs(host: string): boolean {
  if (host.startsWith("127.") || host === "::1") return true
  return Object.values(networkInterfaces()).some(addresses => addresses?.some(({ address }) => address === host))
}
