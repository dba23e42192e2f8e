import { afterAll, afterEach, beforeAll, describe, expect, setSystemTime, test } from "bun:test"
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT, UnsecuredJWT } from "jose"
import { setLogSink } from "../../base/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import jwt from "./jwt.ts"

interface Signer {
  readonly algorithm: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

async function signer(algorithm: string, kid?: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return {
    algorithm,
    privateKey,
    publicKey,
    jwk: { ...(await exportJWK(publicKey)), ...(kid === undefined ? {} : { kid, alg: algorithm, use: "sig" }) },
  }
}

const claims = { sub: "ann", iss: "https://id.test", aud: "shop", scope: "read write", role: ["ops"], inner: { name: "Änn\r\nX-Evil: 1" } }
const sign = (by: Signer, changes: JWTPayload = {}, header: Record<string, unknown> = {}) =>
  new SignJWT({ exp: Math.floor(Date.now() / 1000) + 600, ...claims, ...changes })
    .setProtectedHeader({ alg: by.algorithm, ...(by.jwk.kid === undefined ? {} : { kid: by.jwk.kid }), ...header })
    .sign(by.privateKey)
const get = (token: string, fields = "") =>
  `GET /a HTTP/1.1\r\nHost: a.test\r\n${token === "" ? "" : `Authorization: Bearer ${token}\r\n`}${fields}\r\n`

let rsa: Signer
let ec: Signer
let ed: Signer
beforeAll(async () => {
  ;[rsa, ec, ed] = await Promise.all([signer("RS256", "r"), signer("ES256", "e"), signer("EdDSA", "d")])
})
afterEach(() => void setSystemTime())
beforeAll(() => setLogSink(() => {}))
afterAll(() => setLogSink(null))

const set = (...signers: Signer[]) => JSON.stringify({ keys: signers.map(({ jwk }) => jwk) })

function start(options: Record<string, unknown> = {}, keys = set(rsa, ec, ed)) {
  const deps = new FakeDeps({ "/etc/keys": keys, "/etc/secret": "a-secret-of-32-octets-or-more-0123\n" })
  const { jwks = { file: "keys" }, ...rest } = options
  const settings = { issuer: "https://id.test", audience: ["shop", "else"], ...(options.secretFile === undefined ? { jwks } : {}), ...rest }
  return { deps, run: new FilterRun(jwt.build(jwt.options.parse(settings), deps)) }
}

const statusOf = (reply: string) => Number(reply.slice(9, 12))
const refused = 'WWW-Authenticate: Bearer realm="api", error="invalid_token"\r\n'

describe("jwt", () => {
  test("RS256, ES256 and EdDSA; the second time without a wait", async () => {
    for (const by of [rsa, ec, ed]) {
      const { run, deps } = start({ set: { "X-User": "${claim:sub}", "X-Roles": "${claim:role}", "X-Name": "<${claim:inner.name}>" } })
      const token = await sign(by)
      const spoofed = "X-User: root\r\nx_user: root\r\nConnection: keep-alive, X-User\r\n"
      expect(statusOf(await run.ask(get(token, spoofed)))).toBe(404)
      expect(statusOf(run.send(get(token, spoofed)))).toBe(404)
      expect(run.seen.users).toEqual(["ann", "ann"])
      const sent = `Host: a.test\r\nAuthorization: Bearer ${token}\r\nX-User: ann\r\nX-Roles: ops\r\nX-Name: <\xc3\x84nn  X-Evil: 1>\r\n`
      expect(run.seen.sent).toEqual([sent, sent])
      expect(deps.counts.get("jwt_checked")).toBe(1)
    }
  })

  test("no token, no error; optional lets anonymous requests through, and nobody speaks for himself", async () => {
    const { run } = start()
    expect(run.send(get(""))).toContain('\r\nWWW-Authenticate: Bearer realm="api"\r\n')
    expect(run.send(get("", "Authorization: Basic YTpi\r\n"))).toContain('\r\nWWW-Authenticate: Bearer realm="api"\r\n')
    const open = start({ optional: true, set: { "X-User": "${claim:sub}" } }).run
    expect(statusOf(open.send(get("", "X-User: root\r\n")))).toBe(404)
    expect(open.seen.sent).toEqual(["Host: a.test\r\n"])
    expect(statusOf(await open.ask(get("rubbish")))).toBe(401)
  })

  test("every changed character is refused", async () => {
    const { run } = start()
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    const token = await sign(ec)
    expect(statusOf(await run.ask(get(token)))).toBe(404)
    let refusals = 0
    for (let i = 0; i < token.length; i++) {
      for (const flip of [1, 13]) {
        const changed = token.slice(0, i) + alphabet[(alphabet.indexOf(token[i]!) + flip) % alphabet.length]! + token.slice(i + 1)
        const reply = await run.ask(get(changed))
        if (!reply.startsWith("HTTP/1.1 401 ") || !reply.includes(refused)) throw new Error(`character ${i} of ${token} as ${changed}: ${reply}`)
        refusals++
      }
    }
    expect(refusals).toBe(token.length * 2)
    for (const changed of [
      `${token}A`,
      `${token}=`,
      `${token}.`,
      token.slice(0, -1),
      token.toLowerCase(),
      token.split(".").reverse().join("."),
      `${token}\t`,
    ])
      if (changed.trim() !== token) expect(statusOf(await run.ask(get(changed)))).toBe(401)
  })

  test("alg none, and a public key as a secret", async () => {
    const { run } = start({}, set(rsa))
    const none = new UnsecuredJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 60 }).encode()
    expect(statusOf(await run.ask(get(none)))).toBe(401)
    expect(statusOf(await run.ask(get(`${none}x`)))).toBe(401)
    for (const secret of [await exportSPKI(rsa.publicKey), JSON.stringify(rsa.jwk)]) {
      for (const kid of [{}, { kid: "r" }]) {
        const forged = await new SignJWT({ ...claims })
          .setProtectedHeader({ alg: "HS256", ...kid })
          .setExpirationTime("1m")
          .sign(Buffer.from(secret))
        expect(statusOf(await run.ask(get(forged)))).toBe(401)
      }
    }
    const config = { issuer: "*", audience: "*" }
    expect(jwt.options.safeParse({ ...config, jwks: { file: "k" }, algorithms: ["HS256"] }).success).toBe(false)
    expect(jwt.options.safeParse({ ...config, secretFile: "k", algorithms: ["RS256"] }).success).toBe(false)
    expect(() => start({}, JSON.stringify({ keys: [{ kty: "oct", k: "AAAA" }] }))).toThrow("has no place in a set of public keys")
  })

  test("keys that the token brings along, crit and other algorithms of the same key", async () => {
    const { run } = start({ algorithms: ["ES256"] })
    const own = await signer("ES256")
    for (const header of [{ jwk: own.jwk }, { jku: "http://127.0.0.1:1/keys" }, { x5u: "http://127.0.0.1:1/" }, { kid: "../../keys" }, { kid: "e" }])
      expect(statusOf(await run.ask(get(await sign(own, {}, header))))).toBe(401)
    expect(statusOf(await run.ask(get(await sign(rsa))))).toBe(401)
    const critical = new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", kid: "e", crit: ["x-rule"], "x-rule": 1 }).setExpirationTime("1m")
    expect(statusOf(await run.ask(get(await critical.sign(ec.privateKey, { crit: { "x-rule": true } }))))).toBe(401)
  })

  test.each<[string, JWTPayload]>([
    ["another issuer", { iss: "https://evil.test" }],
    ["no issuer", { iss: undefined }],
    ["another audience", { aud: ["other"] }],
    ["no audience", { aud: undefined }],
    ["over", { exp: Math.floor(Date.now() / 1000) - 60 }],
    ["no end", { exp: undefined }],
    ["an end that is no number", { exp: "tomorrow" as never }],
    ["not yet", { nbf: Math.floor(Date.now() / 1000) + 120 }],
  ])("refuses a token for %s", async (_, changes) => {
    const { run, deps } = start()
    expect(await run.ask(get(await sign(ec, changes)))).toContain(refused)
    expect(run.seen.faults).toEqual(["proxy.token-invalid"])
    expect(deps.counts.get("jwt_refused")).toBe(1)
  })

  test("a remembered token ends when it ends", async () => {
    const { run, deps } = start({ clockSkew: 0 })
    const token = await sign(ec, { exp: Math.floor(Date.now() / 1000) + 60 })
    await run.ask(get(token))
    expect(statusOf(run.send(get(token)))).toBe(404)
    setSystemTime(Date.now() + 61_000)
    expect(statusOf(await run.ask(get(token)))).toBe(401)
    expect(deps.counts.get("jwt_checked")).toBe(2)
  })

  test("a key that is taken away takes its remembered tokens along; a bad file changes nothing", async () => {
    const { run, deps } = start()
    const token = await sign(ec)
    await run.ask(get(token))
    expect(() => deps.change("/etc/keys", "{")).toThrow("/etc/keys: expected a JSON Web Key Set")
    expect(statusOf(run.send(get(token)))).toBe(404)
    deps.change("/etc/keys", set(rsa))
    expect(statusOf(await run.ask(get(token)))).toBe(401)
    expect(statusOf(await run.ask(get(await sign(rsa))))).toBe(404)
  })

  test("without kid each key that could be is tried", async () => {
    const [one, two] = await Promise.all([signer("ES256"), signer("ES256")])
    const { run } = start({}, set(one, two))
    for (const by of [one, two]) expect(statusOf(await run.ask(get(await sign(by))))).toBe(404)
    expect(statusOf(await run.ask(get(await sign(await signer("ES256")))))).toBe(401)
  })

  test("scopes and claims: 403 says which", async () => {
    const { run } = start({ scopes: ["read", "admin"] })
    const reply = await run.ask(get(await sign(ec)))
    expect(reply).toStartWith("HTTP/1.1 403 ")
    expect(reply).toContain('\r\nWWW-Authenticate: Bearer realm="api", error="insufficient_scope", scope="read admin"\r\n')
    expect(run.seen.faults).toEqual(["proxy.scope-missing"])
    expect(statusOf(await run.ask(get(await sign(ec, { scope: undefined, scp: ["admin", "read"] }))))).toBe(404)
    const roles = start({ claims: { role: ["ops", "admin"], "inner.name": "x" } }).run
    expect(statusOf(await roles.ask(get(await sign(ec))))).toBe(403)
    expect(statusOf(await roles.ask(get(await sign(ec, { inner: { name: "x" } }))))).toBe(404)
    expect(statusOf(await roles.ask(get(await sign(ec, { role: "guest", inner: { name: "x" } }))))).toBe(403)
  })

  test("HS256 with a secret, and with another one", async () => {
    const { run, deps } = start({ secretFile: "secret" })
    const token = (secret: string) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1m").sign(Buffer.from(secret))
    const good = await token("a-secret-of-32-octets-or-more-0123")
    expect(statusOf(await run.ask(get(good)))).toBe(404)
    expect(statusOf(await run.ask(get(await token("another-secret-of-32-octets-or-more"))))).toBe(401)
    expect(statusOf(await run.ask(get(await sign(rsa))))).toBe(401)
    expect(() => deps.change("/etc/secret", "short")).toThrow("at least 32 octets")
    deps.change("/etc/secret", "another-secret-of-32-octets-or-more")
    expect(statusOf(await run.ask(get(good)))).toBe(401)
  })

  test("two tokens, and long ones, are refused without a look", async () => {
    const { run, deps } = start({ tokenBytesMax: 1000 })
    const token = await sign(ec)
    for (const request of [get(token, `Authorization: Bearer ${token}\r\n`), get(`${token}${"A".repeat(1000)}`)])
      expect(statusOf(run.send(request))).toBe(401)
    expect(deps.counts.get("jwt_checked")).toBeUndefined()
  })

  test("from a cookie or a parameter, which need not go on", async () => {
    const { run } = start({ from: ["cookie:t", "parameter:access_token"], keepToken: false })
    const token = await sign(ed)
    expect(statusOf(await run.ask(get("", `Cookie: a=b; t=${token}\r\n`)))).toBe(404)
    expect(statusOf(await run.ask(get("").replace("/a", `/a?access_token=${token}`)))).toBe(404)
    expect(run.seen.sent).toEqual(["Host: a.test\r\nCookie: a=b\r\n", "Host: a.test\r\n"])
  })

  test("a client that leaves during the check leaves nothing behind", async () => {
    const { run } = start({ set: { "X-User": "${claim:sub}" } })
    expect(run.send(get(await sign(rsa)))).toBe("")
    run.leave()
    await Bun.sleep(20)
    expect([run.seen.faults, run.seen.users, run.seen.sent]).toEqual([["client.aborted"], [""], []])
  })
})
