import { status } from "@grpc/grpc-js"
import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { GrpcClient } from "../../support/grpc/grpc-client.ts"
import { emptyMessage } from "../../support/grpc/interop-messages.ts"
import { methodOf } from "../../support/grpc/interop-service.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { until } from "../../support/wait.ts"

// An origin that takes calls and never answers.
const port = await freePort()
const origin = await h2Origin({ script: () => {} })
const routes = [
  { match: { path: "/max/*" }, filters: [{ grpc: { deadlineMax: "100ms" } }], to: { cluster: "a" } },
  { match: {}, filters: ["grpc"], to: { cluster: "a" } },
]
const proxy = await startBothways(reverseConfig(port, origin.address, { cluster: { protocol: "http2" }, routes }))
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

test("a call whose client has forgotten its own deadline ends a moment behind it, here and at the peer", async () => {
  using client = await rawH2Client(port)
  const start = performance.now()
  const head = { ":method": "POST", ":path": "/own/M", "content-type": "application/grpc", te: "trailers", "grpc-timeout": "200m" }
  const answer = await client.response(client.request(head, { body: "\0\0\0\0\0" }))
  expect(answer.headers).toMatchObject({ ":status": "200", "grpc-status": "4" })
  // Late by the filter's 50 ms and up to a tick of the wheel; more on a busy machine.
  expect(performance.now() - start).toBeWithin(200, 1500)
  const asked = origin.requests.find(request => request.path === "/own/M")!
  expect(asked.headers["grpc-timeout"]).toBe("200m")
  await until(() => asked.stream.resetCode !== null)
  expect(await until(() => proxy.log().find(line => line.target === "/own/M"))).toMatchObject({ fault: "proxy.request-timeout", grpcStatus: 4 })
})

test("deadlineMax ends a call whose client would wait for ever, and the peer is told", async () => {
  using client = new GrpcClient(`127.0.0.1:${port}`)
  const outcome = await client.call(methodOf("/max/M", emptyMessage, emptyMessage), { messages: [{}] })
  expect([outcome.code, outcome.details.split(": ")[0]]).toEqual([status.DEADLINE_EXCEEDED, "proxy.request-timeout"])
  expect(origin.requests.find(request => request.path === "/max/M")!.headers["grpc-timeout"]).toBe("100m")
})
