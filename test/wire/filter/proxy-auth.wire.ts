import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
const origin = await recorder()
const echo = await scriptedServer(async connection => {
  connection.send(`back ${await connection.through("\n")}`)
  connection.fin()
})
const users = join(temporaryFolder("users"), "users")
// ann has a dear hash, bob a cheap one; both passwords are among the words that no log may hold.
const cheap = (password: string): string => `{SHA}${new Bun.CryptoHasher("sha1").update(password).digest("base64")}`
writeFileSync(
  users,
  `ann:${await Bun.password.hash("annsecret", { algorithm: "bcrypt", cost: 5 })}\nbob:${cheap("bobsecret")}\njörg:${cheap("jörgsecret:with:colons")}\n`,
)
const proxy = await startBothways({
  listeners: {
    egress: {
      bind: `127.0.0.1:${port}`,
      forward: { privateRanges: "allow", connectPorts: [echo.port], ports: [origin.port], auth: { htpasswd: users, realm: "office" } },
    },
  },
  routes: [{ match: {}, to: { origin: {} } }],
})
afterAll(async () => {
  await proxy.stop()
  for (const server of [origin, echo]) await server[Symbol.asyncDispose]()
})

const basic = (text: string, encoding: BufferEncoding = "utf8"): string =>
  `Proxy-Authorization: Basic ${Buffer.from(text, encoding).toString("base64")}\r\n`
const connectTo = (fields = ""): string => `CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\n${fields}\r\n`
const get = (fields = "", version = "1.1"): string => `GET http://${origin.address}/ HTTP/${version}\r\nHost: ${origin.address}\r\n${fields}\r\n`

async function refused(client: RawClient, request: string): Promise<void> {
  client.send(request)
  const { status, fields, body } = await client.response(request.slice(0, 7).trim())
  expect([status, fields["proxy-authenticate"]]).toEqual([407, 'Basic realm="office", charset="UTF-8"'])
  expect(Number(fields["content-length"])).toBe(body.length)
  expect(body.length).toBeGreaterThan(0)
}

describe("O-48: 407 on a connection that lives on", () => {
  test("CONNECT: asked, answered, tunnelled on one connection", async () => {
    using client = await rawClient(port)
    await refused(client, connectTo())
    client.send(connectTo(basic("ann:annsecret")))
    expect((await client.response("CONNECT")).status).toBe(200)
    client.send("bytes\n")
    expect(await client.toEnd()).toBe("back bytes\n")
  })
  test("GET: the same", async () => {
    using client = await rawClient(port)
    await refused(client, get())
    for (const login of ["bob:bobsecret", "ann:annsecret", "jörg:jörgsecret:with:colons"]) {
      client.send(get(basic(login)))
      expect((await client.response()).status).toBe(200)
      expect(origin.requests.pop()!.fields["proxy-authorization"]).toBeUndefined()
    }
  })
  test("who asks is in the log", async () => {
    using client = await rawClient(port)
    client.send(get(basic("jörg:jörgsecret:with:colons", "latin1")))
    expect((await client.response()).status).toBe(200)
    for (const user of ["ann", "bob", "jörg"]) await until(() => proxy.log().some(line => line.user === user))
  })
  test("wrong five times: 407 each time, and the last one closes", async () => {
    for (const request of [connectTo, get]) {
      using client = await rawClient(port)
      for (let i = 0; i < 5; i++) {
        expect(client.ending).toBe("open")
        await refused(client, request(basic(`bob:wrong${i}`)))
      }
      expect(await client.ended()).toBe("fin")
    }
    await until(() => proxy.log().some(line => line.fault === "proxy.auth-repeated"))
  })
  test("asking without credentials is no attempt, and a right answer in between changes nothing", async () => {
    using client = await rawClient(port)
    for (let i = 0; i < 7; i++) await refused(client, get())
    for (let i = 0; i < 3; i++) await refused(client, get(basic("ann:wrong")))
    client.send(get(basic("bob:bobsecret")))
    expect((await client.response()).status).toBe(200)
  })
  test("what is no credential is a wrong one", async () => {
    const wrong = [
      "Proxy-Authorization: Basic !!!\r\n",
      "Proxy-Authorization: Basic\r\n",
      "Proxy-Authorization:\r\n",
      "Proxy-Authorization: Bearer abc\r\n",
      'Proxy-Authorization: Digest username="bob"\r\n',
      basic("bobsecret"),
      basic(":"),
      basic("bob:bobsecret\0"),
      basic(`bob:${"x".repeat(6000)}`),
      basic("bob:bobsecret") + basic("bob:bobsecret"),
      "Authorization: Basic Ym9iOmJvYnNlY3JldA==\r\n",
      basic("ünknown:x", "latin1"),
    ]
    for (const fields of wrong) {
      using client = await rawClient(port)
      await refused(client, get(fields))
      await refused(client, connectTo(fields))
    }
    expect(origin.requests.filter(request => request.fields["proxy-authorization"])).toEqual([])
  })
  test("an HTTP/1.0 client: 407 and the end, or kept if it asks for that", async () => {
    using plain = await rawClient(port)
    await refused(plain, get("", "1.0"))
    expect(await plain.ended()).toBe("fin")
    using kept = await rawClient(port)
    await refused(kept, get("Connection: keep-alive\r\n", "1.0"))
    kept.send(get(`Connection: keep-alive\r\n${basic("bob:bobsecret")}`, "1.0"))
    expect((await kept.response()).status).toBe(200)
    using old = await rawClient(port)
    old.send(connectTo(basic("bob:bobsecret")).replace("HTTP/1.1", "HTTP/1.0"))
    expect((await old.response("CONNECT")).status).toBe(200)
    old.send("old\n")
    expect(await old.toEnd()).toBe("back old\n")
  })
  test("a client that asks to close gets that", async () => {
    using client = await rawClient(port)
    await refused(client, connectTo("Connection: close\r\n"))
    expect(await client.ended()).toBe("fin")
  })
  test("a body that comes with a request without credentials is not forwarded and does not become a request", async () => {
    using client = await rawClient(port)
    const smuggled = get(basic("bob:bobsecret"))
    await refused(
      client,
      `POST http://${origin.address}/ HTTP/1.1\r\nHost: ${origin.address}\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    )
    client.send(get(basic("bob:bobsecret")))
    expect((await client.response()).status).toBe(200)
    expect(origin.requests.filter(request => request.start.startsWith("POST"))).toEqual([])
  })
  test("Expect: 100-continue is not answered by 100 when it will be refused", async () => {
    using client = await rawClient(port)
    await refused(client, `POST http://${origin.address}/ HTTP/1.1\r\nHost: ${origin.address}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`)
    expect(client.received).not.toContain("100 Continue")
  })
  test("fifty at once with the dear hash are all let in", async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => rawClient(port)))
    for (const client of clients) client.send(get(basic("ann:annsecret")))
    expect(await Promise.all(clients.map(client => client.response().then(({ status }) => status)))).toEqual(Array(50).fill(200))
    for (const client of clients) client.destroy()
  })
  test("no credential is in any log or on the metrics page; attempts are counted", async () => {
    const samples = await scrape(proxy)
    expect(samples.get("bothways_proxy_auth_wrong_total")).toBeGreaterThan(20)
    const all = [
      proxy.program.lines.join("\n"),
      proxy.program.stderr,
      await (await proxy.ask("/metrics")).text(),
      await (await proxy.ask("/status")).text(),
    ].join("\n")
    expect(all).not.toMatch(/secret|wrong[0-9]|Ym9iOmJvYnNlY3JldA|Basic /)
  })
})
