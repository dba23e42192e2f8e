import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

const zeros = Buffer.alloc(8 * 1024 * 1024)
const bodies: Record<string, [coding: string, body: string]> = {
  "/gzip": ["gzip", gzipSync(zeros).toString("latin1")],
  "/br": ["br", brotliCompressSync(zeros).toString("latin1")],
  "/zstd": ["zstd", zstdCompressSync(zeros).toString("latin1")],
  "/nested": [Array(20).fill("gzip").join(", "), gzipSync("x").toString("latin1")],
  "/cut": ["gzip", gzipSync(zeros).toString("latin1").slice(0, 100)],
  "/false": ["gzip", "this is not gzip"],
}
const port = await freePort()
const upstream = await recorder(request => {
  const [coding, body] = bodies[request.start.split(" ")[1]!]!
  return `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
})
const proxy = await startBothways(reverseConfig(port, upstream.address, { listener: { limits: { bodyBytesMax: "64KB" } } }))
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

describe("O-45 f: without inspection a body is octets", () => {
  for (const [path, [coding, body]] of Object.entries(bodies)) {
    test(`${path.slice(1)} passes untouched both ways, whatever it would expand to`, async () => {
      upstream.requests.length = 0
      using client = await rawClient(port)
      client.send(`POST ${path} HTTP/1.1\r\nHost: app.test\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`)
      client.send(body)
      const response = await client.response()
      expect([response.status, response.fields["content-encoding"], response.body === body]).toEqual([200, coding, true])
      expect([upstream.requests[0]?.fields["content-encoding"], upstream.requests[0]?.body === body]).toEqual([coding, true])
    })
  }
})
