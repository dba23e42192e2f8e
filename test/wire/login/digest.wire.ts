import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// RFC 7616 with curl and with clients of our own, over HTTP/1.1 and HTTP/2, two workers.
const realm = "the office"
const h = (algorithm: string, text: string): string => createHash(algorithm).update(text, "utf8").digest("hex")
const line = (algorithm: string, user: string, password: string): string => `${user}:${realm}:${h(algorithm, `${user}:${realm}:${password}`)}\n`
const folder = temporaryFolder("digest")
const file = join(folder, "users")
writeFileSync(file, line("sha256", "ann", "ann secret") + line("md5", "ann", "ann secret") + line("sha256", "jörg", "jörgsecret"))
const passwords = join(folder, "htpasswd")
writeFileSync(passwords, `bob:{SHA}${createHash("sha1").update("bobsecret").digest("base64")}\n`)

const [port, old, short, hashed] = (await freePorts(4)) as [number, number, number, number]
const origin = await recorder()
const echo = await scriptedServer(async connection => {
  connection.send(`back ${await connection.through("\n")}`)
  connection.fin()
})
const listener = (bind: number, digest: object, more: object = {}) => ({
  bind: `127.0.0.1:${bind}`,
  forward: {
    ...{ privateRanges: "allow", connectPorts: [origin.port, echo.port], ports: [origin.port] },
    auth: { realm, digest: { htdigest: file, ...digest }, wrongMax: 0, ...more },
  },
})
const proxy = await startBothways(
  {
    listeners: {
      digest: listener(port, {}, { basic: { htpasswd: passwords } }),
      old: listener(old, { algorithms: ["MD5", "SHA-256"] }),
      short: listener(short, { nonceLife: "1s" }),
      hashed: listener(hashed, { userhash: true }),
    },
    routes: [{ to: { origin: {} } }],
  },
  { workers: 2 },
)
afterAll(async () => {
  await proxy.stop()
  for (const server of [origin, echo]) await server[Symbol.asyncDispose]()
})

const site = `http://${origin.address}/a?b=c`
const curl = (at: number, ...args: string[]) =>
  run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}/%{http_connect}", "--noproxy", "", "-x", `http://127.0.0.1:${at}`, ...args)

/** What a client answers to the first challenge in `lines`. */
function answer(lines: string, user: string, password: string, { method = "GET", uri = "/a?b=c", nc = 1, more = "" } = {}): string {
  const nonce = /nonce="([^"]+)"/.exec(lines)![1]!
  const count = nc.toString(16).padStart(8, "0")
  const response = h("sha256", `${h("sha256", `${user}:${realm}:${password}`)}:${nonce}:${count}:cn:auth:${h("sha256", `${method}:${uri}`)}`)
  const name = more === "" ? user : h("sha256", `${user}:${realm}`)
  return `Digest username="${name}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=SHA-256, qop=auth, nc=${count}, cnonce="cn", response="${response}"${more}`
}
const get = (credentials: string): string =>
  `GET ${site} HTTP/1.1\r\nHost: ${origin.address}\r\n${credentials === "" ? "" : `Proxy-Authorization: ${credentials}\r\n`}\r\n`
async function exchange(at: number, credentials: string): Promise<readonly [number, string]> {
  using client = await rawClient(at)
  client.send(get(Buffer.from(credentials, "utf8").toString("latin1")))
  const { status, fields } = await client.response()
  return [status, fields["proxy-authenticate"] ?? ""]
}
const challenge = async (at: number): Promise<string> => (await exchange(at, ""))[1]

describe("digest", () => {
  test("curl: GET, a body, a tunnel; right and wrong", async () => {
    const ann = ["--proxy-digest", "--proxy-user", "ann:ann secret"]
    const calls = [
      [[...ann, site], "200/000"],
      [[...ann, "-d", "x=1", site], "200/000"],
      [[...ann, "-p", site], "200/200"],
      [["--proxy-digest", "--proxy-user", "jörg:jörgsecret", site], "200/000"],
      [["--proxy-digest", "--proxy-user", "ann:no", site], "407/000"],
      [["--proxy-digest", "--proxy-user", "eve:x", site], "407/000"],
      [["--proxy-basic", "--proxy-user", "bob:bobsecret", site], "200/000"],
      [["--proxy-anyauth", "--proxy-user", "ann:ann secret", site], "200/000"],
      [["--proxy-basic", "--proxy-user", "ann:ann secret", site], "407/000"],
      [[site], "407/000"],
    ] as const
    const ran = await Promise.all(calls.map(([args]) => curl(port, ...args)))
    expect(ran.map(({ stdout }) => stdout)).toEqual(calls.map(([, code]) => code))
    expect((await curl(old, ...ann, "-p", site)).stdout).toBe("200/200")
    expect(origin.requests.filter(({ head }) => /proxy-auth|Digest|Basic/i.test(head))).toEqual([])
  })

  test("challenges: the strongest first, MD5 only where asked for", async () => {
    using client = await rawClient(old)
    client.send(get(""))
    const { head } = await client.response()
    expect([...head.matchAll(/^Proxy-Authenticate: Digest .*algorithm=(\S+)/gim)].map(match => match[1])).toEqual(["SHA-256", "MD5"])
    using both = await rawClient(port)
    both.send(get(""))
    const schemes = [...(await both.response()).head.matchAll(/^Proxy-Authenticate: (\w+)/gim)].map(match => match[1])
    expect(schemes).toEqual(["Digest", "Basic"])
  })

  test("O-48: asked, wrong, right, right again on one connection", async () => {
    using client = await rawClient(port)
    const ask = async (credentials: string): Promise<number> => {
      client.send(get(credentials))
      return (await client.response()).status
    }
    client.send(get(""))
    const first = (await client.response()).fields["proxy-authenticate"]!
    expect(first).not.toContain("stale")
    const answers = [answer(first, "ann", "no"), answer(first, "ann", "ann secret"), answer(first, "ann", "ann secret", { nc: 2 })]
    const statuses: number[] = []
    for (const credentials of answers) statuses.push(await ask(credentials))
    expect(statuses).toEqual([407, 200, 200])
    client.send(
      `CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\nProxy-Authorization: ${answer(first, "ann", "ann secret", { method: "CONNECT", uri: echo.address, nc: 3 })}\r\n\r\n`,
    )
    expect((await client.response("CONNECT")).status).toBe(200)
    client.send("bytes\n")
    expect(await client.toEnd()).toBe("back bytes\n")
  })

  test("no answer counts twice, whatever worker sees it again; the second gets a new nonce", async () => {
    const first = answer(await challenge(port), "ann", "ann secret")
    const seen = await Promise.all(Array.from({ length: 12 }, () => exchange(port, first)))
    expect(seen.filter(([status]) => status === 200)).toHaveLength(1)
    const refused = seen.filter(([status]) => status === 407)
    expect(refused.map(([, lines]) => lines.includes("stale=true"))).toEqual(Array(11).fill(true))
    expect((await exchange(port, answer(refused[0]![1], "ann", "ann secret")))[0]).toBe(200)
  })

  test("an answer is for one request", async () => {
    const lines = await challenge(port)
    for (const options of [{ method: "POST" }, { uri: "/other" }, { uri: "/a" }, { uri: `http://elsewhere.test/a?b=c` }])
      expect([options, (await exchange(port, answer(lines, "ann", "ann secret", options)))[0]]).toEqual([options, 407])
    expect((await exchange(port, answer(lines, "ann", "ann secret", { uri: site })))[0]).toBe(200)
  })

  test("an old nonce is replaced without a new question; one that nobody made too", async () => {
    const lines = await challenge(short)
    await Bun.sleep(1100)
    const [status, fresh] = await exchange(short, answer(lines, "ann", "ann secret"))
    expect([status, fresh.includes("stale=true")]).toEqual([407, true])
    expect((await exchange(short, answer(fresh, "ann", "ann secret")))[0]).toBe(200)
    const [other, said] = await exchange(port, answer('nonce="made-by-nobody"', "ann", "ann secret"))
    expect([other, said.includes("stale=true")]).toEqual([407, true])
    expect((await exchange(port, answer('nonce="made-by-nobody"', "ann", "no")))[1]).not.toContain("stale")
  })

  test("a hash for the name, where it is offered", async () => {
    const lines = await challenge(hashed)
    expect(lines).toContain("userhash=true")
    expect((await exchange(hashed, answer(lines, "jörg", "jörgsecret", { more: ", userhash=true" })))[0]).toBe(200)
    expect((await exchange(port, answer(await challenge(port), "jörg", "jörgsecret", { more: ", userhash=true" })))[0]).toBe(407)
  })

  test("HTTP/2: asked, then in, on streams of one connection", async () => {
    using client = await rawH2Client(port)
    const fields = { ":authority": origin.address, ":path": "/a?b=c" }
    const asked = await client.response(client.request(fields))
    const lines = String(asked.headers["proxy-authenticate"])
    expect([asked.status, lines.startsWith("Digest ")]).toEqual([407, true])
    const ids = [1, 3, 2].map(nc => client.request({ ...fields, "proxy-authorization": answer(lines, "ann", "ann secret", { nc }) }))
    const statuses = await Promise.all(ids.map(async id => (await client.response(id)).status))
    expect(statuses).toEqual([200, 200, 200])
  })

  test("outcomes are counted, and no secret is told", async () => {
    const samples = await scrape(proxy)
    for (const outcome of ["in", "asked", "wrong", "stale"])
      expect([outcome, samples.get(`bothways_proxy_auth_${outcome}_total`)! > 2]).toEqual([outcome, true])
    expect(proxy.program.lines.join("\n") + proxy.program.stderr).not.toMatch(/secret|nonce|[0-9a-f]{32}/)
    expect(new Set(proxy.log().map(entry => entry["user"]))).toEqual(new Set(["ann", "bob", "jörg", undefined]))
  })
})
