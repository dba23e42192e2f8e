import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// RFC 9112 section 8: a part must look like one, and nothing may stand behind it.
const port = await freePort()
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
const LENGTH = `HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${"x".repeat(40)}`
const scripts: Record<string, { answer: string; then: "reset" | "fin" | "silence" }> = {
  "/a": { answer: CHUNKED, then: "reset" },
  "/b": { answer: CHUNKED, then: "fin" },
  "/c": { answer: LENGTH, then: "fin" },
  "/d": { answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", then: "reset" },
  "/e-chunked": { answer: CHUNKED, then: "silence" },
  "/e-length": { answer: LENGTH, then: "silence" },
}
const upstream = await scriptedServer(async (connection: RawSocket) => {
  const { start } = await connection.request(60_000)
  const { answer, then } = scripts[start.split(" ")[1]!]!
  connection.send(answer)
  if (then === "silence") await connection.toEnd(10_000)
  // The octets before a reset must have a chance to be read.
  else await until(() => delivered >= 1, 5000, "what was sent at the client")
  if (then === "fin") connection.fin()
  else if (then === "reset") connection.reset()
})
let delivered = 0
const proxy = await startBothways(reverseConfig(port, upstream.address, { cluster: { timeouts: { idle: "500ms" } } }))
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

async function cut(path: string, expected: string, fault: string): Promise<void> {
  delivered = 0
  using client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`)
  const head = await client.head()
  expect(head).toStartWith("HTTP/1.1 200 OK\r\n")
  const before = expected === "" ? "" : await client.bytes(expected.length)
  delivered = 1
  expect(before + (await client.toEnd())).toBe(expected)
  await until(() => proxy.log().some(line => line.target === path && line.fault === fault), 3000, `a line with ${fault}`)
}

describe("O-05 an upstream that dies in the middle of a body", () => {
  test("a: chunked and a reset: no last chunk", () => cut("/a", "5\r\nhello\r\n", "upstream.truncated"))
  test("b: chunked and a FIN: no last chunk", () => cut("/b", "5\r\nhello\r\n", "upstream.truncated"))
  test("c: a length that is not reached", () => cut("/c", "x".repeat(40), "upstream.truncated"))
  test("d: a head and a reset: no body, no other answer appended", () => cut("/d", "", "upstream.truncated"))
  test("e: our own timeout cuts in the same way", async () => {
    await cut("/e-chunked", "5\r\nhello\r\n", "upstream.idle-timeout")
    await cut("/e-length", "x".repeat(40), "upstream.idle-timeout")
  })
})
