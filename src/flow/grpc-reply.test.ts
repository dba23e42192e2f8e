import { describe, expect, test } from "bun:test"
import { FAULT, faults } from "../base/index.ts"
import { Fields } from "../http/index.ts"
import { Exchange } from "./exchange.ts"
import { grpcReplyLines, grpcReplyType, grpcStatusOf, grpcStatusOfFault, percentEncoded } from "./grpc-reply.ts"
import { lineValue } from "./line-value.ts"
import { localReply } from "./local-reply.ts"

function asking(type: string): Exchange {
  const x = new Exchange()
  x.method = "POST"
  x.request = Fields.of([["Content-Type", type]])
  return x
}

describe("replies to gRPC calls", () => {
  test.each([
    ["application/grpc", "application/grpc"],
    ["Application/GRPC", "application/grpc"],
    ["application/grpc+proto", "application/grpc"],
    ["application/grpc; charset=utf-8", "application/grpc"],
    ["application/grpc-web", "application/grpc-web"],
    ["application/grpc-web+proto", "application/grpc-web+proto"],
    ["application/grpc-web-text+proto; q=1", "application/grpc-web-text+proto"],
    ["application/grpcx", ""],
    ["application/grpc-webby", ""],
    ["application/grpc+a/b", ""],
    ["text/application/grpc", ""],
    ["", ""],
  ])("%s is read as %s", (type, expected) => {
    expect(grpcReplyType(asking(type))).toBe(expected)
  })

  test("a type that a filter set counts, too", () => {
    const x = asking("application/grpc-web")
    x.request.set(29, "content-type", "application/grpc")
    expect(grpcReplyType(x)).toBe("application/grpc")
  })

  test("each fault has the status that gRPC's mapping gives it", () => {
    const of = Object.fromEntries(faults.map(fault => [fault.code, grpcStatusOfFault(fault)]))
    expect(of).toMatchObject({
      "client.malformed": 13,
      "proxy.login-required": 16,
      "proxy.auth-required": 2,
      "proxy.forbidden": 7,
      "proxy.no-route": 12,
      "client.body-too-large": 8,
      "client.fields-too-large": 8,
      "client.body-timeout": 2,
      "proxy.no-peer": 14,
      "upstream.connect-refused": 14,
      "upstream.connect-timeout": 14,
      "proxy.request-timeout": 4,
      "upstream.head-timeout": 4,
      "proxy.internal": 2,
    })
  })

  test("a reply has the status in its head, HTTP's 200 and no body", () => {
    const x = asking("application/grpc+proto")
    x.replyFields = "WWW-Authenticate: Basic\r\n"
    localReply(x, FAULT.loginRequired)
    expect([x.status, x.localBody, x.responseLength]).toEqual([200, null, 0])
    expect(x.response.extra.replace(/^Date: [^\r]*\r\n/, "")).toBe(
      "Content-Type: application/grpc\r\ngrpc-status: 16\r\n" +
        "grpc-message: proxy.login-required: The site wants to know who asks (RFC 9110 section 15.5.2).\r\nWWW-Authenticate: Basic\r\n",
    )
    expect(grpcStatusOf(x)).toBe(16)
  })

  test("no reply breaks its own line", () => {
    for (const fault of faults) expect(grpcReplyLines("application/grpc", fault)).toMatch(/^(?:[\w-]+: [\x20-\x7e]+\r\n){3}$/)
  })

  test("messages are percent-encoded", () => {
    expect(percentEncoded("plain text, ~!")).toBe("plain text, ~!")
    expect(percentEncoded("100%\r\n☺")).toBe("100%25%0D%0A%E2%98%BA")
  })
})

describe("the status of a call", () => {
  test("is read from trailers first, then from a head without a body", () => {
    const x = asking("application/grpc")
    x.response = Fields.of([["grpc-status", "5"]])
    expect(grpcStatusOf(x)).toBe(5)
    x.responseBytes = 1
    expect(grpcStatusOf(x)).toBe(-1)
    x.pump.responseTrailers = "a: b\r\nGrpc-Status:  0\r\n"
    expect(grpcStatusOf(x)).toBe(0)
    x.pump.responseTrailers = "grpc-status: x\r\n"
    expect(grpcStatusOf(x)).toBe(-1)
  })

  test("other methods have none", () => {
    const x = asking("application/grpc")
    x.method = "GET"
    x.response = Fields.of([["grpc-status", "5"]])
    expect(grpcStatusOf(x)).toBe(-1)
  })
})

test("a value among ready-made lines", () => {
  const lines = "X-A: 1\r\nX-AB: 2\r\nx-a: 3\r\nempty:\r\n"
  expect(["x-a", "x-ab", "empty", "x", "x-abc"].map(name => lineValue(lines, name))).toEqual(["1", "2", "", "", ""])
  expect(lineValue("no end: 1", "no end")).toBe("")
})
