import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { startCIcap } from "../../support/c-icap.ts"
import { CONTINUE, type IcapQuestion, icapRequest, icapResponse, scriptedIcap, UNCHANGED } from "../../support/icap-server.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"

const big = "0123456789".repeat(20_000)
const real = await startCIcap()
let script: (question: IcapQuestion) => string = () => UNCHANGED
const scripted = await scriptedIcap(question => script(question))
const upstream = await recorder(request => {
  const body = request.start.startsWith("GET /big") ? big : request.start.startsWith("POST") ? request.body : "plain text"
  const type = request.start.includes("/picture") ? "image/png" : "text/plain"
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nX-Kept: yes\r\nContent-Length: ${body.length}\r\n\r\n${body}`
})
const ports = (await freePorts(5)) as [number, number, number, number, number]
const [egress, echo, dead, open, dead2] = ports
const icap = (options: object) => ({ icap: { server: `icap://127.0.0.1:${scripted.port}`, timeout: "2s", ...options } })
const route = (name: string, filter: object) => ({ name, match: { listener: name }, filters: [filter], to: { origin: {} } })
const proxy: Bothways = await startBothways({
  listeners: Object.fromEntries(
    Object.entries({ egress, echo, dead, open }).map(([name, port]) => [
      name,
      { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", connectPorts: [upstream.port] } },
    ]),
  ),
  routes: [
    route("egress", icap({ request: "req", response: "resp", bytesMax: "64KB", skip: ["image/*"], tell: ["client"] })),
    route("echo", { icap: { server: `icap://127.0.0.1:${real.port}`, request: "echo", response: "echo" } }),
    route("dead", { icap: { server: `icap://127.0.0.1:${dead2}`, response: "resp", timeout: "1s" } }),
    route("open", { icap: { server: `icap://127.0.0.1:${dead2}`, response: "resp", timeout: "1s", failure: "pass" } }),
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
  await scripted[Symbol.asyncDispose]()
  await real[Symbol.asyncDispose]()
})
beforeEach(() => {
  script = () => UNCHANGED
  scripted.questions.length = 0
})

const site = `http://127.0.0.1:${upstream.port}`
const curl = (port: number, ...args: string[]) => run("curl", "-s", "-i", "-x", `http://127.0.0.1:${port}`, ...args)

describe("against c-icap", () => {
  test("requests and responses go through it and stay what they are: with and without a body, small and large", async () => {
    expect((await curl(echo, `${site}/`)).stdout).toEndWith("plain text")
    const large = await curl(echo, `${site}/big`)
    expect([large.stdout.endsWith(big), large.stdout.includes("X-Kept: yes")]).toEqual([true, true])
    const upload = big.slice(0, 60_000)
    expect((await curl(echo, "-d", upload, `${site}/post`)).stdout).toEndWith(upload)
    const answers = await Promise.all(Array.from({ length: 20 }, () => curl(echo, `${site}/`)))
    expect(answers.every(({ stdout }) => stdout.endsWith("plain text"))).toBe(true)
  })
})

describe("against a server that has something to say", () => {
  test("what it is asked: the whole message, who asks, a preview of the body", async () => {
    await curl(egress, "-d", "hello=world", `${site}/form?q=1`)
    const [request, response] = scripted.questions as [IcapQuestion, IcapQuestion]
    expect(request.head).toStartWith(`REQMOD icap://127.0.0.1:${scripted.port}/req ICAP/1.0\r\n`)
    for (const field of ["Preview: 16\r\n", "Allow: 204\r\n", "X-Client-IP: 127.0.0.1\r\n"]) expect(request.head).toContain(field)
    expect(request.message).toStartWith(`POST ${site}/form?q=1 HTTP/1.1\r\n`)
    expect([request.body, request.whole]).toEqual(["hello=world", true])
    expect(response.message).toContain("\r\n\r\nHTTP/1.1 200 OK\r\n")
    expect([response.body, response.whole]).toEqual(["hello=world", true])
  })

  test("a preview, and the rest only when it wants it", async () => {
    script = question => (question.method === "RESPMOD" && !question.whole ? CONTINUE : UNCHANGED)
    const { stdout } = await curl(egress, "-d", "x".repeat(5000), `${site}/post`)
    expect(stdout).toEndWith("x".repeat(5000))
    const lengths = scripted.questions.map(({ body }) => body.length)
    expect(lengths).toEqual([16, 16, 5000])
  })

  test("it blocks a request: nothing reaches the origin, and the log says why", async () => {
    script = () =>
      icapResponse(
        "HTTP/1.1 403 No\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n",
        "<h1>secret</h1>",
        "X-Violations-Found: card number\r\n",
      )
    const before = upstream.requests.length
    const { stdout } = await curl(egress, "-d", "4111111111111111", `${site}/form`)
    expect(stdout).toStartWith("HTTP/1.1 403 Forbidden\r\n")
    expect(stdout).toEndWith("<h1>secret</h1>")
    expect(upstream.requests.length).toBe(before)
    await until(() => proxy.log().some(line => line.rule === "icap: card number" && line.action === "block"))
  })

  test("it blocks a CONNECT", async () => {
    script = () => icapResponse("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", "no")
    using client = await rawClient(egress)
    client.send(`CONNECT 127.0.0.1:${upstream.port} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect((await client.response()).status).toBe(403)
  })

  test("it changes a request: fields, path and body, and no other host", async () => {
    script = ({ method }) =>
      method === "REQMOD"
        ? icapRequest(`POST ${site}/post?changed HTTP/1.1\r\nHost: 127.0.0.1:${upstream.port}\r\nX-Added: 1\r\nContent-Length: 999\r\n\r\n`, "other")
        : UNCHANGED
    expect((await curl(egress, "-d", "original", `${site}/post`)).stdout).toEndWith("other")
    const last = upstream.requests.at(-1)!
    expect(last.start).toBe("POST /post?changed HTTP/1.1")
    expect([last.fields["x-added"], last.fields["content-length"], last.body]).toEqual(["1", "5", "other"])
    script = () => icapRequest("GET http://elsewhere.test/ HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n")
    expect((await curl(egress, `${site}/`)).stdout).toStartWith("HTTP/1.1 503")
  })

  test("it changes a response", async () => {
    script = ({ method }) =>
      method === "RESPMOD" ? icapResponse("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Clean: 1\r\n\r\n", "clean") : UNCHANGED
    const { stdout } = await curl(egress, `${site}/`)
    expect(stdout).toContain("X-Clean: 1\r\n")
    expect(stdout).toContain("Content-Length: 5\r\n")
    expect(stdout).toEndWith("\r\n\r\nclean")
  })

  test("a body that is larger than what may wait goes on as it is; a kind that is not to be looked at is not", async () => {
    script = question => (question.method === "RESPMOD" && !question.whole ? CONTINUE : UNCHANGED)
    expect((await curl(egress, `${site}/big`)).stdout).toEndWith(big)
    scripted.questions.length = 0
    expect((await curl(egress, `${site}/picture`)).stdout).toEndWith("plain text")
    expect(scripted.questions.map(({ method }) => method)).toEqual(["REQMOD"])
  })

  test("nonsense of the server's is no answer", async () => {
    for (const nonsense of [
      "HTTP/1.1 200 OK\r\n\r\n",
      "ICAP/1.0 200 OK\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=-1\r\n\r\n",
      "ICAP/1.0 500 No\r\n\r\n",
    ]) {
      script = () => nonsense
      expect((await curl(egress, `${site}/`)).stdout).toStartWith("HTTP/1.1 503")
    }
    script = () => UNCHANGED
    expect((await curl(egress, `${site}/`)).stdout).toEndWith("plain text")
  })
})

test("a server that is away: closed by default, open when told", async () => {
  const [closed, opened] = await Promise.all([curl(dead, `${site}/`), curl(open, `${site}/`)])
  expect(closed.stdout).toStartWith("HTTP/1.1 503")
  expect(closed.stdout).toContain("proxy.scan-failed")
  expect(opened.stdout).toEndWith("plain text")
})
