import type { ConfigPath, Finding } from "../problem.ts"
import type { Config, ListenerConfig } from "../schema.ts"
import { isLoopback } from "../schema/address.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Listeners whose clients do not know of them, listeners that answer DNS, and the rules that bring clients to them. */
export function checkTransparent({ config, routeIndex }: Subject): Finding[] {
  return [
    ...Object.entries(config.listeners).flatMap(([name, listener]) => [
      ...checkListener(["listeners", name], listener),
      ...checkDns(["listeners", name], listener),
    ]),
    ...config.routes.flatMap((route, i) => checkRoute(["routes", routeIndex[i]!, "match", "listener"], route.match.listeners, config)),
    ...(config.capture === null ? [] : checkCapture(config, config.capture)),
  ]
}

function checkListener(at: ConfigPath, { forward, tls, http3, proxyProtocol, bind }: ListenerConfig): Finding[] {
  if (forward === null || forward.transparent === null) return []
  const place = [...at, "forward", "transparent"]
  const findings: Finding[] = []
  if (process.platform !== "linux") findings.push(error(place, `needs Linux: nobody else tells whom a client called; this is ${process.platform}`))
  if (tls !== null) findings.push(error([...at, "tls"], "captured clients speak TLS with the server that they called, not with this listener"))
  if (http3 !== null) findings.push(error([...at, "http3"], "UDP is not captured"))
  if (proxyProtocol !== null)
    findings.push(error([...at, "proxyProtocol"], "captured clients do not know that there is a proxy, so nobody sends the header"))
  if (bind.some(address => "path" in address)) findings.push(error([...at, "bind"], "a transparent listener needs a port"))
  return findings
}

/** What a listener that answers queries cannot be beside. */
function checkDns(at: ConfigPath, { dns, tls, http3, forward, tcp, udp, proxyProtocol, bind }: ListenerConfig): Finding[] {
  if (dns === null) return []
  const others = { tls, http3, forward, tcp, udp, proxyProtocol }
  const findings = Object.entries(others).flatMap(([key, value]) =>
    value === null ? [] : [error([...at, key], "this listener answers DNS queries and nothing else; take another one")],
  )
  if (bind.some(address => "path" in address)) findings.push(error([...at, "bind"], "DNS needs a port"))
  const isOpen = bind.some(address => !isLoopback(address))
  if (isOpen && dns.from.every(range => range.startsWith("127.") || range.startsWith("::1")))
    findings.push(warning([...at, "dns"], "others reach this address, and only this machine is answered; list their networks under `from`", "key"))
  if (dns.from.some(range => range.endsWith("/0")))
    findings.push(warning([...at, "dns", "from"], "whoever reaches this address is answered; attackers use such servers against others"))
  return findings
}

function checkRoute(at: ConfigPath, names: readonly string[], { listeners }: Config): Finding[] {
  const answering = names.filter(name => (listeners[name]?.dns ?? null) !== null)
  return answering.map(name => error(at, `the listener ${JSON.stringify(name)} answers DNS queries by itself; no request comes by it`))
}

function checkCapture(config: Config, capture: NonNullable<Config["capture"]>): Finding[] {
  const { machine, network, user, mark, dns } = capture
  const findings: Finding[] = []
  if (machine === null && network === null) findings.push(warning(["capture"], "captures nothing: neither `machine` nor `network` is set", "key"))
  if (machine !== null) {
    findings.push(...checkTarget(["capture", "machine"], machine.listener, config, ["redirect"]))
    if (user === null && mark === 0)
      findings.push(error(["capture", "machine"], "the proxy's own connections would come back to it; say by `user` or `mark` which they are"))
  }
  if (machine !== null) findings.push(...checkResolver(config, dns))
  if (network !== null) {
    findings.push(...checkTarget(["capture", "network"], network.listener, config, ["redirect", "tproxy"]))
    if (network.from.length === 0 && network.interfaces.length === 0)
      findings.push(error(["capture", "network"], "says nobody; give the networks of the clients (`from`), or the `interfaces` that they come in by"))
  }
  const answering = Object.entries(config.listeners).filter(([, listener]) => listener.dns !== null)
  if (dns !== null && dns !== "auto" && !answering.some(([name]) => name === dns))
    findings.push(error(["capture", "dns"], `there is no listener ${JSON.stringify(dns)} with \`dns\``))
  if (dns === "auto" && answering.length > 1) findings.push(error(["capture"], "several listeners have `dns`; name one under `dns`"))
  if (network !== null && dns !== null && answering.some(([name, { bind }]) => (dns === "auto" || dns === name) && bind.every(isLoopback)))
    findings.push(
      error(["capture", "network"], "queries of other machines cannot be brought to a DNS listener on loopback; bind it to every address"),
    )
  return findings
}

/** A resolver of this machine (127.0.0.53) asks others in its own name, and is answered by us; the proxy, which asks it, would dial what stands for names. */
function checkResolver({ listeners, resolver, routes }: Config, dns: string | null): Finding[] {
  const standsIn = Object.entries(listeners).some(([name, listener]) => listener.dns?.answer === "stand-in" && (dns === "auto" || dns === name))
  const looksUp = routes.some(({ to }) => to.kind === "origin" && to.via === null)
  if (!standsIn || !looksUp || resolver.servers !== null) return []
  return [
    warning(
      ["capture", "machine"],
      "if the system asks a resolver of its own (127.0.0.53), that one is captured, too, and would give the proxy addresses that stand for names; list name servers under resolver.servers",
      "key",
    ),
  ]
}

function checkTarget(at: ConfigPath, name: string | null, { listeners }: Config, modes: readonly string[]): Finding[] {
  const fitting = Object.entries(listeners).filter(
    ([each, { forward }]) => (name === null || each === name) && modes.includes(forward?.transparent?.mode ?? ""),
  )
  const wanted = modes.map(mode => `\`forward: { transparent: ${mode} }\``).join(" or ")
  if (fitting.length === 0) return [error(at, `needs a listener with ${wanted}${name === null ? "" : `; ${JSON.stringify(name)} is none`}`)]
  const isNetwork = modes.length > 1
  if (isNetwork && fitting.some(([, { bind, forward }]) => forward?.transparent?.mode === "redirect" && bind.every(isLoopback)))
    return [error(at, "connections of other machines cannot be redirected to a listener on loopback; bind it to every address")]
  return []
}
