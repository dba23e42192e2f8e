import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

const port = await freePort()
const files = mkdtempSync(join(tmpdir(), "bothways-files-"))
writeFileSync(join(files, "a.txt"), "a file")
// What the path says, as a head: /204/Content-Length:5
const upstream = await recorder(request => {
  const [, status, ...lines] = decodeURI(request.start.split(" ")[1]!).split("/")
  return [`HTTP/1.1 ${status} Reason`, ...lines, "\r\n"].join("\r\n")
})
const proxy = await startBothways(
  reverseConfig(port, upstream.address, {
    routes: [
      { match: { path: "/local" }, to: { respond: { status: 200, body: "hello" } } },
      { match: { path: "/no-content" }, to: { respond: { status: 204, body: "hello" } } },
      { match: { path: "/reset" }, to: { respond: { status: 205, body: "hello" } } },
      { match: { path: "/not-modified" }, to: { respond: { status: 304, body: "hello" } } },
      { match: { path: "/files/*" }, to: { files: { root: files, strip: "/files" } } },
      { match: { path: "/to" }, to: { redirect: { to: "https://a.test$path" } } },
      { match: { path: "/missing" }, to: { files: { root: files } } },
      { match: {}, to: { cluster: "a" } },
    ],
  }),
)
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

/** Sends the request and a second one behind it on the same connection, whose answer must follow at once. */
async function ask(method: string, target: string, lines = "") {
  using client = await rawClient(port)
  client.send(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`)
  const response = await client.response(method)
  client.send("GET /local HTTP/1.1\r\nHost: a.test\r\n\r\n")
  const second = await client.response()
  expect([second.status, second.body]).toEqual([200, "hello"])
  return response
}

describe("responses without a body (RFC 9110 sections 6.4.1, 8.6 and 9.3.2)", () => {
  test("HEAD passes what the upstream says of the body that it does not send", async () => {
    const sized = await ask("HEAD", "/200/Content-Length:12345")
    expect([sized.status, sized.fields["content-length"], sized.fields["transfer-encoding"]]).toEqual([200, "12345", undefined])
    const chunked = await ask("HEAD", "/200/Transfer-Encoding:chunked")
    expect([chunked.status, chunked.fields["content-length"]]).toEqual([200, undefined])
    expect((await ask("HEAD", "/404/Content-Length:9")).fields["content-length"]).toBe("9")
    expect((await ask("HEAD", "/200/X:1")).fields["content-length"]).toBeUndefined()
  })
  test("204 has neither body nor length, whatever the upstream says", async () => {
    for (const lines of ["X:1", "Content-Length:0", "Content-Length:5", "Transfer-Encoding:chunked"]) {
      const { status, fields } = await ask("GET", `/204/${lines}`)
      expect([status, fields["content-length"], fields["transfer-encoding"]]).toEqual([204, undefined, undefined])
    }
  })
  test("304 has no body and may keep the length of what was not sent", async () => {
    const { status, fields } = await ask("GET", '/304/Content-Length:5/ETag:"x"')
    expect([status, fields["content-length"], fields.etag]).toEqual([304, "5", '"x"'])
    expect((await ask("GET", "/304/X:1")).fields["content-length"]).toBeUndefined()
  })
  test("a local answer to HEAD says the length that GET would have", async () => {
    for (const [target, length] of [
      ["/local", "5"],
      ["/files/a.txt", "6"],
    ] as const) {
      const { status, fields } = await ask("HEAD", target)
      expect([status, fields["content-length"]]).toEqual([200, length])
    }
    const missing = await ask("HEAD", "/missing")
    expect([missing.status, Number(missing.fields["content-length"]) > 0]).toEqual([404, true])
  })
  test("local 204, 205 and 304 have no body", async () => {
    for (const [target, status, length] of [
      ["/no-content", 204, undefined],
      ["/reset", 205, "0"],
      ["/not-modified", 304, undefined],
    ] as const) {
      const response = await ask("GET", target)
      expect([response.status, response.fields["content-length"], response.body]).toEqual([status, length, ""])
    }
  })
  test("a redirect has a length of 0", async () => {
    const { status, fields } = await ask("GET", "/to")
    expect([status, fields["content-length"], fields.location]).toEqual([308, "0", "https://a.test/to"])
  })
  test("If-None-Match of a file: 304, also for a list and for a weak tag", async () => {
    const { etag } = (await ask("GET", "/files/a.txt")).fields
    for (const given of [etag, `"x", ${etag}`, `W/${etag}`])
      expect((await ask("GET", "/files/a.txt", `If-None-Match: ${given}\r\n`)).status).toBe(304)
    expect((await ask("GET", "/files/a.txt", 'If-None-Match: "x"\r\n')).status).toBe(200)
  })
})
