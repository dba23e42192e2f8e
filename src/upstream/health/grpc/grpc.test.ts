import { afterAll, describe, expect, test } from "bun:test"
import { Authority } from "../../../../test/support/certificates.ts"
import { type GrpcServer, startGrpcServer } from "../../../../test/support/grpc/grpc-server.ts"
import { healthService } from "../../../../test/support/grpc/health-service.ts"
import { h2Origin, type H2Script } from "../../../../test/support/h2/h2-origin.ts"
import { scriptedServer } from "../../../../test/support/scripted-server.ts"
import type { HealthTarget } from "../../../plugin/index.ts"
import grpc from "./grpc.ts"
import { healthRequest, healthStatus } from "./health-messages.ts"

const services = [healthService({ "": 1, up: 1, down: 2, unsure: 0, odd: 3 })]

const authority = new Authority()
const certificate = authority.issue(["health.test"])
const servers: AsyncDisposable[] = []
const kept = <T extends AsyncDisposable>(server: T): T => {
  servers.push(server)
  return server
}
afterAll(() => Promise.all(servers.map(server => server[Symbol.asyncDispose]())))
const healthy: GrpcServer = kept(await startGrpcServer({ services }))

function probe(server: { port: number }, options: object = {}, more: Partial<HealthTarget> = {}, timeoutMs = 2000): Promise<string | null> {
  return grpc.probe({ address: "127.0.0.1", port: server.port, tls: null, ...more }, grpc.options.parse(options), timeoutMs)
}

async function probeScript(script: H2Script, timeoutMs = 2000): Promise<string | null> {
  await using origin = await h2Origin({ script })
  return await probe(origin, {}, {}, timeoutMs)
}

describe("grpc health check", () => {
  test.each([
    ["", null],
    ["up", null],
    ["down", "NOT_SERVING"],
    ["unsure", "UNKNOWN"],
    ["odd", "SERVICE_UNKNOWN"],
    ["none", "the peer does not know the service (grpc-status 5)"],
  ])("service %j: %p", async (service, outcome) => {
    expect(await probe(healthy, { service })).toBe(outcome)
  })

  test("a server without a health service has failed", async () => {
    const server = kept(await startGrpcServer())
    expect(await probe(server)).toBe("the peer has no health service (grpc-status 12)")
  })

  test("over TLS, the certificate and its name checked", async () => {
    const server = kept(await startGrpcServer({ services, certificate }))
    const tls = { serverName: "health.test", verify: true, ca: authority.ca.cert }
    expect(await probe(server, {}, { tls })).toBeNull()
    expect(await probe(server, { service: "down" }, { tls })).toBe("NOT_SERVING")
    expect(await probe(server, {}, { tls: { ...tls, serverName: "other.test" } })).toMatch(/altname|does not match|hostname/i)
    expect(await probe(server, {}, { tls: { serverName: "health.test", verify: true } })).toMatch(/verify|self.signed|issuer/i)
  })

  test("what the peer is asked", async () => {
    await using origin = await h2Origin({ script: exchange => exchange.head(200, { "grpc-status": "12" }, { end: true }) })
    await probe(origin, { service: "up" })
    await probe(origin, { host: "inner.test" }, { host: "shop.test" })
    await probe(origin, {}, { host: "shop.test" })
    expect(origin.requests.map(request => request.headers[":authority"])).toEqual([
      `127.0.0.1:${origin.port}`,
      "inner.test",
      `shop.test:${origin.port}`,
    ])
    const [first] = origin.requests
    expect(first!.headers).toMatchObject({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      ":scheme": "http",
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": "2000m",
    })
    expect(await first!.body()).toBe("\0\0\0\0\x04\x0a\x02up")
  })

  test("answers that are none", async () => {
    const type = { "content-type": "application/grpc" }
    expect(await probeScript(exchange => exchange.respond(503, "busy"))).toBe("status 503, expected 200")
    expect(await probeScript(exchange => exchange.respond(200, "\0\0\0\0\0", type))).toBe("the peer ended the call without a status")
    expect(await probeScript(exchange => exchange.respond(200, "\x01\0\0\0\0", type, { "grpc-status": "0" }))).toBe(
      "the answer is no HealthCheckResponse",
    )
    expect(await probeScript(exchange => exchange.respond(200, "x".repeat(5000), type, { "grpc-status": "0" }))).toBeString()
    expect(await probeScript(exchange => exchange.reset())).toBeString()
    expect(await probeScript(exchange => exchange.connection.destroy())).toBeString()
    expect(await probeScript(() => {}, 80)).toBe("no whole answer within 80ms")
  })

  test("a peer that is not there, or speaks something else", async () => {
    const http1 = kept(await scriptedServer(async connection => void connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")))
    expect(await probe(http1, {}, {}, 300)).toBeString()
    const old = kept(await scriptedServer(async () => {}, { tls: { cert: certificate.cert, key: certificate.key } }))
    expect(await probe(old, {}, { tls: { serverName: "health.test", verify: false } }, 300)).toBeString()
    const gone = await scriptedServer(async () => {})
    const { port } = gone
    await gone.close()
    expect(await probe({ port })).toBe("the peer refused the connection")
    expect(await probe(healthy, {}, { address: "unix:/nowhere/peer.sock", port: 0 })).toBe("there is no such Unix socket")
    expect(await probe({ port: 1 }, { port: healthy.port })).toBeNull()
  })
})

test("messages", () => {
  expect(healthRequest("")).toEqual(Buffer.from([0, 0, 0, 0, 0]))
  const long = healthRequest("s".repeat(300))
  expect([...long.subarray(0, 8)]).toEqual([0, 0, 0, 1, 47, 0x0a, 0xac, 0x02])
  expect(healthStatus(Buffer.from([0, 0, 0, 0, 0]))).toBe("UNKNOWN")
  for (const octets of [[], [0, 0, 0, 0, 2, 8], [1, 0, 0, 0, 2, 8, 1], [0, 0, 0, 0, 2, 8, 9], [0, 0, 0, 0, 2, 16, 1]])
    expect(healthStatus(Buffer.from(octets))).toBeNull()
})
