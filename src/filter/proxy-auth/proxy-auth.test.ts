import { describe, expect, test } from "bun:test"
import { hashSync } from "bcryptjs"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import proxyAuth from "./proxy-auth.ts"

const sha = "{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=" // open
const file = `ann:${hashSync("sesame", 4)}\nbob:${sha}\njosé:${hashSync("pä:ss", 4)}\n`
const basic = (text: string, encoding: BufferEncoding = "utf8") => `Proxy-Authorization: Basic ${Buffer.from(text, encoding).toString("base64")}\r\n`
const connect = (fields = "") => `CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n${fields}\r\n`
const get = (fields = "", version = "1.1") => `GET http://app.test/ HTTP/${version}\r\nHost: app.test\r\n${fields}\r\n`

function start(content = file) {
  const deps = new FakeDeps({ "/etc/users": content })
  const filter = proxyAuth.build(proxyAuth.options.parse({ htpasswd: "users", realm: "the office" }), deps)
  return { deps, filter, run: new FilterRun(filter) }
}

/** Status, and whether the reply is framed and the connection stays. */
function shape(reply: string) {
  const end = reply.indexOf("\r\n\r\n")
  const head = reply.slice(0, end)
  const length = /\r\nContent-Length: (\d+)/i.exec(head)?.[1]
  expect(Number(length)).toBe(reply.length - end - 4)
  return { status: Number(head.slice(9, 12)), challenge: /\r\nProxy-Authenticate: (.*)/.exec(head)?.[1], closes: /\r\nConnection: close/i.test(head) }
}

const asks = { status: 407, challenge: 'Basic realm="the office", charset="UTF-8"', closes: false }
const passes = { status: 404, challenge: undefined, closes: false }

describe("proxy-auth", () => {
  test("CONNECT and absolute-form on one connection: challenge, then in", async () => {
    for (const request of [connect, get]) {
      const { run } = start()
      expect(shape(await run.ask(request()))).toEqual(asks)
      expect(shape(await run.ask(request(basic("ann:sesame"))))).toEqual(passes)
      expect(shape(await run.ask(request(basic("bob:open"))))).toEqual(passes)
      expect(shape(await run.ask(request()))).toEqual(asks)
      expect(run.seen.users).toEqual(["", "ann", "bob", ""])
      expect(run.closed).toBe(false)
    }
  })

  test("good credentials are known without a wait the second time", async () => {
    const { run } = start()
    expect(run.send(get(basic("ann:sesame")))).toBe("")
    for (let i = 0; i < 2000 && run.output === ""; i++) await Bun.sleep(1)
    expect(shape(run.output)).toEqual(passes)
    expect(shape(run.send(get(basic("ann:sesame"))))).toEqual(passes)
  })

  test("the field never goes upstream, right or wrong, once or twice", async () => {
    const { run } = start()
    await run.ask(get(basic("ann:sesame")))
    expect(run.seen.sent).toHaveLength(1)
    expect(run.seen.sent[0]!.toLowerCase()).not.toContain("proxy-authorization")
    expect(shape(await run.ask(get(basic("ann:sesame") + basic("ann:sesame"))))).toEqual(asks)
  })

  test.each([
    ["a wrong password", basic("ann:x")],
    ["an unknown user", basic("eve:sesame")],
    ["malformed base64", "Proxy-Authorization: Basic !!!\r\n"],
    ["another scheme", "Proxy-Authorization: Bearer abc\r\n"],
    ["an empty field", "Proxy-Authorization:\r\n"],
    ["no colon", basic("ann")],
    ["a colon in the user", basic("a:nn:sesame")],
    ["a control character", basic("ann\n:sesame")],
    ["nothing but a colon", basic(":")],
  ])("%s is asked again with 407 and the connection stays", async (_, fields) => {
    const { run, deps } = start()
    expect(shape(await run.ask(connect(fields)))).toEqual(asks)
    expect(shape(await run.ask(connect(basic("ann:sesame"))))).toEqual(passes)
    expect(run.seen.faults).toEqual(["proxy.auth-required", ""])
    expect(deps.counts.get("proxy_auth_wrong")).toBe(1)
  })

  test("users beyond ASCII, in UTF-8 and as old clients send them", async () => {
    const { run } = start()
    expect(shape(await run.ask(get(basic("josé:pä:ss"))))).toEqual(passes)
    expect(shape(await run.ask(get(basic("josé:pä:ss", "latin1"))))).toEqual(passes)
    expect(run.seen.users).toEqual(["josé", "josé"])
  })

  test("HTTP/1.0: framed, and kept only when the client asks for it", async () => {
    const kept = start().run
    expect(shape(await kept.ask(get("Connection: keep-alive\r\n", "1.0")))).toEqual(asks)
    const plain = start().run
    expect(shape(await plain.ask(get("", "1.0")))).toEqual({ ...asks, closes: true })
  })

  test("the fifth wrong attempt on a connection is the last; asking without credentials does not count", async () => {
    const { run } = start()
    for (let i = 0; i < 6; i++) await run.ask(get())
    for (let i = 0; i < 5; i++) expect((await run.ask(get(basic(`ann:wrong${i}`)))).startsWith("HTTP/1.1 407 ")).toBe(true)
    expect(run.seen.faults.slice(6)).toEqual([...Array(4).fill("proxy.auth-required"), "proxy.auth-repeated"])
  })

  test("another connection starts at zero", async () => {
    const { run, filter } = start()
    for (let i = 0; i < 4; i++) await run.ask(get(basic("ann:x")))
    const other = new FilterRun(filter)
    await other.ask(get(basic("ann:x")))
    expect(other.seen.faults).toEqual(["proxy.auth-required"])
  })

  test("a client that leaves while its password is checked harms nobody", async () => {
    const { run, filter } = start()
    expect(run.send(get(basic("ann:sesame")))).toBe("")
    run.leave()
    expect(run.seen.faults).toEqual(["client.aborted"])
    const other = new FilterRun(filter)
    expect(shape(await other.ask(get(basic("ann:sesame"))))).toEqual(passes)
    expect(run.seen.sent).toEqual([])
  })

  test("too many waiting checks are refused at once", async () => {
    const { filter, deps } = start()
    const runs = Array.from({ length: 70 }, () => new FilterRun(filter))
    const replies = runs.map((run, i) => run.send(get(basic(`ann:wrong${i}`))))
    const refused = replies.filter(reply => reply !== "")
    expect(refused).toHaveLength(4)
    expect(refused[0]).toStartWith("HTTP/1.1 503 ")
    expect(refused[0]).toContain("\r\nRetry-After: 1\r\n")
    expect(deps.counts.get("proxy_auth_busy")).toBe(4)
    for (const run of runs) run.leave()
  })

  test("a changed file counts at once, a broken one changes nothing", async () => {
    const { run, deps } = start()
    expect(shape(await run.ask(get(basic("bob:open"))))).toEqual(passes)
    expect(() => deps.change("/etc/users", "bob:plain")).toThrow('/etc/users: line 1: user "bob" has no hash')
    expect(shape(await run.ask(get(basic("bob:open"))))).toEqual(passes)
    deps.change("/etc/users", `eve:${sha}\n`)
    expect(shape(await run.ask(get(basic("bob:open"))))).toEqual(asks)
    expect(shape(await run.ask(get(basic("eve:open"))))).toEqual(passes)
  })

  test("works as a route's filter, where no identify phase has run", async () => {
    const { access } = start().filter
    const run = new FilterRun({ access: access! })
    expect(shape(await run.ask(get()))).toEqual(asks)
    expect(shape(await run.ask(get(basic("ann:sesame"))))).toEqual(passes)
    expect(shape(await run.ask(get(basic("ann:x"))))).toEqual(asks)
  })

  test("a file that cannot be used is an error of the config", () => {
    expect(() => start("ann:hunter2")).toThrow('/etc/users: line 1: user "ann" has no hash; a plain password is not accepted')
    expect(proxyAuth.options.safeParse({ htpasswd: "f", realm: 'a"b' }).success).toBe(false)
    expect(proxyAuth.options.safeParse({ realm: "a" }).success).toBe(false)
    expect(start().filter.describe!()).toBe('3 users of users, realm "the office"')
  })
})
