import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { signed, signingKey } from "../../support/oidc-provider.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// Tokens, certificates, a service, networks, groups, and what a client may get wrong.
const folder = temporaryFolder("ways")
const write = (name: string, content: string): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const [tokens, secure, service, address, networks, limited] = (await freePorts(6)) as [number, number, number, number, number, number]
const origin = await recorder()
const echo = await scriptedServer(async connection => {
  connection.send(`back ${await connection.through("\n")}`)
  connection.fin()
})
/** Knows carol by her password, dora by her address, and fails for trouble. */
const decides = await recorder(({ fields }) => {
  const [user, password] = Buffer.from((fields["authorization"] ?? "").slice(6), "base64")
    .toString()
    .split(":")
  const status = user === "trouble" ? "500 No" : password === "carolsecret" || fields["x-client-address"] === "127.0.0.7" ? "204 Yes" : "401 No"
  const who = fields["x-client-address"] === undefined ? "" : "X-User: dora\r\n"
  return `HTTP/1.1 ${status}\r\n${who}X-Groups: sales, eu\r\nContent-Length: 0\r\n\r\n`.replace(
    /Content-Length: 0\r\n(?=\r\n$)/,
    status.startsWith("204") ? "" : "$&",
  )
})
const people = new Authority("People CA")
const others = new Authority("Other CA")
const server = people.issue(["127.0.0.1"])
const [erin, mallory] = [people.issue(["erin"]), others.issue(["erin"])]
const authorities = write("ca.pem", people.ca.cert + others.ca.cert)
const key = await signingKey("ES256", "k1")
const token = (claims: object): Promise<string> => signed(key, { iss: "issuer", aud: "proxy", exp: Math.floor(Date.now() / 1000) + 60, ...claims })
const users = write("users", `ann:{SHA}${createHash("sha1").update("annsecret").digest("base64")}\n`)
const bearer = {
  tokens: write("tokens", `robot:{SHA256}${createHash("sha256").update("a-token-of-the-robot").digest("hex")}\n`),
  jwt: { issuer: "issuer", audience: "proxy", jwks: { file: write("jwks", JSON.stringify({ keys: [key.jwk] })) }, user: "email" },
}
const open = { privateRanges: "allow", connectPorts: [echo.port], ports: [origin.port] }
const listener = (port: number, auth: object, more: object = {}) => ({ bind: `127.0.0.1:${port}`, forward: { ...open, auth }, ...more })
const proxy = await startBothways(
  {
    listeners: {
      tokens: listener(tokens, { bearer, groups: write("groups", "machines: robot\nall: robot ann\n"), wrongMax: 0 }),
      secure: listener(
        secure,
        { certificate: { issuers: "People CA" }, htpasswd: users },
        { tls: { certificates: [{ cert: server.certFile, key: server.keyFile }], clientCertificates: { mode: "optional", ca: authorities } } },
      ),
      service: listener(service, { htpasswd: users, http: { cluster: "decides", path: "/login" }, wrongMax: 0 }),
      address: listener(address, { http: { cluster: "decides", by: "address" } }),
      networks: listener(networks, {
        htpasswd: users,
        networks: { "127.0.0.0/8": "required", "127.0.0.4/30": "optional", "127.0.0.6": "none" },
      }),
      limited: listener(limited, { htpasswd: users, wrongMax: 8, attemptsMax: 3 }),
    },
    clusters: { decides: { peers: [decides.address] } },
    routes: [{ to: { origin: {} } }],
  },
  { workers: 2 },
)
afterAll(async () => {
  await proxy.stop()
  for (const peer of [origin, echo, decides]) await peer[Symbol.asyncDispose]()
})

const basic = (login: string): string => `Basic ${Buffer.from(login).toString("base64")}`
let asked = 0
/** Each request has a path of its own, by which its line is found in the log. */
const site = (): string => `http://${origin.address}/${++asked}`
const get = (credentials: string): string =>
  `GET ${site()} HTTP/1.1\r\nHost: ${origin.address}\r\n${credentials === "" ? "" : `Proxy-Authorization: ${credentials}\r\n`}\r\n`
async function ask(port: number, credentials = "", from = "127.0.0.1"): Promise<number> {
  using client = await rawClient(port, { from })
  client.send(get(credentials))
  return (await client.response()).status
}
/** Status, user and groups of the last request of `work`, as the log has them. */
async function told(work: () => Promise<unknown>): Promise<readonly unknown[]> {
  await work()
  const line = await until(() => proxy.log().find(one => one["target"] === `/${asked}`))
  return [line["status"], line["user"], line["groups"]]
}

describe("bearer", () => {
  test("tokens of the file, and of the issuer", async () => {
    expect(await told(() => ask(tokens, "Bearer a-token-of-the-robot"))).toEqual([200, "robot", "machines,all"])
    const jwt = await token({ email: "fay@example.test", groups: ["dev", "vpn"] })
    for (let i = 0; i < 3; i++) expect(await ask(tokens, `Bearer ${jwt}`)).toBe(200)
    expect(await told(() => ask(tokens, `bearer ${jwt}`))).toEqual([200, "fay@example.test", "dev,vpn"])
    const wrong = [
      `${jwt}x`,
      await token({ sub: "no e-mail" }),
      await token({ email: "f", aud: "another" }),
      await token({ email: "f", exp: 1 }),
      "",
      "a-token-of-the-robo",
    ]
    for (const one of wrong) expect([one, await ask(tokens, `Bearer ${one}`)]).toEqual([one, 407])
    expect(await ask(tokens, basic("ann:annsecret"))).toBe(407)
  })

  test("the challenge says what was wrong", async () => {
    using client = await rawClient(tokens)
    client.send(get(""))
    expect((await client.response()).fields["proxy-authenticate"]).toBe('Bearer realm="proxy"')
    client.send(get("Bearer x.y.z"))
    expect((await client.response()).fields["proxy-authenticate"]).toBe('Bearer realm="proxy", error="invalid_token"')
  })
})

describe("certificate", () => {
  const curl = (...args: string[]) =>
    run(
      "curl",
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "--noproxy",
      "",
      "-x",
      `https://127.0.0.1:${secure}`,
      "--proxy-cacert",
      people.ca.certFile,
      ...args,
    )

  test("curl over TLS: a certificate of the right issuer, or a password", async () => {
    const show = (made: typeof erin): string[] => ["--proxy-cert", made.certFile, "--proxy-key", made.keyFile, site()]
    expect(await told(() => curl(...show(erin)))).toEqual([200, "erin", undefined])
    expect((await curl(...show(mallory))).stdout).toBe("407")
    expect(await told(() => curl("--proxy-user", "ann:annsecret", ...show(erin)))).toEqual([200, "ann", undefined])
    expect((await curl("--proxy-user", "ann:no", ...show(erin))).stdout).toBe("407")
    expect((await curl("--proxy-user", "ann:annsecret", site())).stdout).toBe("200")
    expect((await curl(site())).stdout).toBe("407")
  })
})

describe("HTTP/2 over TLS", () => {
  test("a certificate speaks for all streams, and a wrong password for its own", async () => {
    using client = await rawH2Client(secure, { tls: { cert: erin.cert, key: erin.key } })
    const fields = { ":authority": origin.address, ":scheme": "http" }
    const status = async (more: object): Promise<number> => (await client.response(client.request({ ...fields, ...more }))).status
    expect(
      await Promise.all([status({}), status({ "proxy-authorization": basic("ann:no") }), status({ "proxy-authorization": basic("ann:annsecret") })]),
    ).toEqual([200, 407, 200])
    const id = client.request(
      [
        [":method", "CONNECT"],
        [":authority", echo.address],
      ],
      { end: false },
    )
    expect((await client.head(id)).status).toBe(200)
    client.data(id, "bytes\n", { end: true })
    expect((await client.response(id)).body).toBe("back bytes\n")
    using nobody = await rawH2Client(secure, { tls: {} })
    const asked = await nobody.response(nobody.request(fields))
    expect([asked.status, String(asked.headers["proxy-authenticate"])]).toEqual([407, 'Basic realm="proxy", charset="UTF-8"'])
  })
})

describe("http", () => {
  test("a service decides about those whom the file does not know, and is not asked again at once", async () => {
    const before = decides.requests.length
    expect(await ask(service, basic("ann:annsecret"))).toBe(200)
    expect(await ask(service, basic("ann:carolsecret"))).toBe(407)
    expect(decides.requests.length).toBe(before)
    for (let i = 0; i < 4; i++) expect(await ask(service, basic("carol:carolsecret"))).toBe(200)
    expect(await told(() => ask(service, basic("carol:carolsecret")))).toEqual([200, "carol", "sales,eu"])
    expect(await ask(service, basic("carol:no"))).toBe(407)
    expect(await ask(service, basic("trouble:x"))).toBe(503)
    expect(await ask(service)).toBe(407)
    // Each of two workers asks for itself.
    expect(decides.requests.filter(({ fields }) => fields["authorization"] === basic("carol:carolsecret")).length).toBeLessThanOrEqual(2)
    expect(decides.requests.every(({ start }) => start === "GET /login HTTP/1.1")).toBe(true)
  })

  test("by address: who is known needs no password", async () => {
    expect(await told(() => ask(address, "", "127.0.0.7"))).toEqual([200, "dora", "sales,eu"])
    expect(await ask(address, "", "127.0.0.8")).toBe(407)
    expect(await ask(address, basic("carol:carolsecret"), "127.0.0.7")).toBe(407)
  })
})

describe("networks", () => {
  test("the narrowest counts", async () => {
    const right = basic("ann:annsecret")
    const rows = [
      ["127.0.0.1", "", 407],
      ["127.0.0.1", right, 200],
      ["127.0.0.5", "", 200],
      ["127.0.0.5", right, 200],
      ["127.0.0.5", basic("ann:no"), 407],
      ["127.0.0.6", "", 200],
      ["127.0.0.6", basic("ann:no"), 200],
    ] as const
    for (const [from, credentials, status] of rows) expect([from, await ask(networks, credentials, from)]).toEqual([from, status])
    expect((await told(() => ask(networks, right, "127.0.0.5")))[1]).toBe("ann")
    expect((await told(() => ask(networks, right, "127.0.0.6")))[1]).toBeUndefined()
    expect(origin.requests.filter(({ head }) => /proxy-auth/i.test(head))).toEqual([])
  })
})

describe("SOCKS 5", () => {
  const curl = (port: number, login: string, from = "127.0.0.1") =>
    run(
      "curl",
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "--interface",
      from,
      "-x",
      `socks5h://${login}127.0.0.1:${port}`,
      `http://${echo.address}/`,
    )

  test("a name and a password are judged as everybody's", async () => {
    using client = await rawClient(networks)
    const login = (password: string): string => `\x01\x03ann${String.fromCharCode(password.length)}${password}`
    client.send("\x05\x01\x02")
    expect(await client.bytes(2)).toBe("\x05\x02")
    client.send(`${login("annsecret")}`)
    expect(await client.bytes(2)).toBe("\x01\0")
    client.send(`\x05\x01\0\x01\x7f\0\0\x01${String.fromCharCode(echo.port >> 8, echo.port & 255)}`)
    expect((await client.bytes(10)).slice(0, 2)).toBe("\x05\0")
    client.send("bytes\n")
    expect(await client.toEnd()).toBe("back bytes\n")
  })

  test("wrong ones are not allowed, and cost an attempt; some networks need none", async () => {
    const lineOf = (client: string) => until(() => proxy.log().find(line => line["client"] === client && line["method"] === "CONNECT"))
    expect((await curl(networks, "ann:no@", "127.0.0.11")).code).toBe(97)
    expect(await lineOf("127.0.0.11")).toMatchObject({ status: 407, fault: "proxy.auth-required" })
    expect((await curl(networks, "", "127.0.0.12")).code).toBe(97)
    expect(await lineOf("127.0.0.12")).toMatchObject({ status: 407 })
    using client = await rawClient(networks, { from: "127.0.0.6" })
    client.send("\x05\x01\0")
    expect(await client.bytes(2)).toBe("\x05\0")
    client.send(`\x05\x01\0\x01\x7f\0\0\x01${String.fromCharCode(echo.port >> 8, echo.port & 255)}`)
    expect((await client.bytes(10)).slice(0, 2)).toBe("\x05\0")
  })
})

describe("limits", () => {
  test("a client that guesses: closed connections, then nobody looks any more, but who is known gets in", async () => {
    expect(await ask(limited, basic("ann:annsecret"), "127.0.0.9")).toBe(200)
    using known = await rawClient(limited, { from: "127.0.0.9" })
    known.send(get(basic("ann:annsecret")))
    expect((await known.response()).status).toBe(200)
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push(await ask(limited, basic(`ann:guess${i}`), "127.0.0.9"))
    expect(statuses).toEqual([...Array(8).fill(407), ...Array(4).fill(429)])
    known.send(get(basic("ann:annsecret")))
    expect((await known.response()).status).toBe(200)
    expect(await ask(limited, basic("ann:guess"), "127.0.0.10")).toBe(407)
    await until(() => proxy.log().some(line => line["fault"] === "proxy.auth-limited"))
  })

  test("no secret is told", () => {
    const all = proxy.program.lines.join("\n") + proxy.program.stderr
    expect(all).not.toMatch(/secret|guess|token-of|eyJ/)
    expect(readFileSync(users, "utf8")).toContain("ann:")
  })
})
