import { connect, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import type { HealthTarget } from "../../plugin/index.ts"

/** What a probe tells of its connection. `close` comes once and last. */
export interface ProbeEvents {
  open(socket: Socket): void
  data(chunk: Buffer): void
  /** The peer sends no more. */
  end(): void
  /** The connection could not be made or broke. */
  error(reason: string): void
}

/** Opens a connection to the peer and reads from it, with TLS when its target says so. The caller destroys the socket. */
export function openProbe(target: HealthTarget, port: number, events: ProbeEvents): Socket {
  const socket = openSocket(target, port, "http/1.1", events)
  socket.on("data", (chunk: Buffer) => events.data(chunk))
  return socket
}

/** The same for one that somebody else reads from; `data` is never called. `alpn`: what TLS asks for (RFC 7301). */
export function openSocket(target: HealthTarget, port: number, alpn: "h2" | "http/1.1", events: Omit<ProbeEvents, "data">): Socket {
  const { tls } = target
  const where = target.address.startsWith("unix:") ? { path: target.address.slice(5) } : { host: target.address, port }
  const socket = tls === null ? connect(where) : connectTls({ ...where, ...tlsOptions(target), ALPNProtocols: [alpn] })
  socket.on(tls === null ? "connect" : "secureConnect", () => events.open(socket))
  socket.on("end", () => events.end())
  socket.on("error", (error: NodeJS.ErrnoException) => events.error(reasonOf(error)))
  socket.on("close", () => events.error("the peer closed the connection"))
  return socket
}

function tlsOptions(target: HealthTarget) {
  const { serverName, verify, ca, cert, key, minVersion } = target.tls!
  return {
    // RFC 6066 section 3: no address literals in SNI.
    ...(isIP(serverName) === 0 && serverName !== "" ? { servername: serverName } : {}),
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    minVersion: minVersion === "1.3" ? ("TLSv1.3" as const) : ("TLSv1.2" as const),
  }
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the peer refused the connection",
  ECONNRESET: "the peer reset the connection",
  EPIPE: "the peer reset the connection",
  ETIMEDOUT: "the peer did not accept the connection",
  EHOSTUNREACH: "the peer cannot be reached",
  ENETUNREACH: "the peer cannot be reached",
  ENOENT: "there is no such Unix socket",
  EACCES: "the Unix socket is closed to us",
}

/** An error of a connection in words. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  return words[error.code ?? ""] ?? error.message
}
