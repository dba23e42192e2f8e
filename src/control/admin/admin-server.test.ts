import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Log } from "../../base/index.ts"
import type { AdminView } from "./admin-routes.ts"
import { adminBindProblem, AdminServer, type AdminSettings } from "./admin-server.ts"
import type { Status } from "./status.ts"

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Log
const state = { ready: true, draining: false, done: [] as string[], refuse: false }

const view: AdminView = {
  ready: () => state.ready,
  draining: () => state.draining,
  metrics: () => "# TYPE a counter\na 1\n",
  status: async () => ({ name: "bothways", state: "ready" }) as unknown as Status,
  config: () => ({ workers: 1 }),
  reload: async () => {
    state.done.push("reload")
    if (state.refuse) return { ok: false, version: 1, problems: [{ message: "unknown key", where: "a.yaml:3:1", expected: "bind" }] }
    return { ok: true, version: 2, changed: true, changes: "routes: +a", warnings: [] }
  },
  drain: timeoutMs => void state.done.push(`drain ${timeoutMs}`),
  terminateWorker: index => index === 0 && state.done.push(`terminate ${index}`) > 0,
  features: [{ read: { "/extra": query => ({ status: 200, type: "text/plain", body: `extra ${query.get("a")}\n` }) } }],
  caches: {
    names: () => ["main"],
    purge: async (cache, query, soft) => {
      state.done.push(`purge ${cache} ${query.get("url")} ${soft}`)
      return query.has("url") ? { purged: 1, caches: { main: { memory: 1, disk: 0 } } } : "expected a url"
    },
    entries: async () => ({ entries: [], more: false }),
    stats: async () => ({}),
    report: async () => [],
  },
}

const local = (port = 0): AdminSettings => ({ bind: { host: "127.0.0.1", port }, token: "", hosts: [] })
let open: AdminServer
let locked: AdminServer

beforeAll(async () => {
  open = await AdminServer.start(local(), view, silent)
  locked = await AdminServer.start({ ...local(), token: "s3cret" }, view, silent)
})
afterAll(() => {
  open.close()
  locked.close()
})

const portOf = (server: AdminServer) => Number(server.address.split(":").at(-1))

/** Sends the octets as they are; the answer until the connection closes or goes quiet. */
function raw(server: AdminServer, text: string): Promise<string> {
  return new Promise(resolve => {
    let out = ""
    const socket = connect(portOf(server), "127.0.0.1", () => socket.write(text))
    socket.on("data", data => {
      out += data
    })
    socket.on("error", () => resolve(out))
    socket.on("close", () => resolve(out))
  })
}

function ask(server: AdminServer, method: string, target: string, fields: readonly string[] = [], body = ""): Promise<string> {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    "Host: localhost",
    "Connection: close",
    ...fields,
    ...(body === "" ? [] : [`Content-Length: ${body.length}`]),
  ]
  return raw(server, `${lines.join("\r\n")}\r\n\r\n${body}`)
}

const statusOf = (answer: string) => Number(answer.slice(9, 12))
const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4)

describe("admin listener", () => {
  test("healthz lives, readyz follows the workers and the drain", async () => {
    expect(bodyOf(await ask(open, "GET", "/healthz"))).toBe("ok\n")
    expect(statusOf(await ask(open, "GET", "/readyz"))).toBe(200)
    state.ready = false
    expect(statusOf(await ask(open, "GET", "/readyz"))).toBe(503)
    Object.assign(state, { ready: true, draining: true })
    expect(bodyOf(await ask(open, "GET", "/readyz"))).toBe("draining\n")
    state.draining = false
  })

  test("metrics, status, config", async () => {
    const metrics = await ask(open, "GET", "/metrics")
    expect(metrics).toContain("text/plain; version=0.0.4")
    expect(bodyOf(metrics)).toContain("a 1\n")
    expect(JSON.parse(bodyOf(await ask(open, "GET", "/status")))).toMatchObject({ name: "bothways" })
    expect(JSON.parse(bodyOf(await ask(open, "GET", "/config")))).toEqual({ workers: 1 })
    const head = await ask(open, "HEAD", "/status")
    expect(statusOf(head)).toBe(200)
    expect(bodyOf(head)).toBe("")
  })

  test("no answer can be read by another origin, cached, sniffed or framed", async () => {
    const answer = (await ask(open, "GET", "/status")).toLowerCase()
    expect(answer).not.toContain("access-control")
    for (const field of ["cache-control: no-store", "x-content-type-options: nosniff", "content-security-policy: default-src 'none'"])
      expect(answer).toContain(field)
  })

  test("changes: reload, drain, terminate; a simple form does nothing", async () => {
    state.done = []
    for (const target of ["/reload", "/drain", "/workers/0/terminate"]) {
      expect(statusOf(await ask(open, "POST", target, ["Content-Type: application/x-www-form-urlencoded"], "a=1"))).toBe(415)
      expect(statusOf(await ask(open, "GET", target, ["X-Bothways: 1"]))).toBe(405)
    }
    expect(state.done).toEqual([])
    expect(statusOf(await ask(open, "POST", "/reload", ["X-Bothways: 1"]))).toBe(200)
    expect(statusOf(await ask(open, "POST", "/drain?timeout=2s", ["Content-Type: application/json"], "{}"))).toBe(202)
    expect(statusOf(await ask(open, "POST", "/drain?timeout=soon", ["X-Bothways: 1"]))).toBe(400)
    expect(statusOf(await ask(open, "POST", "/workers/0/terminate", ["X-Bothways: 1"]))).toBe(202)
    expect(statusOf(await ask(open, "POST", "/workers/9/terminate", ["X-Bothways: 1"]))).toBe(404)
    expect(statusOf(await ask(open, "POST", "/workers/-1/terminate", ["X-Bothways: 1"]))).toBe(404)
    expect(state.done).toEqual(["reload", "drain 2000", "terminate 0"])
  })

  test("a refused config is told with place and expectation", async () => {
    state.refuse = true
    const answer = await ask(open, "POST", "/reload", ["X-Bothways: 1"])
    state.refuse = false
    expect(statusOf(answer)).toBe(422)
    expect(JSON.parse(bodyOf(answer)).problems).toEqual(["a.yaml:3:1: unknown key; expected bind"])
  })

  test("unknown paths, also those that objects have by birth", async () => {
    for (const path of ["/nothing", "/constructor", "/__proto__", "/status/", "//status"]) expect(statusOf(await ask(open, "GET", path))).toBe(404)
  })

  test("the token", async () => {
    expect(statusOf(await ask(locked, "GET", "/status"))).toBe(401)
    expect(statusOf(await ask(locked, "GET", "/status", ["Authorization: Bearer s3cret"]))).toBe(200)
    expect(statusOf(await ask(locked, "GET", "/healthz"))).toBe(200)
  })

  test("foreign host, foreign origin, two hosts, WebSocket from a foreign page", async () => {
    expect(statusOf(await raw(open, "GET /status HTTP/1.1\r\nHost: rebind.evil.test\r\nConnection: close\r\n\r\n"))).toBe(421)
    expect(statusOf(await raw(open, "GET http://evil.test/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))).toBe(421)
    expect(statusOf(await raw(open, "GET /status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n"))).toBe(400)
    expect(statusOf(await ask(open, "GET", "/status", ["Origin: http://evil.test"]))).toBe(403)
    const upgrade = [
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    expect(statusOf(await raw(open, `GET / HTTP/1.1\r\n${[...upgrade, "Origin: http://evil.test"].join("\r\n")}\r\n\r\n`))).toBe(403)
    expect(statusOf(await raw(open, `GET / HTTP/1.1\r\n${upgrade.join("\r\n")}\r\n\r\n`))).toBe(400)
  })

  test("a body without end is cut off", async () => {
    const answer = await ask(open, "POST", "/reload", ["X-Bothways: 1"], "x".repeat(70_000))
    expect(statusOf(answer)).toBe(413)
  })

  test("a taken port rejects", async () => {
    expect(AdminServer.start(local(portOf(open)), view, silent)).rejects.toThrow()
  })

  test("on a Unix socket", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bothways-admin-"))
    const path = join(directory, "admin.sock")
    const server = await AdminServer.start({ bind: { path }, token: "", hosts: [] }, view, silent)
    const answer = await new Promise<string>(resolve => {
      let out = ""
      const socket = connect(path, () => socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
      socket.on("data", data => {
        out += data
      })
      socket.on("close", () => resolve(out))
    })
    server.close()
    rmSync(directory, { recursive: true })
    expect(statusOf(answer)).toBe(200)
  })

  test("off loopback a token is required", () => {
    const off = (host: string, token = ""): string => adminBindProblem({ bind: { host, port: 1 }, token, hosts: [] })
    for (const host of ["", "0.0.0.0", "10.0.0.1", "::", "admin.test"]) expect(off(host)).toContain("admin.token")
    for (const host of ["127.0.0.1", "::1", "localhost"]) expect(off(host)).toBe("")
    expect(off("0.0.0.0", "s3cret")).toBe("")
  })
})
