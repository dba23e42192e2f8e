import { describe, expect, test } from "bun:test"
import { FAULT } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, NEXT, setLocalResponse, type Verdict, WAIT } from "../../flow/index.ts"
import type { Config } from "../schema.ts"
import { ask, basic, configOf, site } from "./ask.fixture.ts"
import type { ExplainRequest } from "./request-text.ts"

describe("rules and routes", () => {
  test("each rule with its reason, those behind the winner untried", async () => {
    const { rules, route, parsed } = await ask(site, { url: "http://a.test:8080/me/../old?x=1" })
    expect(parsed).toMatchObject({ host: "a.test", port: 8080, path: "/old", rulePath: "/old", query: "?x=1", scheme: "http", body: "none" })
    expect(route).toMatchObject({
      name: "old",
      index: 4,
      destination: { kind: "answer", name: "redirect", says: "308 to https://new.test$path" },
      retry: null,
      fields: null,
    })
    expect(rules.map(rule => rule.result)).toEqual(["fails", "fails", "fails", "fails", "wins", "not tried", "not tried"])
    expect(rules[0]!.reason).toBe("method is GET, not POST")
    expect(rules[1]!.reason).toContain("/old")
    expect(rules[5]).toEqual({ index: 5, name: "files", result: "not tried", reason: "old decides" })
  })

  test("no route", async () => {
    const { rules, route, answer } = await ask(site, {})
    expect(route).toBeNull()
    expect(rules.every(rule => rule.result === "fails")).toBe(true)
    expect(answer).toMatchObject({ kind: "fault", code: "proxy.no-route", status: 404 })
  })

  test("a path that a rule may not guess at", async () => {
    const { rules, answer } = await ask(site, { url: "http://a.test/x%2fme/1" })
    expect(rules.some(rule => rule.result === "refuses")).toBe(false)
    expect(answer).toMatchObject({ code: "proxy.no-route" })
    const refused = await ask(site, { url: "http://a.test/me%2f1" })
    expect(refused.rules.find(rule => rule.result === "refuses")?.name).toBe("users")
    expect(refused).toMatchObject({ route: null, answer: { kind: "fault", code: "client.ambiguous-path", status: 400 } })
  })

  test("answers of the proxy itself", async () => {
    const answerTo = async (url: string, request: Partial<ExplainRequest> = {}) => (await ask(site, { url, ...request })).answer
    expect(await answerTo("http://a.test/old")).toEqual({
      kind: "reply",
      status: 308,
      says: "308 Permanent Redirect to https://new.test/old, from the proxy itself",
    })
    expect(await answerTo("http://a.test/files/")).toEqual({ kind: "reply", status: 200, says: "200 OK with 12 octets, from the proxy itself" })
    expect(await answerTo("http://a.test/files/none")).toMatchObject({ kind: "fault", code: "proxy.file-missing", status: 404 })
    expect(await answerTo("http://a.test/x", { from: "192.0.2.7" })).toMatchObject({
      kind: "reply",
      status: 200,
      says: "200 OK with 6 octets, from the proxy itself",
    })
  })
})

describe("what the parser refuses", () => {
  const cases: [string, Partial<ExplainRequest>, string][] = [
    ["a blank before the colon", { fields: ["X-A : 1"] }, "client.malformed"],
    ["two Hosts", { fields: ["Host: a.test", "Host: b.test"] }, "client.bad-host"],
    ["two framings", { fields: ["Content-Length: 1", "Transfer-Encoding: chunked"] }, "client.malformed"],
    ["a blank in the target", { url: "http://a.test/x y" }, "client.malformed"],
    ["a blank in the method", { method: "GET /" }, "client.malformed"],
    ["a target that is too long", { url: `http://a.test/${"x".repeat(20_000)}` }, "client.target-too-long"],
    ["too many fields", { fields: Array.from({ length: 300 }, (_, i) => `X-${i}: 1`) }, "client.fields-too-large"],
    ["a long head", { fields: [`X-Long: ${"x".repeat(70_000)}`] }, "client.fields-too-large"],
    ["brackets without an address", { url: "http://[abc]/" }, "client.bad-host"],
  ]
  for (const [name, request, code] of cases) {
    test(name, async () => {
      const { parsed, identity, rules, route, answer } = await ask(site, request)
      expect({ parsed, identity, rules, route }).toEqual({ parsed: null, identity: null, rules: [], route: null })
      expect(answer).toMatchObject({ kind: "fault", code })
    })
  }
})

describe("who it is", () => {
  test("the connection, or what a trusted hop says", async () => {
    expect((await ask(site, { from: "::ffff:192.0.2.1" })).identity).toEqual({
      client: "192.0.2.1",
      because: "the connection",
      user: "",
      claimed: "",
    })
    const fields = ["X-Forwarded-For: 203.0.113.9, 192.0.2.8"]
    const hop = await ask(site, { from: "10.0.0.1", fields })
    expect(hop.identity).toMatchObject({ client: "192.0.2.8", because: "what the trusted hop 10.0.0.1 says" })
    expect(hop.route?.name).toBe("inside")
    expect((await ask(site, { from: "9.9.9.9", fields })).identity).toMatchObject({ client: "9.9.9.9", because: "the connection" })
    expect((await ask(site, { from: "unix" })).identity).toMatchObject({ client: "unix" })
  })

  const guarded = `
listeners: { egress: { bind: "127.0.0.1:3128", forward: { auth: { htpasswd: users } } } }
routes: [ { name: out, match: { listener: egress }, to: { origin: {} } } ]
`
  test("a proxy's user by name, the password checked and never shown", async () => {
    const asked = (credentials: string) => ask(guarded, { fields: [`Proxy-Authorization: ${basic(credentials)}`] })
    const [right, wrong, none] = [await asked("alice:right"), await asked("alice:wr0ng"), await ask(guarded, {})]
    expect(right).toMatchObject({ identity: { user: "alice", claimed: "alice" }, answer: { kind: "origin", origin: "a.test:80" } })
    expect(right.filters.map(({ phase, result }) => [phase, result])).toEqual([
      ["identify", "passes"],
      ["access", "passes"],
    ])
    expect(wrong).toMatchObject({ identity: { user: "", claimed: "alice" }, rules: [], route: null })
    expect(wrong.answer).toMatchObject({
      kind: "fault",
      code: "proxy.auth-required",
      status: 407,
      says: expect.stringContaining("by the filter proxy-auth"),
    })
    expect(wrong.filters[1]).toMatchObject({ phase: "access", result: "refuses" })
    expect(none).toMatchObject({ identity: { user: "", claimed: "" }, answer: { code: "proxy.auth-required" } })
    for (const text of [right, wrong].map(told => JSON.stringify(told))) {
      expect(text).not.toContain("wr0ng")
      expect(text).not.toContain(Buffer.from("alice:right").toString("base64"))
    }
  })
})

describe("other ways in", () => {
  test("TLS: the scheme is the connection's", async () => {
    const tls = { certificates: [], auto: null, minVersion: "1.2" as const, ciphers: null, alpn: ["http/1.1" as const], clientCertificates: null }
    const secure: Config = { ...site, listeners: { web: { ...site.listeners.web!, bind: [{ host: "", port: 443 }], tls } } }
    const { listener, parsed, route, answer } = await ask(secure, { url: "https://a.test/cached/1" })
    expect([listener.tls, parsed]).toMatchObject([true, { scheme: "https", port: 443 }])
    expect(route?.fields?.added).toContainEqual({ name: "X-Forwarded-Proto", value: "https" })
    expect(answer.kind).toBe("peer")
  })

  test("a Unix socket, to Unix sockets with a PROXY header in front", async () => {
    const text = `
listeners: { web: { bind: "unix:/run/site.sock" } }
clusters: { app: { peers: ["unix:/run/app.sock"], proxyProtocol: v2 } }
routes: [ { to: { cluster: app } } ]
`
    const { request, identity, answer } = await ask(text, { from: "unix" })
    expect([request.from, identity?.client]).toEqual(["unix", "unix"])
    expect(answer).toMatchObject({ kind: "peer", peers: ["unix:/run/app.sock"] })
  })

  test("what came is shown, and no terminal obeys it", async () => {
    const { request, parsed, rules } = await ask(site, { url: "http://a.test/\x1b[31m" })
    expect([request.target, parsed, rules]).toEqual(["/\\x1b[31m", null, []])
  })
})

describe("filters", () => {
  const refuse = (x: Exchange): Verdict => {
    x.fault = FAULT.forbidden
    return FAULT_VERDICT
  }
  const answer201 = (x: Exchange): Verdict => {
    setLocalResponse(x, 201, "", null)
    return ANSWER
  }
  const withFilter = (filter: object): Config => {
    const config = configOf('listeners: { web: { bind: ":1" } }\nroutes: [ { name: r, to: { respond: { body: hi } } } ]\n')
    return { ...config, routes: config.routes.map(route => ({ ...route, filters: [{ name: "mine", options: null, inline: filter }] })) }
  }

  test("each phase in the order of the plan, with what it did", async () => {
    const filter = { response: () => NEXT, access: () => NEXT, log() {}, identify: () => NEXT, describe: () => "of a test" }
    const { filters } = await ask(withFilter(filter), {})
    expect(filters).toEqual([
      { phase: "identify", name: "mine", says: "of a test", result: "passes" },
      { phase: "access", name: "mine", says: "of a test", result: "passes" },
      { phase: "response", name: "mine", says: "of a test", result: "passes" },
      { phase: "log", name: "mine", says: "of a test", result: "passes" },
    ])
  })

  test("one that refuses, answers, throws or never comes back", async () => {
    const access = async (phase: (x: Exchange) => Verdict) => {
      const { filters, answer } = await ask(withFilter({ access: phase }), {})
      return [filters[0]!.result, answer]
    }
    expect(await access(refuse)).toMatchObject(["refuses", { code: "proxy.forbidden", says: expect.stringContaining("(by the filter mine)") }])
    expect(await access(answer201)).toEqual([
      "answers",
      { kind: "reply", status: 201, says: "201 Created without a body, from the proxy itself, by the filter mine" },
    ])
    expect(await access(() => WAIT)).toEqual(["waits", { kind: "unknown", says: "not known: mine waits for something that does not come here" }])
  })
})

describe("questions that make no sense", () => {
  const cases: [string, Partial<ExplainRequest>, string][] = [
    ["no URL", { url: "a.test/x" }, "expected a URL such as http://shop.example/path"],
    ["another scheme", { url: "ftp://a.test/" }, "expected a URL"],
    ["a user in the URL", { url: "http://me:pw@a.test/" }, "-H 'Authorization: …'"],
    ["CONNECT without a port", { method: "CONNECT", url: "a.test" }, "expected host:port"],
    ["no such listener", { listener: "nope" }, 'there is no listener "nope"; expected one of web'],
    ["no address", { from: "here" }, "expected the client's address"],
    ["no colon", { fields: ["X-A"] }, "expected a field such as 'Name: value'"],
    ["a line break", { fields: ["X-A: 1\r\nX-B: 2"] }, "a line break"],
    ["a path without Host", { url: "/x" }, "give -H 'Host: …'"],
  ]
  for (const [name, request, message] of cases) test(name, () => expect(ask(site, request)).rejects.toThrow(message))

  test("a config whose files are gone", () => {
    const config = configOf('listeners: { e: { bind: ":1", forward: { auth: { htpasswd: users } } } }\nroutes: [ { to: { origin: {} } } ]\n')
    const e = config.listeners.e!
    const gone = {
      ...config,
      listeners: { e: { ...e, forward: { ...e.forward!, auth: { ...e.forward!.auth!, htpasswd: "/nowhere/users" } } } },
    }
    expect(ask(gone, {})).rejects.toThrow(/the config cannot be used: .*\/nowhere\/users/)
  })
})
