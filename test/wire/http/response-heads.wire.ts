import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
const answers: Record<string, string> = {}
const upstream = await recorder(request => answers[request.start.split(" ")[1]!] ?? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const get = (path: string, lines = ""): string => `GET ${path} HTTP/1.1\r\nHost: app.test\r\n${lines}\r\n`

async function ask(path: string, answer: string, lines = "") {
  answers[path] = answer
  using client = await rawClient(port)
  client.send(get(path, lines))
  const response = await client.response()
  client.send(get("/ok"))
  expect((await client.response()).body).toBe("ok")
  return response
}

describe("O-02 e: field lines of responses", () => {
  test("space before the colon is removed", async () => {
    const { head, body } = await ask("/space", "HTTP/1.1 200 OK\r\nX-A \t: 1\r\nContent-Length : 2\r\n\r\nok")
    expect(head).toContain("\r\nX-A: \t 1\r\n")
    expect(head).toContain("\r\nContent-Length:  2\r\n")
    expect(body).toBe("ok")
  })
  test("a fold becomes spaces, also in what frames the body", async () => {
    const { fields, body } = await ask("/fold", "HTTP/1.1 200 OK\r\nX-B: one\r\n two\r\nTransfer-Encoding:\r\n chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    expect([fields["x-b"], fields["transfer-encoding"], body]).toEqual(["one   two", "chunked", "ok"])
  })
  test("a length and a coding together, or a coding that we do not know, are 502", async () => {
    for (const lines of [
      "Content-Length: 2\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: gzip",
      "Transfer-Encoding: gzip, chunked",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ]) {
      const { status } = await ask("/both", `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n2\r\nok\r\n0\r\n\r\n`)
      expect([lines, status]).toEqual([lines, 502])
    }
    expect((await ask("/old", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")).status).toBe(502)
  })
  test("what mending would not make plain is 502", async () => {
    for (const lines of [
      "Content-Length : 2\r\nContent-Length: 3",
      "Content-Length: 2\r\n 3",
      " X: 1\r\nContent-Length: 2",
      "X y: 1\r\nContent-Length: 2",
      "X: a\rb\r\nContent-Length: 2",
    ]) {
      const { status, body } = await ask("/bad", `HTTP/1.1 200 OK\r\n${lines}\r\n\r\nok`)
      expect([lines, status, body.includes("upstream.malformed-response")]).toEqual([lines, 502, true])
    }
  })
})

describe("O-04 HEAD answered with framing fields", () => {
  for (const [name, lines, length] of [
    ["a: a length", "Content-Length: 500\r\n", "500"],
    ["b: chunked", "Transfer-Encoding: chunked\r\n", undefined],
    ["c: neither", "", undefined],
  ] as const) {
    test(`${name} does not make anybody wait, and both connections go on`, async () => {
      answers["/x"] = `HTTP/1.1 200 OK\r\n${lines}\r\n`
      const before = upstream.server.connections.length
      using client = await rawClient(port)
      client.send(`HEAD /x HTTP/1.1\r\nHost: app.test\r\n\r\n${get("/y")}`)
      const head = await client.response("HEAD", 200)
      expect([head.status, head.fields["content-length"], head.fields["transfer-encoding"]]).toEqual([200, length, undefined])
      const second = await client.response("GET", 200)
      expect([second.start, second.body]).toEqual(["HTTP/1.1 200 OK", "ok"])
      expect(upstream.server.connections.length).toBe(Math.max(before, 1))
    })
  }
})

describe("O-06 illegal octets in an upstream's head", () => {
  test("control characters become spaces, octets of other alphabets pass, the rest arrives", async () => {
    const odd = "Set-Cookie: a=1\x01b; Path=/\r\nSet-Cookie: c=2; Path=/\r\nX-Latin: caf\xe9\r\nX-Utf: \xf0\x9f\x98\x80\r\n"
    const { start, head, body } = await ask("/odd", `HTTP/1.1 200 D\xe9j\xe0\r\n${odd}Content-Length: 2\r\n\r\nok`)
    expect(start).toBe("HTTP/1.1 200 D\xe9j\xe0")
    expect(head).toContain(odd.replace("\x01", " "))
    expect(body).toBe("ok")
  })
  test("NUL cannot be mended: 502 for this one response, and the log says why", async () => {
    const { status } = await ask("/nul", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok")
    expect(status).toBe(502)
    await until(
      () => proxy.log().some(line => String(line.target ?? line.path).includes("/nul") && line.fault === "upstream.malformed-response"),
      3000,
      "the line with the fault",
    )
  })
  test("a request's octets above 0x7f pass as they are", async () => {
    upstream.requests.length = 0
    const { status } = await ask("/agent", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "User-Agent: x\x80y\r\n")
    expect([status, upstream.requests[0]?.fields["user-agent"]]).toEqual([200, "x\x80y"])
  })
})
