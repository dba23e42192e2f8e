// HOT
import { type Fault, FAULT, normaliseIp } from "../base/index.ts"
import type { Message } from "./message.ts"
import { CLASS, COLON, DIGIT, HEX, HOST } from "./grammar.ts"

const SLASH = 47
const HOST_OCTETS_MAX = 255

/**
 * Reads the request target (RFC 9112 section 3.2) of any form into scheme, authority, host, port, path and query of `m`.
 * `m.authority` holds what Host said; an absolute target's authority replaces it (section 3.2.2). Nothing is decoded.
 */
export function readTarget(m: Message, target: string): Fault | null {
  const first = target.charCodeAt(0)
  if (m.method === "CONNECT") return readAuthorityForm(m, target)
  if (first === SLASH) {
    splitPath(m, target, 0)
    return readHost(m)
  }
  if (target === "*") {
    if (m.method !== "OPTIONS") return FAULT.badTarget
    m.path = "*"
    m.query = ""
    return readHost(m)
  }
  return readAbsoluteForm(m, target)
}

function splitPath(m: Message, target: string, at: number): void {
  const mark = target.indexOf("?", at)
  if (mark < 0) {
    m.path = at === 0 ? target : target.substring(at)
    m.query = ""
  } else {
    m.path = target.substring(at, mark)
    m.query = target.substring(mark)
  }
}

function readAbsoluteForm(m: Message, target: string): Fault | null {
  const https = !target.startsWith("http://") && /^https:\/\//i.test(target)
  if (!https && !target.startsWith("http://") && !/^http:\/\//i.test(target)) return FAULT.badTarget
  const start = https ? 8 : 7
  let end = start
  while (end < target.length && target.charCodeAt(end) !== SLASH && target.charCodeAt(end) !== 63) end++
  m.forwardForm = true
  m.scheme = https ? "https" : "http"
  m.authority = target.substring(start, end)
  if (m.authority === "") return FAULT.badTarget
  if (end === target.length || target.charCodeAt(end) !== SLASH) {
    // No path: "/" goes out (RFC 9112 section 3.2.1), except that OPTIONS then means the server as a whole (section 3.2.4).
    m.query = target.substring(end)
    m.path = m.method === "OPTIONS" && m.query === "" ? "*" : "/"
  } else splitPath(m, target, end)
  return readHost(m)
}

function readAuthorityForm(m: Message, target: string): Fault | null {
  m.forwardForm = true
  m.authority = target
  m.path = ""
  m.query = ""
  const fault = readHost(m)
  if (fault !== null) return FAULT.badTarget
  // The port must be there (RFC 9110 section 9.3.6); 0 is nobody's port.
  return m.port > 0 && target.charCodeAt(target.length - 1) !== COLON && /:[0-9]+$/.test(target) ? null : FAULT.badTarget
}

let knownAuthority = ""
let knownHost = ""
let knownPort = -1

/** Splits m.authority into host and port. The last good authority is remembered: a client asks for the same one again and again. */
export function readHost(m: Message): Fault | null {
  const authority = m.authority
  if (authority === knownAuthority && knownPort >= 0) {
    m.host = knownHost
    m.port = knownPort > 0 ? knownPort : defaultPort(m)
    return null
  }
  if (authority === "") {
    m.host = ""
    m.port = defaultPort(m)
    return null
  }
  const hostEnd = authority.charCodeAt(0) === 91 ? bracketEnd(authority) : nameEnd(authority)
  if (hostEnd <= 0 || hostEnd > HOST_OCTETS_MAX) return FAULT.badHost
  const port = portFrom(authority, hostEnd)
  if (port < 0) return FAULT.badHost
  knownAuthority = authority
  knownHost = normalHost(authority, hostEnd)
  knownPort = port
  if (knownHost === "") {
    knownPort = -1
    return FAULT.badHost
  }
  m.host = knownHost
  m.port = port > 0 ? port : defaultPort(m)
  return null
}

function defaultPort(m: Message): number {
  return m.method === "CONNECT" ? 0 : m.scheme === "https" ? 443 : 80
}

/**
 * Lower case, no brackets, no trailing dot: the form that rules compare. An IPv6 address has many spellings and only one form (RFC 5952), an
 * IPv4-mapped one is the IPv4 address that it reaches; "" = the brackets hold no address (RFC 3986 section 3.2.2).
 */
function normalHost(authority: string, end: number): string {
  if (authority.charCodeAt(0) === 91) return normaliseIp(authority.substring(0, end)) ?? ""
  const cut = authority.charCodeAt(end - 1) === 46 ? end - 1 : end
  return authority.substring(0, cut).toLowerCase()
}

function nameEnd(authority: string): number {
  let i = 0
  while (i < authority.length && (CLASS[authority.charCodeAt(i) & 255]! & HOST) !== 0) i++
  return i
}

function bracketEnd(authority: string): number {
  let i = 1
  while (
    i < authority.length &&
    ((CLASS[authority.charCodeAt(i)]! & HEX) !== 0 || authority.charCodeAt(i) === COLON || authority.charCodeAt(i) === 46)
  )
    i++
  return authority.charCodeAt(i) === 93 && i > 2 ? i + 1 : -1
}

/** The port behind the host: 0 = none or empty, -1 = not a port. */
function portFrom(authority: string, at: number): number {
  if (at === authority.length) return 0
  if (authority.charCodeAt(at) !== COLON || authority.length - at > 6) return -1
  let port = 0
  for (let i = at + 1; i < authority.length; i++) {
    const code = authority.charCodeAt(i)
    if ((CLASS[code]! & DIGIT) === 0) return -1
    port = port * 10 + (code - 48)
  }
  if (port > 65535 || (port === 0 && authority.length - at > 1)) return -1
  return port
}
