import { credentials } from "@grpc/grpc-js"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { GrpcClient } from "../../support/grpc/grpc-client.ts"
import { startGrpcServer } from "../../support/grpc/grpc-server.ts"
import { interopMethods } from "../../support/grpc/interop-service.ts"
import { freePorts } from "../../support/ports.ts"
import { until } from "../../support/wait.ts"
import { interopCases } from "./interop-cases.ts"

const authority = new Authority()
const certificate = authority.issue(["localhost", "127.0.0.1"])
const [plainPort, securePort] = await freePorts(2)
const plainServer = await startGrpcServer()
const secureServer = await startGrpcServer({ certificate })
const proxy = await startBothways({
  listeners: {
    plain: { bind: `127.0.0.1:${plainPort}` },
    secure: { bind: `127.0.0.1:${securePort}`, tls: { certificates: [{ cert: certificate.certFile, key: certificate.keyFile }] } },
  },
  clusters: {
    plain: { peers: [plainServer.address], protocol: "http2" },
    secure: { peers: [secureServer.address], protocol: "http2", tls: { serverName: "localhost", ca: authority.ca.certFile } },
  },
  routes: [
    { match: { listener: "plain" }, to: { cluster: "plain" } },
    { match: { listener: "secure" }, to: { cluster: "secure" } },
  ],
})
const plain = new GrpcClient(`127.0.0.1:${plainPort}`)
const secure = new GrpcClient(`localhost:${securePort}`, credentials.createSsl(Buffer.from(authority.ca.cert)))
afterAll(async () => {
  plain[Symbol.dispose]()
  secure[Symbol.dispose]()
  await proxy.stop()
  await plainServer[Symbol.asyncDispose]()
  await secureServer[Symbol.asyncDispose]()
})

describe.each([
  ["h2c on both sides", plain],
  ["TLS on both sides", secure],
])("gRPC interop, %s", (_, client) => {
  test.each(Object.entries(interopCases))("%s", (_name, run) => run(client))
})

test("a call that its client gives up ends at the server, too", async () => {
  const before = plainServer.cancelled
  const messages = [{ sizes: [1], payload: 1 }]
  await plain.call(interopMethods.FullDuplexCall, { messages, keepOpen: true, cancelAfter: 1 })
  expect(await until(() => plainServer.cancelled > before)).toBeTrue()
})
