import { isIP, isIPv4 } from "node:net"
import ipaddr from "ipaddr.js"
import { z } from "zod"
import { type IssueFacts, shown } from "../issue-sentence.ts"

/** Where a listener waits. `host` "" = every address of the machine, IPv4 and IPv6; port 0 = a free one. */
export type BindConfig = { readonly host: string; readonly port: number } | { readonly path: string }

/** A host and a port that we talk to, or a Unix socket. */
export interface EndpointConfig {
  /** As written: `host:port`, `[::1]:80` or `unix:/path`. */
  readonly address: string
  /** Name or address literal without brackets, in lower case; "" for a Unix socket. */
  readonly host: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** Path of the Unix socket, else "". */
  readonly path: string
}

export interface PortRange {
  readonly from: number
  readonly to: number
}

/** A rejected text, with what to write instead when that is known. */
interface Rejection {
  readonly message: string
  readonly instead?: string
}

type Reading<T> = { readonly value: T } | Rejection

const nameLabel = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** A host name or address literal without brackets (RFC 1123 section 2.1, and underscores, which private names have). */
export function isHost(host: string): boolean {
  if (isIP(host) !== 0) return true
  const labels = (host.endsWith(".") ? host.slice(0, -1) : host).toLowerCase().split(".")
  // A name whose last label is a number would be read as an address by some resolvers.
  return host.length <= 253 && labels.every(label => nameLabel.test(label)) && !/^\d+$/.test(labels[labels.length - 1]!)
}

/** Splits `host:port`; "" for the host when there is none. null when it has no port or no brackets where it needs them. */
function splitPort(text: string): { host: string; port: string } | null {
  const found = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(text)
  return found ? { host: found[1] ?? found[2] ?? "", port: found[3]! } : null
}

function readPort(text: string, min: number): Reading<number> {
  const port = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  return port >= min && port <= 65_535 ? { value: port } : { message: `expected a port from ${min} to 65535, got ${shown(text)}` }
}

function readUnix(text: string): Reading<string> {
  const path = text.slice("unix:".length)
  if (path === "") return { message: "expected a path behind unix:" }
  // sun_path of Linux has 108 octets, its end included.
  return Buffer.byteLength(path) > 107 ? { message: "expected a socket path of at most 107 octets" } : { value: path }
}

/** Reads a listener's address. */
export function readBind(text: string): Reading<BindConfig> {
  if (text.startsWith("unix:")) {
    const path = readUnix(text)
    return "value" in path ? { value: { path: path.value } } : path
  }
  const expected = 'expected "host:port", ":port", "[::1]:port" or "unix:/path"'
  if (/^\d{1,5}$/.test(text)) return { message: `${expected}, got ${shown(text)}`, instead: `:${text}` }
  const parts = splitPort(text)
  if (parts === null) return { message: `${expected}, got ${shown(text)}`, ...bracketHint(text) }
  const port = readPort(parts.port, 0)
  if (!("value" in port)) return port
  if (parts.host === "*") return { message: `${expected}, got ${shown(text)}`, instead: `:${parts.port}` }
  if (parts.host !== "" && !isHost(parts.host)) return { message: `${shown(parts.host)} is neither a host name nor an address` }
  return { value: { host: parts.host.toLowerCase(), port: port.value } }
}

/** Reads the address of a peer, a resolver's server or the like. */
export function readEndpoint(text: string): Reading<EndpointConfig> {
  if (text.startsWith("unix:")) {
    const path = readUnix(text)
    return "value" in path ? { value: { address: text, host: "", port: 0, path: path.value } } : path
  }
  const scheme = /^(https?):\/\/([^/?#]*)(.*)$/.exec(text)
  if (scheme) return schemeHint(scheme[1]!, scheme[2]!)
  const parts = splitPort(text)
  if (parts === null || parts.host === "") return { message: `expected "host:port" or "unix:/path", got ${shown(text)}`, ...bracketHint(text) }
  const port = readPort(parts.port, 1)
  if (!("value" in port)) return port
  if (!isHost(parts.host)) return { message: `${shown(parts.host)} is neither a host name nor an address` }
  return { value: { address: text, host: parts.host.toLowerCase(), port: port.value, path: "" } }
}

function schemeHint(scheme: string, authority: string): Rejection {
  const instead = splitPort(authority) ? authority : `${authority}:${scheme === "https" ? 443 : 80}`
  return { message: `a peer has no scheme; write "host:port"${scheme === "https" ? " and `tls: true` on the cluster" : ""}`, instead }
}

function bracketHint(text: string): { instead?: string } {
  const last = text.lastIndexOf(":")
  const [host, port] = [text.slice(0, last), text.slice(last + 1)]
  return isIP(host) === 6 && /^\d{1,5}$/.test(port) ? { instead: `[${host}]:${port}` } : {}
}

/** Reads a range such as `10.0.0.0/8`, `fd00::/8`, or one address. Output in canonical form, always with its prefix length. */
export function readCidr(text: string): Reading<string> {
  const [address, length, more] = text.split("/")
  const family = isIP(address!)
  const bits = family === 4 ? 32 : 128
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (family === 0 || more !== undefined || prefix < 0 || prefix > bits || address!.includes("%")) {
    return { message: `expected an address range such as 10.0.0.0/8 or fd00::/8, got ${shown(text)}` }
  }
  return { value: `${ipaddr.parse(address!).toString()}/${prefix}` }
}

/** Reads one port or a range of them: `443`, `1025-65535`. */
function readPorts(text: string): Reading<PortRange> {
  const [low, high, more] = text.split("-")
  const from = readPort(low!.trim(), 1)
  const to = high === undefined ? from : readPort(high.trim(), 1)
  if (more !== undefined || !("value" in from) || !("value" in to))
    return { message: `expected a port or a range such as 443 or 1025-65535, got ${shown(text)}` }
  return from.value <= to.value
    ? { value: { from: from.value, to: to.value } }
    : { message: `the range ${shown(text)} ends before it starts`, instead: `${to.value}-${from.value}` }
}

/** Schema of a text that `read` takes apart; numbers are read as if they had been quoted. */
function reading<T>(title: string, wanted: string, read: (text: string) => Reading<T>) {
  return z
    .union([z.string(), z.number()], { error: issue => (((issue as IssueFacts).wanted = wanted), `expected ${wanted}, got ${shown(issue.input)}`) })
    .transform((input, context): T => {
      const result = read(String(input).trim())
      if ("value" in result) return result.value
      context.issues.push({ code: "custom", input, message: result.message, instead: result.instead } as z.core.$ZodRawIssue)
      return z.NEVER
    })
    .meta({ title })
}

export const bindSchema = reading("bind address", 'an address such as "127.0.0.1:8080"', readBind)
export const endpointSchema = reading("address", 'an address such as "127.0.0.1:9000"', readEndpoint)
export const cidrSchema = reading("address range", "an address range such as 10.0.0.0/8", readCidr)
export const portsSchema = reading("port or range", "a port or a range such as 1025-65535", readPorts)

/** True for addresses that only this machine can reach. */
export function isLoopback(bind: BindConfig): boolean {
  if ("path" in bind) return true
  const { host } = bind
  if (host === "localhost" || host === "::1") return true
  return isIPv4(host) ? host.startsWith("127.") : isIP(host) === 6 && ipaddr.process(host).range() === "loopback"
}
