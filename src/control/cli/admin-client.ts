import { request } from "node:http"
import { isIP } from "node:net"
import { UsageError } from "./usage-error.ts"

export interface AdminTarget {
  /** `host:port` or `unix:/path`. */
  readonly address: string
  /** "" = none. */
  readonly token: string
}

export interface AdminReply {
  readonly status: number
  readonly body: string
}

/** The instance does not answer at all; the message is for the operator. */
export class NoInstanceError extends Error {
  override name = "NoInstanceError"
}

/** Asks the admin listener. `node:http` and not `fetch`: that one would go through HTTP_PROXY. */
export function askAdmin(target: AdminTarget, method: "GET" | "POST", path: string, timeoutMs = 90_000): Promise<AdminReply> {
  const unix = target.address.startsWith("unix:")
  const { host, port } = unix ? { host: "localhost", port: 0 } : splitAddress(target.address)
  const headers: Record<string, string> = { "X-Bothways": "1", Connection: "close" }
  if (target.token !== "") headers["Authorization"] = `Bearer ${target.token}`
  const where = unix ? { socketPath: target.address.slice(5) } : { host, port }
  return new Promise((resolve, reject) => {
    const out = request({ ...where, method, path, headers, agent: false, timeout: timeoutMs }, response => {
      const parts: Buffer[] = []
      response.on("data", (part: Buffer) => parts.push(part))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString("utf8") }))
      response.on("error", reject)
    })
    out.on("timeout", () => out.destroy(new NoInstanceError(`no answer from ${target.address} within ${timeoutMs} ms`)))
    out.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error instanceof NoInstanceError ? error : new NoInstanceError(`no instance answers at ${target.address} (${error.code ?? error.message})`),
      ),
    )
    out.end()
  })
}

/** `host:port`, `:port` (loopback), `[::1]:port`; throws on anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  if (match === null || port < 1 || port > 65535 || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw new UsageError(`expected an admin address such as 127.0.0.1:9900 or unix:/run/bothways.sock, got ${JSON.stringify(address)}`)
  }
  const host = match[1] ?? match[2]!
  // what a listener binds to is not always what one can ask
  if (host === "" || host === "0.0.0.0") return { host: "127.0.0.1", port }
  return { host: host === "::" ? "::1" : host, port }
}
