import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { hashSync } from "bcryptjs"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { FAULT, setLogSink } from "../../base/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import anyOf from "./any-of.ts"

beforeAll(() => setLogSink(() => {}))
afterAll(() => setLogSink(null))

const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true })
const token = (sub: string) => new SignJWT({ sub, iss: "i", aud: "a" }).setProtectedHeader({ alg: "ES256" }).setExpirationTime("1m").sign(privateKey)
const files = {
  "/etc/keys": JSON.stringify({ keys: [await exportJWK(publicKey)] }),
  "/etc/users": `ann:${hashSync("sesame", 4)}\n`,
  "/etc/api": "shop:key-of-the-shop-0123456789\n",
}
const jwt = { jwt: { issuer: "i", audience: "a", jwks: { file: "keys" }, set: { "X-User": "${claim:sub}" }, realm: "tokens" } }
const basic = { "basic-auth": { htpasswd: "users", realm: "people" } }
const key = { "api-key": { keys: "api" } }
const auth = { "forward-auth": { cluster: "auth", path: "/", copy: ["Remote-User"], copyBack: ["X-Back"] } }

function start(...alternatives: unknown[]) {
  const deps = new FakeDeps(files)
  return { deps, run: new FilterRun(anyOf.build(anyOf.options.parse(alternatives), deps)) }
}
const get = (fields = "") => `GET /a HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
const bearer = (text: string) => `Authorization: Bearer ${text}\r\n`
const password = (text: string) => `Authorization: Basic ${Buffer.from(`ann:${text}`).toString("base64")}\r\n`
const statusOf = (reply: string) => Number(reply.slice(9, 12))

describe("any-of", () => {
  test("a token, a key or a password; whoever has none is told of all ways in", async () => {
    const { run } = start(basic, jwt, key)
    expect(statusOf(await run.ask(get(bearer(await token("t")))))).toBe(404)
    expect(statusOf(await run.ask(get("X-API-Key: key-of-the-shop-0123456789\r\n")))).toBe(404)
    expect(statusOf(await run.ask(get(password("sesame"))))).toBe(404)
    expect(run.seen.users).toEqual(["t", "shop", "ann"])
    for (const fields of ["", "X-API-Key: wrong\r\n"]) {
      const reply = await run.ask(get(fields))
      expect(reply).toStartWith("HTTP/1.1 401 ")
      expect(reply.match(/WWW-Authenticate: \w+/g)).toEqual(["WWW-Authenticate: ApiKey", "WWW-Authenticate: Bearer", "WWW-Authenticate: Basic"])
    }
  })

  test("a wrong token, then a password that takes its time: its verdict counts, and every way in is told", async () => {
    const { run } = start(jwt, basic)
    expect(statusOf(await run.ask(get(bearer("rubbish"))))).toBe(401)
    const reply = await run.ask(get(password("wrong")))
    expect(reply.match(/WWW-Authenticate: \w+/g)?.toSorted()).toEqual(["WWW-Authenticate: Basic", "WWW-Authenticate: Bearer"])
    expect(statusOf(await run.ask(get(password("sesame"))))).toBe(404)
    expect(run.seen.sent).toEqual(["Host: a.test\r\n"])
  })

  test("a checked token that does not suffice, then a service that has to be asked", async () => {
    const { run, deps } = start({ jwt: { ...jwt.jwt, scopes: ["admin"] } }, auth)
    run.send(get(bearer(await token("t"))))
    for (let i = 0; i < 500 && deps.sent.length === 0; i++) await Bun.sleep(1)
    deps.sent[0]!.done(
      {
        status: 200,
        response: Fields.of([
          ["Remote-User", "r"],
          ["X-Back", "b"],
        ]),
        body: Buffer.alloc(0),
        peer: "",
      },
      null,
    )
    expect(statusOf(run.output)).toBe(404)
    expect(run.output).toContain("\r\nX-Back: b\r\n")
    run.send(get())
    deps.sent[1]!.done(null, FAULT.connectRefused)
    expect(statusOf(run.output)).toBe(503)
    run.send(get(bearer(await token("u"))))
    for (let i = 0; i < 500 && deps.sent.length === 2; i++) await Bun.sleep(1)
    run.leave()
    expect(deps.sent[2]!.cancelled).toBe(true)
  })

  test("nobody smuggles what another alternative would say", async () => {
    const { run } = start(auth, jwt)
    expect(statusOf(await run.ask(get(`${bearer(await token("t"))}Remote-User: root\r\nremote_user: root\r\nX-User: root\r\n`)))).toBe(404)
    expect(run.seen.sent[0]).not.toContain("root")
    expect(run.seen.sent[0]).toContain("\r\nX-User: t\r\n")
  })

  test("an address, or a key; refused addresses are asked for the key", () => {
    const inside = start({ "ip-list": { allow: ["192.0.2.0/24"] } }, key).run
    expect(statusOf(inside.send(get()))).toBe(404)
    const outside = start({ "ip-list": { allow: ["10.0.0.0/8"] } }, key).run
    expect(outside.send(get())).toMatch(/^HTTP\/1.1 401 .*ApiKey/s)
    const closed = start({ "ip-list": { allow: ["10.0.0.0/8"] } }, { "ip-list": { allow: ["10.0.0.0/8"] } }).run
    expect(statusOf(closed.send(get()))).toBe(403)
    expect(closed.seen.faults).toEqual(["proxy.forbidden"])
  })

  test("a certificate, or a key", () => {
    const filter = anyOf.build(anyOf.options.parse([{ "require-certificate": {} }, key]), new FakeDeps(files))
    const shown = { verified: true, problem: "", name: "CN=a", subject: "", issuer: "", serialNumber: "", fingerprint256: "" }
    expect(statusOf(new FilterRun(filter, undefined, { clientCertificate: shown }).send(get()))).toBe(404)
    expect(statusOf(new FilterRun(filter, undefined, { clientCertificate: null }).send(get()))).toBe(401)
  })

  test("what is wrong inside is told where it stands", () => {
    const options = anyOf.options.parse([auth, { "basic-auth": { htpasswd: "/nowhere/users" } }].slice(0, 1).concat([key as never]))
    expect(anyOf.clusters!(options)).toEqual([{ at: [0, "forward-auth", "cluster"], name: "auth" }])
    const problems = anyOf.problems!(anyOf.options.parse([key, { "basic-auth": { htpasswd: "users" } }]), path => `/nowhere/${path}`)
    expect(problems.map(({ at, text }) => [at, text])).toEqual([
      [[0, "api-key", "keys"], "/nowhere/api: there is no such file"],
      [[1, "basic-auth", "htpasswd"], "/nowhere/users: there is no such file"],
    ])
  })

  test.each([[[]], [[key]], [[basic, auth]], [[key, {}]], [[key, { ...key, ...jwt }]], [[key, { headers: {} }]], [[key, { "api-key": {} }]]])(
    "refuses %j",
    options => expect(anyOf.options.safeParse(options).success).toBe(false),
  )
})
