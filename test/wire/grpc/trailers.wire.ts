import { describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { until } from "../../support/wait.ts"

const call = { ":method": "POST", ":path": "/s/M", "content-type": "application/grpc", te: "trailers" }
const type = { "content-type": "application/grpc" }

/** What a gRPC client gets through the proxy of an origin that does `script`. */
async function through(script: Parameters<typeof h2Origin>[0] & object) {
  const port = await freePort()
  await using origin = await h2Origin(script)
  await using proxy = await startBothways(reverseConfig(port, origin.address, { cluster: { protocol: "http2" } }))
  using client = await rawH2Client(port)
  const id = client.request(call, { body: "\0\0\0\0\0" })
  const answer = await client.response(id).catch(error => error as Error)
  const line = await until(() => proxy.log()[0])
  return { answer, line, te: origin.requests[0]!.headers.te, frames: client.frames.filter(frame => frame.streamId === id) }
}

// O-44
describe("trailers of a gRPC answer", () => {
  test("behind a body, not announced", async () => {
    const { answer, line, te } = await through({
      script: exchange => {
        exchange.head(200, type)
        exchange.data("\0\0\0\0\0")
        exchange.sendTrailers({ "grpc-status": "0" })
      },
    })
    expect(te).toBe("trailers")
    expect(answer).toMatchObject({ status: 200, body: "\0\0\0\0\0", trailers: { "grpc-status": "0" }, ended: true })
    expect(line).toMatchObject({ status: 200, grpcStatus: 0 })
  })
  test("all of the answer: one HEADERS frame, and the message as it came", async () => {
    const { answer, line, frames } = await through({
      script: exchange => exchange.head(200, { ...type, "grpc-status": "5", "grpc-message": "x%20y" }, { end: true }),
    })
    expect(answer).toMatchObject({ headers: { "grpc-status": "5", "grpc-message": "x%20y" }, body: "", trailers: null, ended: true })
    expect(frames.filter(frame => frame.type === 0)).toEqual([])
    expect(line).toMatchObject({ grpcStatus: 5 })
  })
  test("behind a head and no body", async () => {
    const { answer } = await through({
      script: exchange => {
        exchange.head(200, type)
        exchange.sendTrailers({ "grpc-status": "5", "grpc-message": "x%20y" })
      },
    })
    expect(answer).toMatchObject({ body: "", trailers: { "grpc-status": "5", "grpc-message": "x%20y" } })
  })
  test("a reset in place of them is no success", async () => {
    const { answer, line } = await through({
      script: exchange => {
        exchange.head(200, type)
        exchange.data("\0\0\0\0\0")
        exchange.reset()
      },
    })
    // INTERNAL_ERROR is gRPC's status 13.
    expect(answer).toMatchObject({ resetCode: 2, ended: false, trailers: null })
    expect(line).toMatchObject({ fault: "upstream.truncated" })
  })
})
