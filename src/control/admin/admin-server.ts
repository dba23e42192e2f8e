import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createDoor, type Server as Door, type Socket } from "node:net"
import { type Address, formatAddress, type Log } from "../../base/index.ts"
import { canOpenSockets, inheritedSocket, type ListeningSocket, openSocket } from "../../net/index.ts"
import type { AdminAnswer } from "./admin-feature.ts"
import { type AdminView, answerAdmin } from "./admin-routes.ts"
import { isLoopback } from "./authority.ts"
import { type GuardedRequest, type GuardRules, pathOf, refusalOf } from "./guard.ts"

export interface AdminSettings {
  readonly bind: Address
  readonly token: string
  readonly hosts: readonly string[]
}

const BODY_MAX = 64 * 1024
const BACKLOG = 512

/** The admin listener. It lives in the control thread, so that it answers while the data path is busy. */
export class AdminServer {
  readonly #bind: Address
  readonly #server: Server
  /** Accepts for the server, which cannot be given a descriptor. */
  readonly #door: Door
  /** Open connections, and the requests under way on each. */
  readonly #connections = new Map<Socket, number>()
  #leaving = false
  #socket: ListeningSocket | null = null
  #rules: GuardRules
  readonly #view: AdminView
  readonly #log: Log

  private constructor(settings: AdminSettings, view: AdminView, log: Log) {
    this.#bind = settings.bind
    this.#view = view
    this.#log = log
    this.#rules = rulesOf(settings)
    this.#server = createServer({ keepAliveTimeout: 5000, requestTimeout: 15_000, headersTimeout: 10_000 }, (request, response) =>
      this.#take(request, response),
    )
    this.#server.on("upgrade", (request, socket) => {
      const refusal = refusalOf(guarded(request), this.#rules)
      const status = refusal === null ? 400 : refusal.status
      socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    })
    this.#door = createDoor(socket => {
      this.#connections.set(socket, 0)
      socket.once("close", () => this.#connections.delete(socket))
      this.#server.emit("connection", socket)
    })
  }

  /** Binds, or listens on the socket `inherited` that is bound already; rejects when the address is taken. */
  static async start(settings: AdminSettings, view: AdminView, log: Log, inherited = -1): Promise<AdminServer> {
    const admin = new AdminServer(settings, view, log)
    await admin.#open(inherited)
    return admin
  }

  async #open(inherited: number): Promise<void> {
    const bind = this.#bind
    if (canOpenSockets) this.#socket = inherited < 0 ? openSocket(bind, BACKLOG) : inheritedSocket(bind, inherited)
    await new Promise<void>((resolve, reject) => {
      this.#door.once("error", reject)
      const done = () => resolve()
      if (this.#socket !== null) this.#door.listen({ fd: this.#socket.fd }, done)
      else if ("path" in bind) this.#door.listen(bind.path, done)
      else if (bind.host === "") this.#door.listen(bind.port, done)
      else this.#door.listen(bind.port, bind.host, done)
    })
  }

  /** Takes token and host names from a new config; the bind is a listener's life long. */
  adopt(settings: AdminSettings): void {
    this.#rules = rulesOf({ ...settings, bind: this.#bind })
  }

  /** Descriptor of the listening socket; -1 where there is none to be had. */
  get fd(): number {
    return this.#socket?.fd ?? -1
  }

  /** `127.0.0.1:9900`, with the port that the system picked when the config says 0. */
  get address(): string {
    const bind = this.#bind
    if ("path" in bind) return formatAddress(bind)
    const bound = this.#door.address()
    const port = this.#socket?.port ?? (typeof bound === "object" && bound !== null ? bound.port : bind.port)
    return formatAddress({ host: bind.host, port })
  }

  /** Stops listening. Answers under way have `graceMs` to end. */
  close(graceMs = 0): void {
    this.release(graceMs)
    this.#socket?.file?.remove()
  }

  /** The same when another process goes on with the socket. */
  release(graceMs: number): void {
    this.#door.close()
    this.#leaving = true
    for (const [socket, requests] of this.#connections) if (graceMs === 0 || requests === 0) socket.destroy()
    setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy()
    }, graceMs).unref()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.#connections.set(socket, (this.#connections.get(socket) ?? 0) + 1)
    response.once("close", () => {
      const requests = (this.#connections.get(socket) ?? 1) - 1
      if (this.#connections.has(socket)) this.#connections.set(socket, requests)
      if (this.#leaving && requests === 0) socket.end()
    })
    void this.#serve(request, response)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const refusal = refusalOf(guarded(request), this.#rules)
      if (refusal !== null) {
        this.#log.warn("admin request refused", { from: request.socket.remoteAddress ?? "", status: refusal.status, reason: refusal.message })
        request.resume()
        return this.#send(request, response, { status: refusal.status, type: "application/json", body: { error: refusal.message } })
      }
      if (!(await drainBody(request)))
        return this.#send(request, response, { status: 413, type: "application/json", body: { error: `the body is over ${BODY_MAX} octets` } })
      const target = request.url ?? "/"
      const query = new URLSearchParams(target.includes("?") ? target.slice(target.indexOf("?") + 1) : "")
      this.#send(request, response, await answerAdmin(this.#view, request.method ?? "GET", pathOf(target)!, query))
    } catch (error) {
      this.#log.error("admin request failed", { error: String((error as Error).stack ?? error) })
      if (!response.headersSent)
        this.#send(request, response, { status: 500, type: "application/json", body: { error: "internal error; see the log" } })
    }
  }

  #send(request: IncomingMessage, response: ServerResponse, answer: AdminAnswer): void {
    // Whoever comes back is to meet the process that answers here by then.
    if (this.#leaving) response.setHeader("Connection", "close")
    send(request, response, answer)
  }
}

/** What the token rule says about a bind: off loopback there must be one. "" = fine. */
export function adminBindProblem(settings: AdminSettings): string {
  if (settings.token !== "" || "path" in settings.bind || isLoopback(settings.bind.host)) return ""
  return `admin.bind ${formatAddress(settings.bind)} is not a loopback address: set admin.token (or BOTHWAYS_ADMIN_TOKEN)`
}

function rulesOf(settings: AdminSettings): GuardRules {
  const hosts = new Set(settings.hosts.map(host => host.toLowerCase()))
  const { bind } = settings
  if (!("path" in bind) && !["", "0.0.0.0", "::"].includes(bind.host)) hosts.add(bind.host.toLowerCase())
  return { hosts, token: settings.token, unix: "path" in bind }
}

function guarded(request: IncomingMessage): GuardedRequest {
  return { method: request.method ?? "", target: request.url ?? "", rawHeaders: request.rawHeaders, localAddress: request.socket.localAddress ?? "" }
}

async function drainBody(request: IncomingMessage): Promise<boolean> {
  let octets = 0
  for await (const chunk of request) {
    octets += (chunk as Buffer).length
    if (octets > BODY_MAX) return false
  }
  return true
}

function send(request: IncomingMessage, response: ServerResponse, answer: AdminAnswer): void {
  const body = typeof answer.body === "string" ? answer.body : `${JSON.stringify(answer.body, null, 2)}\n`
  response.writeHead(answer.status, {
    "Content-Type": answer.type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    ...(answer.status === 401 ? { "WWW-Authenticate": 'Bearer realm="bothways admin"' } : {}),
    ...(answer.allow === undefined ? {} : { Allow: answer.allow }),
    ...(answer.status === 413 ? { Connection: "close" } : {}),
  })
  response.end(request.method === "HEAD" ? undefined : body)
}
