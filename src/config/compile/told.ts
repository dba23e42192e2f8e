import { CidrSet } from "../../base/index.ts"
import { type Exchange, lineValue } from "../../flow/index.ts"
import { type Fields, NAME } from "../../http/index.ts"
import type { Config, ListenerConfig, RouteConfig } from "../schema.ts"

/** What the server of a route is told of how the client came, "" = only what every client of the URL would have it told. */
type Told = (x: Exchange) => string

/** Where they were sent, and where the fields that we add ourselves may be. */
const NAMES = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "forwarded"] as const
const IDS = [NAME.xForwardedProto, NAME.xForwardedHost, NAME.xForwardedPort, NAME.xForwardedPrefix, NAME.forwarded] as const
const PREFIX = 3

/**
 * Servers make links, redirections and cookies by what forwarding fields say of scheme, host and prefix. Where those are passed on (of a trusted hop, and of forward
 * clients as far as the listener's privacy lets them through), a cache has to tell pages apart by them, or one client chooses the links of all (RFC 9111 section 7.1).
 * null = the route's servers are told nothing of the kind.
 */
export function compileTold(route: RouteConfig, config: Config): Told | null {
  const names = route.match.listeners.length > 0 ? route.match.listeners : Object.keys(config.listeners)
  const byListener = new Map<string, Told>()
  for (const name of names) {
    const told = route.to.kind === "origin" ? ofForward(config.listeners[name]!) : ofHops(config.listeners[name]!)
    if (told !== null) byListener.set(name, told)
  }
  return byListener.size === 0 ? null : x => byListener.get(x.listener!.name)?.(x) ?? ""
}

/** What trusted hops say is kept. That they say what we should have said ourselves makes no difference. */
function ofHops({ trustedHops }: ListenerConfig): Told | null {
  if (trustedHops.length === 0) return null
  const trusted = CidrSet.parse(trustedHops)
  return x => {
    if (!saysMore(x.request) || !trusted.has(x.peerAddress)) return ""
    const values = valuesOf(x.request)
    if (values[0] === x.scheme) values[0] = ""
    if (values[1] === x.authority) values[1] = ""
    return written(values)
  }
}

/** A prefix passes at all levels of privacy, everything else where nothing is hidden. */
function ofForward({ forward }: ListenerConfig): Told {
  if (forward?.privacy === "transparent") return x => (saysMore(x.request) ? written(valuesOf(x.request)) : "")
  return x => {
    const prefix = valueOf(x.request, PREFIX)
    return prefix === "" ? "" : written(["", "", "", prefix, ""])
  }
}

function saysMore(fields: Fields): boolean {
  if (fields.extra !== "") return true
  for (const id of IDS) if (fields.has(id)) return true
  return false
}

function valuesOf(fields: Fields): string[] {
  return IDS.map((_, i) => valueOf(fields, i))
}

function valueOf(fields: Fields, i: number): string {
  const value = lineValue(fields.extra, NAMES[i]!) || fields.joined(IDS[i]!)
  return IDS[i] === NAME.forwarded ? ofForwarded(value) : value
}

/** Scheme and host of Forwarded (RFC 7239); who the client is makes no other page. */
function ofForwarded(value: string): string {
  return value === "" ? "" : [...value.matchAll(/(?:proto|host)[ \t]*=[ \t]*(?:"[^"]*"|[^;," \t]*)/gi)].join(";").toLowerCase()
}

/** Each value behind its length, so that none can look like the next one. */
function written(values: readonly string[]): string {
  return values.every(value => value === "") ? "" : values.map(value => `${value.length}:${value}`).join("")
}
