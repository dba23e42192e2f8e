import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Authority } from "../../../../test/support/certificates.ts"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { type Script, type ScriptedServer, type ScriptedServerOptions, scriptedServer } from "../../../../test/support/scripted-server.ts"
import type { HealthTarget } from "../../../plugin/index.ts"
import http from "./http.ts"

const servers: ScriptedServer[] = []
afterAll(() => Promise.all(servers.map(server => server.close())))

async function serve(script: Script | string, options: ScriptedServerOptions = {}) {
  const server = await scriptedServer(script, options)
  servers.push(server)
  return server
}

function probe(target: Partial<HealthTarget>, settings: Record<string, unknown> = {}, timeoutMs = 1_000) {
  return http.probe({ address: "127.0.0.1", port: 1, tls: null, ...target }, http.options.parse(settings), timeoutMs)
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

describe("http health check", () => {
  test("asks for the path and is content with a status of the set", async () => {
    const server = await serve(ok)
    expect(await probe({ port: server.port, host: "shop.test" }, { path: "/healthz?deep=1" })).toBeNull()
    expect(server.received).toBe(
      `GET /healthz?deep=1 HTTP/1.1\r\nHost: shop.test:${server.port}\r\nUser-Agent: bothways-health\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
    )
  })

  test("Host may be said", async () => {
    const server = await serve(ok)
    expect(await probe({ port: server.port }, { host: "internal.test" })).toBeNull()
    expect(server.received).toContain("\r\nHost: internal.test\r\n")
  })

  test("the status decides", async () => {
    const server = await serve("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 900\r\n\r\n")
    expect(await probe({ port: server.port })).toBe("status 503, expected 200-399")
    expect(await probe({ port: server.port }, { status: [200, "500-503"] }, 50)).toBe("no whole answer within 50ms")
    const moved = await serve("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    expect(await probe({ port: moved.port })).toBeNull()
    expect(await probe({ port: moved.port }, { status: ["200-299", 304] })).toBe("status 302, expected 200-299, 304")
  })

  test("O-33 e: the timeout is for the last octet of a slow answer too", async () => {
    const server = await serve(async connection => {
      await connection.request()
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
      for (let octet = 0; octet < 1_000 && connection.ending === "open"; octet++) {
        connection.send("x")
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    })
    const startedAt = performance.now()
    expect(await probe({ port: server.port }, {}, 150)).toBe("no whole answer within 150ms")
    expect(performance.now() - startedAt).toBeLessThan(400)
  })

  test("a peer that says nothing, leaves, resets or is not there has failed", async () => {
    const silent = await serve(async () => {})
    expect(await probe({ port: silent.port }, {}, 60)).toBe("no whole answer within 60ms")
    const leaving = await serve(async connection => {
      await connection.request()
      connection.fin()
    })
    expect(await probe({ port: leaving.port })).toBe("the peer closed the connection before it answered")
    const cutting = await serve(async connection => {
      await connection.request()
      connection.reset()
    })
    expect(await probe({ port: cutting.port })).toMatch(/^the peer (?:reset|closed) the connection/)
    const gone = await scriptedServer(ok)
    const { port } = gone
    await gone.close()
    expect(await probe({ port })).toBe("the peer refused the connection")
  })

  test("a body without length ends with the connection", async () => {
    const server = await serve(async connection => {
      await connection.request()
      connection.send("HTTP/1.0 200 OK\r\n\r\nfine")
      connection.fin()
    })
    expect(await probe({ port: server.port })).toBeNull()
  })

  test("over a Unix socket", async () => {
    const path = join(temporaryFolder("health"), "peer.sock")
    const server = await serve(ok, { path })
    expect(await probe({ address: `unix:${path}`, port: 0 })).toBeNull()
    expect(server.received).toContain("\r\nHost: localhost\r\n")
    expect(await probe({ address: `unix:${path}.gone`, port: 0 })).toBe("there is no such Unix socket")
  })

  test("another port may be probed", async () => {
    const server = await serve(ok)
    expect(await probe({ port: 1 }, { port: server.port })).toBeNull()
  })

  test("TLS peers over TLS, the certificate and its name checked", async () => {
    const authority = new Authority()
    const leaf = authority.issue(["shop.test"])
    const server = await serve(ok, { tls: { cert: leaf.cert, key: leaf.key } })
    const tls = { serverName: "shop.test", verify: true, ca: authority.ca.cert }
    expect(await probe({ port: server.port, host: "shop.test", tls })).toBeNull()
    expect(await probe({ port: server.port, tls: { ...tls, serverName: "other.test" } })).toMatch(/altname|does not match|hostname/i)
    expect(await probe({ port: server.port, tls: { serverName: "shop.test", verify: true } })).toMatch(/verify|self.signed|issuer/i)
    expect(await probe({ port: server.port, tls: { serverName: "other.test", verify: false } })).toBeNull()
  })

  test("TLS towards a peer that does not speak it has failed", async () => {
    const server = await serve("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    expect(await probe({ port: server.port, tls: { serverName: "shop.test", verify: false } }, {}, 300)).toBeString()
  })

  test("options: defaults, and what they refuse", () => {
    expect(http.options.parse(undefined)).toEqual({ path: "/", status: [[200, 399]] })
    const bad = [
      { path: "healthz" },
      { path: "/a b" },
      { path: "/a\r\nX: y" },
      { host: "a\r\nX: y" },
      { status: [] },
      { status: ["399-200"] },
      { status: [700] },
      { port: 0 },
      { method: "HEAD" },
    ]
    for (const settings of bad) expect(http.options.safeParse(settings).success).toBe(false)
  })
})
