import { status } from "@grpc/grpc-js"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { GrpcClient } from "../../support/grpc/grpc-client.ts"
import { startGrpcServer } from "../../support/grpc/grpc-server.ts"
import { interopMethods as methods, methodOf } from "../../support/grpc/interop-service.ts"
import { emptyMessage, simpleRequest } from "../../support/grpc/interop-messages.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const [port, dead] = [await freePort(), await freePort()]
const server = await startGrpcServer()
const silent = await scriptedServer(async connection => void (await connection.ended()))
const to = (path: string, cluster: string, more: object = {}) => ({ match: { path: `/${path}/*` }, to: { cluster }, ...more })
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: {
    live: { peers: [server.address], protocol: "http2" },
    refusing: { peers: [`127.0.0.1:${dead}`], protocol: "http2" },
    nobody: { peers: [{ address: `127.0.0.1:${dead}`, weight: 0 }], protocol: "http2", allDown: "fail" },
    silent: { peers: [silent.address], protocol: "http2" },
  },
  routes: [
    to("refused", "refusing"),
    to("nobody", "nobody"),
    to("slow", "silent", { timeouts: { request: "50ms" } }),
    to("headless", "silent", { timeouts: { head: "50ms" }, retry: { attempts: 1 } }),
    to("grpc.testing.TestService", "live", { bodyBytesMax: 1000 }),
  ],
})
const client = new GrpcClient(`127.0.0.1:${port}`)
afterAll(async () => {
  client[Symbol.dispose]()
  await proxy.stop()
  await server[Symbol.asyncDispose]()
  await silent[Symbol.asyncDispose]()
})

describe("faults of the proxy reach a gRPC client as a status of gRPC", () => {
  test.each([
    ["refused", status.UNAVAILABLE, "upstream.connect-refused"],
    ["nobody", status.UNAVAILABLE, "proxy.no-peer"],
    ["slow", status.DEADLINE_EXCEEDED, "proxy.request-timeout"],
    ["headless", status.DEADLINE_EXCEEDED, "upstream.head-timeout"],
    ["elsewhere", status.UNIMPLEMENTED, "proxy.no-route"],
  ])("%s", async (path, code, fault) => {
    const outcome = await client.call(methodOf(`/${path}/Call`, emptyMessage, emptyMessage), { messages: [{}] })
    expect([outcome.code, outcome.details.split(": ")[0]]).toEqual([code, fault])
    const line = await until(() => proxy.log().find(entry => entry.target === `/${path}/Call`))
    expect(line).toMatchObject({ status: 200, grpcStatus: code, fault })
  })

  test("a message over bodyBytesMax, with and without a length", async () => {
    const outcome = await client.call(methods.UnaryCall, { messages: [{ sizes: [1], payload: 5000 }] })
    expect([outcome.code, outcome.details.split(": ")[0]]).toEqual([status.RESOURCE_EXHAUSTED, "client.body-too-large"])
    using raw = await rawClient(port)
    raw.send(`POST ${methods.UnaryCall.path} HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/grpc\r\nContent-Length: 5000\r\n\r\n`)
    const { status: http, fields, body } = await raw.response()
    expect([http, fields["grpc-status"], fields["content-type"], body]).toEqual([200, "8", "application/grpc", ""])
  })

  test("in HTTP/2 the answer is one HEADERS frame that ends the stream", async () => {
    using raw = await rawH2Client(port)
    const id = raw.request({ ":method": "POST", ":path": "/elsewhere/Call", "content-type": "application/grpc+proto", te: "trailers" })
    const { headers, body, trailers } = await raw.response(id)
    expect(headers).toMatchObject({ ":status": "200", "content-type": "application/grpc", "grpc-status": "12" })
    expect([body, trailers]).toEqual(["", null])
    expect(raw.frames.filter(frame => frame.streamId === id).map(frame => [frame.type, frame.flags & 1])).toEqual([[1, 1]])
  })

  test("who is no gRPC client gets HTTP's status", async () => {
    using raw = await rawH2Client(port)
    const answer = await raw.response(raw.request({ ":method": "POST", ":path": "/elsewhere/Call", "content-type": "application/json" }))
    expect([answer.status, answer.headers["grpc-status"]]).toEqual([404, undefined])
  })
})

test("the log says how a call ended by its server's word", async () => {
  const request = { sizes: [1], payload: 1, status: { code: status.NOT_FOUND, message: "no such thing" } }
  await client.call(methods.UnaryCall, { messages: [request] })
  await client.call(methodOf("/grpc.testing.TestService/UnaryCall", simpleRequest, emptyMessage), { messages: [{ sizes: [0], payload: 0 }] })
  await until(() => [status.NOT_FOUND, status.OK].every(code => proxy.log().some(line => line.grpcStatus === code && line.fault === undefined)))
})
