import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../support/bothways.ts"
import { freePort } from "../support/ports.ts"
import { rawClient } from "../support/raw-client.ts"
import { reverseConfig } from "../support/reverse-config.ts"
import { strictOrigin } from "../support/strict-origin.ts"
import { pause } from "../support/wait.ts"

// What every HTTP/1.1 server must get right, as public checks of servers ask it; docs/conformance.md has their figures.
const port = await freePort()
const origin = await strictOrigin(request => `HTTP/1.1 200 OK\r\nContent-Length: ${request.body.length}\r\n\r\n${request.body}`)
const proxy = await startBothways(reverseConfig(port, origin.address))
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

const HOST = "Host: example.test\r\n"

describe("a request that is not whole is waited for", () => {
  const whole = `GET /hello HTTP/1.1\r\n${HOST}X-A: b\r\n\r\n`
  test("wherever it stops, and then it is answered", async () => {
    const stops = Array.from({ length: whole.length - 1 }, (_, index) => index + 1)
    const clients = await Promise.all(stops.map(() => rawClient(port)))
    for (const [index, client] of clients.entries()) client.send(whole.slice(0, stops[index]))
    // Long enough for a hasty answer.
    await pause(300)
    expect(clients.filter(client => client.received !== "" || client.ending !== "open").length).toBe(0)
    for (const [index, client] of clients.entries()) client.send(whole.slice(stops[index]))
    for (const client of clients) {
      expect((await client.response()).status).toBe(200)
      client.destroy()
    }
  })
})

describe("verdicts", () => {
  const verdicts: readonly [name: string, bytes: string, status: number, body?: string][] = [
    ["no version", "GET / \r\n\r\n", 400],
    ["a version that does not exist", `GET / HTTP/9.9\r\n${HOST}\r\n`, 505],
    ["something in front of the method", `Extra lineGET / HTTP/1.1\r\n${HOST}\r\n`, 400],
    ["a method with a bracket", `G[T / HTTP/1.1\r\n${HOST}\r\n`, 400],
    ["a name with brackets", `GET / HTTP/1.1\r\n${HOST}X-Invalid[]: test\r\n\r\n`, 400],
    ["a value with a control character", `GET / HTTP/1.1\r\n${HOST}X-Bell: a\x07\r\n\r\n`, 400],
    ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["two Hosts", `GET / HTTP/1.1\r\n${HOST}Host: other.test\r\n\r\n`, 400],
    ["a CR that ends no line", `GET / HTTP/1.1\r\n${HOST}\rX: y\r\n\r\n`, 400],
    ["a length of letters", `GET / HTTP/1.1\r\n${HOST}Content-Length: abc\r\n\r\n`, 400],
    ["a negative length", `GET / HTTP/1.1\r\n${HOST}Content-Length: -1234\r\n\r\n`, 400],
    ["a huge negative length", `GET / HTTP/1.1\r\n${HOST}Content-Length: -123456789123456789123456789\r\n\r\n`, 400],
    [
      "a length and a coding, in any case",
      `POST / HTTP/1.1\r\n${HOST}content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
      400,
    ],
    ["a plain request", `GET / HTTP/1.1\r\n${HOST}\r\n`, 200],
    ["any case of a name, a tab, an empty value", "GET / HTTP/1.1\r\nhoSt:\texample.test\r\nempty:\r\n\r\n", 200],
    ["a value that is a space", `GET / HTTP/1.1\r\n${HOST}X-Empty: \r\n\r\n`, 200],
    ["a body with a length", `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`, 200, "hello"],
    ["a body in chunks", `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nc\r\nHellO world1\r\n0\r\n\r\n`, 200, "HellO world1"],
    ["an expectation without a body", `GET / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\n\r\n`, 200],
  ]
  for (const [name, bytes, status, body] of verdicts) {
    test(`${name}: ${status}`, async () => {
      using client = await rawClient(port)
      client.send(bytes)
      let response = await client.response()
      if (response.status === 100) response = await client.response()
      expect(response.status).toBe(status)
      if (body !== undefined) expect(response.body).toBe(body)
      if (status >= 400) expect(await client.ended()).toBe("fin")
    })
  }
})
