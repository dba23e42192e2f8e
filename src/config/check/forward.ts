import { takesPasswords, takesSilent } from "../../filter/index.ts"
import type { ConfigPath, Finding } from "../problem.ts"
import type { ListenerConfig, RouteConfig } from "../schema.ts"
import { isOpen } from "./listeners.ts"
import { checkSocks } from "./socks.ts"
import { error, listenersOf, type Subject, warning } from "./subject.ts"

/** Forward requests that cannot go anywhere, destinations that nothing leads to, and proxies that are open to the world. */
export function checkForward(subject: Subject): Finding[] {
  const listeners = Object.entries(subject.config.listeners).flatMap(([name, listener]) =>
    listener.forward === null ? [] : checkListener(subject, name, listener),
  )
  return [...subject.config.routes.flatMap((route, i) => checkRoute(subject, route, subject.routeIndex[i]!)), ...listeners]
}

/** `origin` needs a listener that takes forward requests: an origin-form request does not say where to go. */
function checkRoute(subject: Subject, route: RouteConfig, index: number): Finding[] {
  if (route.to.kind !== "origin") return []
  const known = listenersOf(subject, route).filter(name => Object.hasOwn(subject.config.listeners, name))
  const without = known.filter(name => subject.config.listeners[name]!.forward === null && subject.config.listeners[name]!.dns === null)
  if (without.length === 0) return []
  const some = without.length < known.length && route.match.listeners.length === 0
  const hint = some ? "name the forward listeners under match" : "set `forward: true` on it"
  return [
    error(
      ["routes", index, "to", "origin"],
      `the destination origin needs a forward listener, and ${without.map(name => JSON.stringify(name)).join(", ")} is none; ${hint}`,
    ),
  ]
}

function checkListener(subject: Subject, name: string, listener: ListenerConfig): Finding[] {
  const routes = subject.config.routes.filter(route => listenersOf(subject, route).includes(name))
  const origins = routes.filter(route => route.to.kind === "origin")
  const at = ["listeners", name, "forward"]
  const findings: Finding[] = []
  if (origins.length === 0 && subject.whole)
    findings.push(warning(at, `no route of this listener has the destination origin, so it forwards nothing`, "key"))
  findings.push(...checkLogin([...at, "auth"], listener), ...checkSocks(at, listener, routes))
  if (!isOpen(listener.bind)) return findings
  // Who calls a transparent listener itself is not served.
  if (listener.forward!.transparent !== null) return findings
  const certified = listener.tls?.clientCertificates?.mode === "required"
  const { auth } = listener.forward!
  const asksNobody = auth === null || auth.networks["default"] === "none" || auth.networks["default"] === "optional"
  if (asksNobody && !certified && origins.some(route => !isRestricted(route))) {
    findings.push(
      warning(at, "an open proxy: anybody who reaches this address can use it. Bind it to loopback, give it `auth`, or match `client` ranges", "key"),
    )
  }
  if (listener.forward!.privateRanges === "allow") {
    findings.push(
      warning(
        [...at, "privateRanges"],
        "clients of this address reach everything that this machine reaches, its loopback services included; list the ranges that they need",
      ),
    )
  }
  return findings
}

/** Ways to log in that the listener cannot offer, or not in safety. */
function checkLogin(at: ConfigPath, { bind, tls, forward }: ListenerConfig): Finding[] {
  const { auth } = forward!
  if (auth === null) return []
  const findings: Finding[] = []
  if (auth.certificate !== undefined && !tls?.clientCertificates)
    findings.push(error([...at, "certificate"], "this listener asks for no certificates; give it tls.clientCertificates"))
  if (forward!.transparent !== null && !takesSilent(auth))
    findings.push(
      warning(at, "clients that are brought here do not know of the proxy and cannot log in: name their networks under auth.networks as none", "key"),
    )
  if (tls === null && isOpen(bind) && takesPasswords(auth))
    findings.push(
      warning(
        at,
        "passwords travel in the clear on this address (Basic without TLS); give the listener `tls`, bind it to loopback, or use digest",
        "key",
      ),
    )
  return findings
}

/** Something in the route asks who the client is. */
function isRestricted(route: RouteConfig): boolean {
  const asks = /(?:^|-)(?:acl|allow|auth|certificate|client|ip|user)(?:-|$)/
  return (
    route.match.when !== null ||
    route.match.rules.some(rule => rule.name === "client" || rule.name === "user" || rule.name === "group") ||
    route.filters.some(use => use.inline !== null || asks.test(use.name))
  )
}
