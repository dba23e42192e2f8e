import { ipFamily, isDeceptiveHost, normaliseIp } from "./ip-text.ts"

export interface TcpAddress {
  /** An address literal in its one spelling, or a name in lower case; "" = every address of the machine (listeners only). */
  readonly host: string
  readonly port: number
}

export interface UnixAddress {
  readonly path: string
}

export type Address = TcpAddress | UnixAddress

/** Text that is no address or port range; `message` says what was expected. */
export class AddressError extends Error {
  override name = "AddressError"
}

export interface AddressOptions {
  /** `listen`: an address of this machine, or none for all; port 0 lets the system choose. `dial` (default): a name or an address, with a port from 1. */
  use?: "dial" | "listen"
  /** The port when the text names none. Default: it must name one. */
  defaultPort?: number
}

/** Linux keeps 108 octets for a socket's path, one of them the ending NUL (unix(7)). */
const PATH_OCTETS_MAX = 107

/** Reads `host:port`, `:port` and `*:port` (listen), `[IPv6]:port`, `unix:/path`. Throws AddressError. */
export function parseAddress(text: string, options: AddressOptions = {}): Address {
  if (text.startsWith("unix:")) return { path: parsePath(text) }
  const [hostText, portText] = splitHostPort(text, options)
  const listen = options.use === "listen"
  const host = hostText === "*" && listen ? "" : hostText
  if (host === "" && !listen) fail(text, "a host is missing before the port")
  return {
    host: host === "" ? "" : parseHost(text, host, listen),
    port: portText === null ? options.defaultPort! : parsePort(text, portText, listen ? 0 : 1),
  }
}

/** The text that `parseAddress` reads. */
export function formatAddress(address: Address): string {
  return "path" in address ? `unix:${address.path}` : formatHostPort(address.host, address.port)
}

/** `a.test:80`, `[::1]:80`, `:80`. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`
}

/** What is wrong with `host` as a DNS name of letters, digits, hyphens and underscores (RFC 1123 section 2.1, RFC 8553); null = nothing. A final dot is allowed. */
export function hostNameFault(host: string): string | null {
  const name = host.endsWith(".") ? host.slice(0, -1) : host
  if (name === "") return "a name is missing"
  if (name.length > 253) return "a name has at most 253 characters (RFC 1035 section 2.3.4)"
  if (isDeceptiveHost(host)) return deceptionFault(host)
  for (const label of name.split(".")) {
    if (label === "") return "a label of the name is empty"
    if (label.length > 63) return "a label of a name has at most 63 characters (RFC 1035 section 2.3.4)"
    if (!/^[A-Za-z0-9_-]+$/.test(label)) return "a name has letters, digits, hyphens and underscores only"
    if (label.startsWith("-") || label.endsWith("-")) return "a label of a name neither begins nor ends with a hyphen"
  }
  return null
}

function deceptionFault(host: string): string {
  if (/[^\x21-\x7e]/.test(host)) return "a name is written in ASCII (an international one as xn--…)"
  if (/[:[\]%]/.test(host)) return "this is neither a name nor an IPv6 address"
  return "an IPv4 address is written as four decimal numbers such as 127.0.0.1"
}

function splitHostPort(text: string, options: AddressOptions): [host: string, port: string | null] {
  const optional = options.defaultPort !== undefined
  if (text.startsWith("[")) {
    const close = text.indexOf("]")
    if (close < 0) fail(text, 'the bracket is not closed: write "[::1]:80"')
    const rest = text.slice(close + 1)
    if (rest === "" && optional) return [text.slice(0, close + 1), null]
    if (!rest.startsWith(":")) fail(text, 'a port is missing after the bracket: write "[::1]:80"')
    return [text.slice(0, close + 1), rest.slice(1)]
  }
  const colon = text.indexOf(":")
  if (colon < 0) return optional && text !== "" ? [text, null] : fail(text, expected(options))
  if (colon === text.lastIndexOf(":")) return [text.slice(0, colon), text.slice(colon + 1)]
  if (optional && ipFamily(text) === 6) return [text, null]
  return fail(text, 'an IPv6 address stands in brackets: write "[::1]:80"')
}

function expected(options: AddressOptions): string {
  if (options.use === "listen") return 'expected "host:port", ":port", "[IPv6]:port" or "unix:/path"'
  return 'expected "host:port", "[IPv6]:port" or "unix:/path"'
}

function parseHost(text: string, host: string, listen: boolean): string {
  const literal = normaliseIp(host) ?? scopedLiteral(host)
  if (literal !== null) return literal
  const trouble = host.startsWith("[") ? "there is no IPv6 address in the brackets" : hostNameFault(host)
  if (trouble !== null) fail(text, trouble)
  if (listen)
    fail(
      text,
      `a listener waits at an address, not at a name: write "127.0.0.1:${text.slice(host.length + 1)}", or leave the host out for all addresses`,
    )
  return host.toLowerCase()
}

/** `[fe80::1%eth0]` (RFC 4007 section 11): link-local addresses mean nothing without their interface. */
function scopedLiteral(host: string): string | null {
  const found = /^\[([0-9A-Fa-f:.]+)%([A-Za-z0-9._-]{1,15})\]$/.exec(host)
  const address = found ? normaliseIp(found[1]!) : null
  return address?.includes(":") ? `${address}%${found![2]}` : null
}

function parsePort(text: string, port: string, min: number): number {
  const value = /^\d{1,5}$/.test(port) ? Number(port) : -1
  return value >= min && value <= 65535 ? value : fail(text, `a port is a number from ${min} to 65535`)
}

function parsePath(text: string): string {
  const path = text.slice("unix:".length)
  if (!path.startsWith("/")) fail(text, 'a Unix socket needs an absolute path: write "unix:/run/name.sock"')
  if (path.includes("\0") || path.endsWith("/")) fail(text, "this is not the path of a socket")
  if (Buffer.byteLength(path) > PATH_OCTETS_MAX) fail(text, `the path of a Unix socket has at most ${PATH_OCTETS_MAX} octets`)
  return path
}

function fail(text: string, reason: string): never {
  throw new AddressError(`${JSON.stringify(text)} is not an address: ${reason}`)
}
