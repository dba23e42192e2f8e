import { isIP } from "node:net"

export interface Authority {
  /** Lower case; an IPv6 address without brackets. */
  readonly host: string
  /** 0 when there is none. */
  readonly port: number
}

/** Reads `host`, `host:port`, `[v6]:port`. null for anything else; strict, because the answer opens a door. */
export function parseAuthority(text: string): Authority | null {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*))(?::(\d{1,5}))?$/.exec(text.toLowerCase())
  if (match === null) return null
  const port = match[3] === undefined ? 0 : Number(match[3])
  if (port > 65535 || (match[1] !== undefined && isIP(match[1]) !== 6)) return null
  return { host: match[1] ?? match[2]!, port }
}

/** `localhost`, 127.0.0.0/8 and ::1, written as such. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))
}
