import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { strictOrigin } from "../../support/strict-origin.ts"

// RFC 9112 sections 5.1, 5.2, 6.1 and 6.3; RFC 9110 sections 5.1 and 8.6.
const port = await freePort()
const origin = await strictOrigin()
const proxy = await startBothways(reverseConfig(port, origin.address))
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})
beforeEach(() => origin.clear())

const HOST = "Host: app.test\r\n"

/** Sends these octets on a connection of its own: 400, the end of the connection, nothing upstream, and an innocent request afterwards. */
async function refused(bytes: string, status = 400): Promise<void> {
  using client = await rawClient(port)
  client.send(bytes)
  const response = await client.response()
  expect([bytes, response.status, response.fields.connection]).toEqual([bytes, status, "close"])
  expect(await client.toEnd()).toBe("")
  expect([bytes, origin.received]).toEqual([bytes, ""])
  await innocent()
}

async function innocent(): Promise<void> {
  using client = await rawClient(port)
  client.send(`GET /ok HTTP/1.1\r\n${HOST}\r\n`)
  expect((await client.response()).body).toBe("GET /ok 0")
  origin.clear()
}

const post = (lines: string, body: string): string => `POST /outer HTTP/1.1\r\n${HOST}${lines}\r\n\r\n${body}`
const smuggled = (name: string): string => `GET /${name} HTTP/1.1\r\n${HOST}\r\n`

describe("O-01 Content-Length that is not a plain number", () => {
  test("a: rubbish together with chunked", () => refused(post("Content-Length: seven\r\nTransfer-Encoding: chunked", "1\r\nZ\r\n0\r\n\r\n")))
  test("b: empty, with a second request behind it", () => refused(post("Content-Length:", smuggled("smug-b"))))
  test("c: 0 together with chunked never frees the inner request", () => {
    return refused(post("Content-Length: 0\r\nTransfer-Encoding: chunked", `28\r\n${smuggled("smug-c")}\r\n0\r\n\r\n`))
  })
  test("d: two different ones", () => refused(post("Content-Length: 3\r\nContent-Length: 5", "abcde")))
  test("e: a list of the same twice", () => refused(post("Content-Length: 3, 3", "abc")))
  for (const value of ["+3", "-3", "0x3", "3 3", "3.0", "9".repeat(40)]) test(`f: ${value}`, () => refused(post(`Content-Length: ${value}`, "abc")))
})

describe("what other servers would read differently", () => {
  test("a length with leading zeros goes on as the number that it is", async () => {
    using client = await rawClient(port)
    client.send(post("Content-Length: 010", "0123456789"))
    expect((await client.response()).body).toBe("POST /outer 10")
    expect(origin.received).toMatch(/\r\nContent-Length: 10\r\n/)
    expect(origin.received).not.toContain("010\r\n")
  })
  test("a name that only the separators tell from one that frames the body", async () => {
    for (const name of ["Transfer_Encoding", "transfer__encoding", "Transfer-_Encoding"]) await refused(post(`${name}: chunked`, "0\r\n\r\n"))
    for (const name of ["Content_Length", "content.length"]) await refused(post(`${name}: 5`, "hello"))
    using client = await rawClient(port)
    client.send(`GET / HTTP/1.1\r\n${HOST}Transfer-Encodings: x\r\nContent-Lengths: 1\r\nX-Content_Length: 1\r\n\r\n`)
    expect((await client.response()).status).toBe(200)
  })
  test("codings that we do not know are 501, a misplaced chunked 400", async () => {
    for (const value of ["gzip", "gzip, chunked", "gzip\r\nTransfer-Encoding: chunked"])
      await refused(post(`Transfer-Encoding: ${value}`, "0\r\n\r\n"), 501)
    for (const value of [
      "chunked, gzip",
      "chunked, chunked",
      "chunked\r\nTransfer-Encoding: chunked",
      "",
      ",chunked",
      "\x0bchunked",
      "chunked;q=1",
      "xchunked",
    ])
      await refused(post(`Transfer-Encoding: ${value}`, "0\r\n\r\n"), value === "xchunked" ? 501 : 400)
  })
})

describe("O-02 field lines", () => {
  test("a: an empty name in front of what frames the body", () => refused(post(": x\r\nContent-Length: 5\r\nConnection: close", "hello")))
  test("b: a space before the colon", async () => {
    await refused(post("Content-Length: 5\r\nContent-Length : 0", "hello"))
    await refused(post("Transfer-Encoding : chunked", "0\r\n\r\n"))
  })
  test("c: a fold that hides a coding, or that brings one", async () => {
    await refused(post("X-A: 1\r\n Transfer-Encoding: chunked", "0\r\n\r\n"))
    await refused(post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"))
  })
  test("d: a line that begins with a space behind the request line", () => refused(`GET / HTTP/1.1\r\n ${HOST}\r\n`))
})

describe("O-03 a chunked body with any method", () => {
  const body = "GET /hidden HTTP/1.1\r\nX-Pad: 12\r\n\r\n"
  for (const method of ["DELETE", "OPTIONS", "GET", "HEAD", "BREW"]) {
    test(`${method} with a body is one message`, async () => {
      using client = await rawClient(port)
      client.send(`${method} /item/1 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
      const first = await client.response(method)
      expect([first.status, first.fields["x-got"]]).toEqual([200, "/item/1"])
      client.send(`GET /innocent HTTP/1.1\r\n${HOST}\r\n`)
      expect((await client.response()).body).toBe("GET /innocent 0")
      expect(origin.requests.map(({ method, target, body }) => [method, target, body])).toEqual([
        [method, "/item/1", body],
        ["GET", "/innocent", ""],
      ])
      expect(origin.faults).toEqual([])
    })
  }
})
