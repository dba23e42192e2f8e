import { afterAll, describe, expect, test } from "bun:test"
import { connect } from "node:http2"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

// O-47 for the limits of one route: each ends in its own status, over HTTP/1.1 and HTTP/2, and what is within the limits passes whole.

const port = await freePort()
const upstream = await recorder()
const limits = { headBytesMax: "32KB", fieldsMax: 40, targetBytesMax: "8KB", parametersMax: 10, bodyBytesMax: "64KB" }
const proxy = await startBothways(
  reverseConfig(port, upstream.address, {
    listener: { limits: { headBytesMax: "128KB", fieldsMax: 2500, targetBytesMax: "64KB" } },
    route: { filters: [{ "request-size": limits }] },
  }),
)
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const KB = 1024

async function http1(target: string, fields = "", body = ""): Promise<number> {
  using client = await rawClient(port)
  client.send(`${body === "" ? "GET" : "POST"} ${target} HTTP/1.1\r\nHost: app.test\r\n${fields}\r\n${body}`)
  return (await client.response()).status
}

function http2(headers: Record<string, string>, body: Buffer | null = null): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: 512 * KB })
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": "/", ":method": body === null ? "GET" : "POST", ...headers })
    stream.on("response", answer => {
      resolve(answer[":status"] as number)
      stream.destroy()
      session.destroy()
    })
    stream.on("error", reject)
    stream.end(body ?? undefined)
  })
}

describe("request-size", () => {
  test("HTTP/1.1", async () => {
    expect(await http1("/", `Cookie: ${"c".repeat(30 * KB)}\r\n`)).toBe(200)
    expect(await http1("/", `Cookie: ${"c".repeat(70 * KB)}\r\n`)).toBe(431)
    expect(await http1("/", "A: 1\r\n".repeat(2000))).toBe(431)
    expect(await http1(`/${"p".repeat(9 * KB)}`)).toBe(414)
    expect(await http1(`/?${"a=1&".repeat(20)}`)).toBe(414)
    expect(await http1("/", "Content-Length: 65537\r\n", " ")).toBe(413)
  })

  test("a body of unknown length ends where it grows too large", async () => {
    const chunk = `4000\r\n${"x".repeat(16 * KB)}\r\n`
    expect(await http1("/", "Transfer-Encoding: chunked\r\n", `${chunk.repeat(4)}0\r\n\r\n`)).toBe(200)
    expect(await http1("/", "Transfer-Encoding: chunked\r\n", `${chunk.repeat(5)}0\r\n\r\n`)).toBe(413)
  })

  test("HTTP/2", async () => {
    expect(await http2({ cookie: "c".repeat(30 * KB) })).toBe(200)
    expect(await http2({ cookie: "c".repeat(40 * KB) })).toBe(431)
    expect(await http2({ ":path": `/${"p".repeat(9 * KB)}` })).toBe(414)
    expect(await http2({}, Buffer.alloc(60 * KB))).toBe(200)
    expect(await http2({}, Buffer.alloc(200 * KB))).toBe(413)
  })
})
