import { afterAll, beforeAll, describe, expect, setSystemTime, test } from "bun:test"
import { FAULT, setLogSink } from "../../base/index.ts"
import { type Exchange, NEXT } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import forwardAuth from "./forward-auth.ts"

beforeAll(() => setLogSink(() => {}))
afterAll(() => setLogSink(null))

const get = (fields = "", target = "/a?b=c") => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
type Pairs = readonly (readonly [string, string])[]

/** The filter with a service that answers when the test says so. `hop`: a trusted proxy in front. */
function start(options: Record<string, unknown> = {}, hop = false) {
  const deps = new FakeDeps()
  const filter = forwardAuth.build(forwardAuth.options.parse({ cluster: "auth", path: "/verify?x=1", ...options }), deps)
  const identify = (x: Exchange) => {
    x.peerAddress = hop ? "10.0.0.1" : x.clientAddress
    return NEXT as 0
  }
  const run = new FilterRun({ ...filter, identify })
  const answer = (status: number, fields: Pairs = [], body = "") => {
    deps.sent.at(-1)!.done({ status, response: Fields.of(fields), body: Buffer.from(body), peer: "p" }, null)
    return run.output
  }
  return { deps, run, answer, asked: () => deps.sent.at(-1)!.request }
}

describe("forward-auth", () => {
  test("the question: as Traefik puts it, with credentials and without what the client claims", () => {
    const { run, asked, answer } = start({ copy: ["Remote-User"], set: { "X-Original-URL": "$scheme://$authority$path$query" } })
    const claimed =
      "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Uri: /public\r\nX-Forwarded-Method: HEAD\r\nX-Original-URL: http://x/\r\nremote-user: root\r\nIf-None-Match: *\r\nRange: bytes=0-1\r\n"
    expect(run.send(get(`${claimed}Cookie: s=1\r\nAuthorization: Basic YTpi\r\n`))).toBe("")
    expect(asked()).toMatchObject({ method: "GET", path: "/verify?x=1", authority: "a.test", body: null, timeoutMs: 5000 })
    expect(asked().fields).toBe(
      "Cookie: s=1\r\nAuthorization: Basic YTpi\r\nX-Original-URL: http://a.test/a?b=c\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n" +
        "X-Forwarded-Host: a.test\r\nX-Forwarded-Uri: /a?b=c\r\nX-Forwarded-For: 192.0.2.1\r\n",
    )
    answer(200, [["Remote-User", "ann"]])
    expect(run.seen.sent[0]).toContain("\r\nRemote-User: ann\r\n")
    expect(run.seen.sent[0]).not.toContain("root")
  })

  test("a body is not sent, nor its fields; method and Host can be said", () => {
    const { run, asked } = start({ method: "same", host: "auth.test", send: ["cookie"] })
    run.send("POST /a HTTP/1.1\r\nHost: a.test\r\nCookie: s=1\r\nX-A: 1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi")
    expect(asked()).toMatchObject({ method: "POST", authority: "auth.test", body: null })
    expect(asked().fields).toStartWith("Cookie: s=1\r\nX-Forwarded-Method: POST\r\n")
  })

  test("a trusted hop knows what the client asked for", () => {
    const { run, asked } = start({}, true)
    run.send(get("X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n"))
    expect(asked().fields).toContain("X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n")
    run.leave()
  })

  test("2xx lets through: what is copied replaces what the client sent, and cannot be nominated away", () => {
    const { run, answer } = start({ copy: ["X-User", "X-Group"], copyBack: ["Set-Cookie"], user: "X-User" })
    run.send(get("X-User: root\r\nX_USER: root\r\nx-group: wheel\r\nConnection: keep-alive, X-User, X-Group\r\n"))
    const reply = answer(204, [
      ["X-User", "\xc3\xa4nn"],
      ["X-Other", "1"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ])
    expect(run.seen.sent).toEqual(["Host: a.test\r\nX-User: \xc3\xa4nn\r\n"])
    expect(run.seen.users).toEqual(["änn"])
    expect(reply).toContain("\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n")
  })

  test.each([302, 401, 403, 404, 429])("%d goes to the client as it is", status => {
    const { run, answer } = start()
    run.send(get())
    const reply = answer(
      status,
      [
        ["Location", "https://login.test/"],
        ["Set-Cookie", "s=2"],
        ["WWW-Authenticate", 'Basic realm="x"'],
        ["Content-Type", "text/plain"],
        ["Connection", "close"],
        ["Transfer-Encoding", "chunked"],
        ["Content-Length", "999"],
      ],
      "log in\n",
    )
    expect(reply).toStartWith(`HTTP/1.1 ${status} `)
    for (const line of ["Location: https://login.test/", "Set-Cookie: s=2", 'WWW-Authenticate: Basic realm="x"', "Content-Length: 7"])
      expect(reply).toContain(`\r\n${line}\r\n`)
    expect(reply).not.toMatch(/close|chunked|999/)
    expect(reply).toEndWith("\r\n\r\nlog in\n")
    expect([run.seen.sent, run.seen.faults]).toEqual([[], [""]])
  })

  test("whoever cannot be asked, or cannot decide, lets nobody in", () => {
    const { run, deps, answer } = start()
    run.send(get())
    deps.sent.at(-1)!.done(null, FAULT.connectRefused)
    expect(run.output).toStartWith("HTTP/1.1 503 ")
    run.send(get())
    expect(answer(500, [], "secret trace")).not.toContain("secret")
    expect(run.seen.faults).toEqual(["proxy.auth-unavailable", "proxy.auth-unavailable"])
    expect(run.seen.sent).toEqual([])
  })

  test("a client that leaves takes its question along", () => {
    const { run, deps } = start()
    run.send(get())
    run.leave()
    expect(deps.sent[0]!.cancelled).toBe(true)
    deps.sent[0]!.done({ status: 200, response: new Fields(), body: Buffer.alloc(0), peer: "" }, null)
    expect([run.seen.faults, run.seen.sent]).toEqual([["client.aborted"], []])
  })

  test("the cache: good answers alone, by what the decision depends on, for a time", () => {
    const { run, deps, answer } = start({ copy: ["X-User"], copyBack: ["Set-Cookie"], cache: { key: ["cookie", "$path"], ttl: "10s" } })
    const ask = (fields: string, target?: string) => {
      const before = deps.sent.length
      run.send(get(`X-User: root\r\n${fields}`, target))
      return deps.sent.length > before
    }
    expect(ask("Cookie: a=1\r\n")).toBe(true)
    answer(403)
    expect(ask("Cookie: a=1\r\n")).toBe(true)
    answer(200, [
      ["X-User", "ann"],
      ["Set-Cookie", "once"],
    ])
    expect(ask("Cookie: a=1\r\n")).toBe(false)
    expect(run.output).not.toContain("once")
    expect(run.seen.sent).toEqual(Array(2).fill("Host: a.test\r\nCookie: a=1\r\nX-User: ann\r\n"))
    expect(ask("Cookie: a=2\r\n")).toBe(true)
    answer(200)
    expect(ask("Cookie: a=1\r\n", "/b")).toBe(true)
    answer(200)
    setSystemTime(Date.now() + 11_000)
    expect(ask("Cookie: a=1\r\n")).toBe(true)
    setSystemTime()
    answer(200)
  })

  test("nothing is remembered of a request that says nothing of itself", () => {
    const { run, deps, answer } = start({ cache: { key: ["cookie"], ttl: "10s" } })
    for (let i = 1; i <= 2; i++) {
      run.send(get())
      expect(deps.sent.length).toBe(i)
      answer(200)
    }
  })

  test.each([
    { path: "verify" },
    { copy: ["Connection"] },
    { copy: ["Host"] },
    { cache: { key: ["$clinet"], ttl: "1s" } },
    { set: { A: "$x" } },
    { method: "TRACE" },
  ])("refuses %j", options => expect(forwardAuth.options.safeParse({ cluster: "a", path: "/", ...options }).success).toBe(false))
})
