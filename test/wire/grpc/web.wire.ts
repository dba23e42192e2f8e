import { type handleServerStreamingCall, Metadata, status } from "@grpc/grpc-js"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { startGrpcServer } from "../../support/grpc/grpc-server.ts"
import { overFetch, overHttp2, WebCall } from "../../support/grpc/grpc-web-client.ts"
import { emptyMessage, payloadMessage, simpleRequest, streamingRequest } from "../../support/grpc/interop-messages.ts"
import { interopMethods as methods, methodOf } from "../../support/grpc/interop-service.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

const word = { encode: (text: string) => Buffer.from(text), decode: (octets: Buffer) => octets.toString() }
const Tick = methodOf("/clock/Tick", emptyMessage, word, { responseStream: true })
let tick = (_: string | null): void => {}
const onTick: handleServerStreamingCall<object, string> = call => {
  const trailing = new Metadata()
  trailing.set("x-Ticks", "done")
  tick = text => (text === null ? call.end(trailing) : call.write(text))
}

const [port, dead] = [await freePort(), await freePort()]
const server = await startGrpcServer()
const clock = await startGrpcServer({ services: [[{ Tick }, { Tick: onTick }]] })
const web = { filters: ["grpc-web"] }
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: {
    a: { peers: [server.address], protocol: "http2" },
    clock: { peers: [clock.address], protocol: "http2" },
    dead: { peers: [`127.0.0.1:${dead}`], protocol: "http2" },
  },
  routes: [
    { match: { path: "/grpc.testing.TestService/*" }, ...web, to: { cluster: "a" } },
    { match: { path: "/clock/*" }, ...web, to: { cluster: "clock" } },
    { match: { path: "/dead/*" }, ...web, to: { cluster: "dead" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await server[Symbol.asyncDispose]()
  await clock[Symbol.asyncDispose]()
})

const ways = [
  ["octets over HTTP/1.1", overFetch(port), false],
  ["text over HTTP/1.1", overFetch(port), true],
  ["octets over HTTP/2", overHttp2(port), false],
  ["text over HTTP/2", overHttp2(port), true],
] as const

describe.each(ways)("gRPC-Web, %s", (_, transport, text) => {
  const type = `application/grpc-web${text ? "-text" : ""}+proto`

  test("a unary call, large both ways", async () => {
    const call = await WebCall.start(transport, methods.UnaryCall.path, simpleRequest.encode({ sizes: [314_159], payload: 271_828 }), text)
    expect([call.status, call.fields["content-type"]]).toEqual([200, type])
    const { messages, trailers } = await call.whole()
    expect(messages.map(payloadMessage.decode)).toEqual([314_159])
    expect(trailers).toMatchObject({ "grpc-status": "0" })
  })

  test("a stream from the server, whole", async () => {
    const sizes = [31_415, 9, 2653, 58_979]
    const call = await WebCall.start(transport, methods.StreamingOutputCall.path, streamingRequest.encode({ sizes, payload: 0 }), text)
    const { messages, trailers } = await call.whole()
    expect(messages.map(payloadMessage.decode)).toEqual(sizes)
    expect(trailers).toMatchObject({ "grpc-status": "0" })
  })

  test("a stream from the server: each message when it comes, whatever its length", async () => {
    // The head of an answer may leave with its first message.
    const before = tick
    const starting = WebCall.start(transport, Tick.path, Buffer.alloc(0), text)
    await until(() => tick !== before)
    tick("a")
    const frames = (await starting).frames()
    const next = async () => (await frames.next()).value!
    expect(await next()).toMatchObject({ trailers: false, octets: Buffer.from("a") })
    for (const message of ["bb", "ccc", "", "dddd"]) {
      tick(message)
      expect((await next()).octets.toString()).toBe(message)
    }
    tick(null)
    const last = await next()
    expect([last.trailers, last.octets.toString()]).toEqual([true, expect.stringMatching(/^(?=.*grpc-status: 0\r\n)(?=.*x-ticks: done\r\n)/s)])
    expect((await frames.next()).done).toBeTrue()
  })

  test("errors of the peer, messages untouched", async () => {
    const request = { sizes: [0], payload: 0, status: { code: status.NOT_FOUND, message: "no such ☺" } }
    const { messages, trailers } = await (await WebCall.start(transport, methods.UnaryCall.path, simpleRequest.encode(request), text)).whole()
    expect([messages, trailers["grpc-status"], decodeURIComponent(trailers["grpc-message"]!)]).toEqual([[], "5", "no such ☺"])
  })

  test("faults of the proxy, in the head", async () => {
    const expected: [path: string, code: string, type: string, fault: string][] = [
      ["/dead/M", "14", type, "upstream.connect-refused"],
      ["/nowhere/M", "12", type, "proxy.no-route"],
    ]
    for (const [path, code, answered, fault] of expected) {
      const call = await WebCall.start(transport, path, Buffer.alloc(0), text)
      const { messages, trailers } = await call.whole()
      expect([call.status, call.fields["content-type"], call.fields["grpc-status"], messages.length]).toEqual([200, answered, code, 0])
      expect(trailers["grpc-message"]).toStartWith(fault)
    }
  })
})

test("text in chunks of any length; what is no base64 is refused", async () => {
  const octets = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), simpleRequest.encode({ sizes: [1], payload: 1 })])
  octets[4] = octets.length - 5
  const head = `POST ${methods.UnaryCall.path} HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/grpc-web-text\r\nTransfer-Encoding: chunked\r\n\r\n`
  using good = await rawClient(port)
  good.send(head)
  for (const one of octets.toString("base64")) good.send(`1\r\n${one}\r\n`)
  good.send("0\r\n\r\n")
  const answer = await good.response()
  expect([answer.status, answer.fields["content-type"]]).toEqual([200, "application/grpc-web-text+proto"])
  using bad = await rawClient(port)
  bad.send(`${head}4\r\nA*AA\r\n`)
  expect((await bad.response()).fields).toMatchObject({ "grpc-status": "13", "content-type": "application/grpc-web-text" })
  await until(() => proxy.log().some(line => line.fault === "client.malformed" && line.grpcStatus === 13))
})

test("the log says how a call ended, and what the client was sent", async () => {
  const seen = proxy.log().length
  const call = await WebCall.start(overFetch(port), methods.EmptyCall.path, Buffer.alloc(0), true)
  let length = 0
  for await (const chunk of call["body"]) length += chunk.length
  const line = await until(() => proxy.log()[seen])
  expect(line).toMatchObject({ status: 200, grpcStatus: 0, requestBytes: 8, responseBytes: length })
})
