import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

const port = await freePort()
const upstream = await recorder()
const filters = [{ headers: { request: { set: { "X-Auth-User": "alice" } } } }]
const proxy = await startBothways(reverseConfig(port, upstream.address, { route: { filters } }))
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const nominated = ["close", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "X-Auth-User", "Host", "Via"]
const forms = {
  "one line": [nominated.join(", ")],
  "three lines, mixed case, odd spaces": [
    nominated
      .slice(0, 3)
      .map(name => name.toUpperCase())
      .join(" ,\t "),
    `,, ${nominated.slice(3, 6).join(",").toLowerCase()} ,`,
    nominated.slice(6).join(","),
  ],
}

describe("O-10: what a client nominates in Connection is removed before the proxy adds its own", () => {
  for (const [name, lines] of Object.entries(forms)) {
    test(name, async () => {
      using client = await rawClient(port)
      const sent = ["X-Auth-User: mallory", "X-Forwarded-For: 6.6.6.6", "Via: 1.1 mallory", "X-Stay: 1"]
      const options = lines.map(line => `Connection: ${line}`)
      client.send(["GET /who HTTP/1.1", "Host: app.test", ...options, ...sent, "\r\n"].join("\r\n"))
      expect((await client.response()).status).toBe(200)
      expect(await client.ended()).toBe("fin")
      const { fields, head } = upstream.requests.pop()!
      expect(fields.host).toBe("app.test")
      expect(fields["x-auth-user"]).toBe("alice")
      expect(fields["x-forwarded-for"]).toBe("127.0.0.1")
      expect(fields["x-forwarded-proto"]).toBe("http")
      expect(fields["x-forwarded-host"]).toBe("app.test")
      expect(fields.via).toMatch(/^1\.1 bothways-[\w-]+$/)
      expect(fields["x-stay"]).toBe("1")
      expect(head).not.toMatch(/^connection:/im)
    })
  }

  test("framing and Host cannot be nominated away", async () => {
    using client = await rawClient(port)
    client.send("POST /n HTTP/1.1\r\nHost: app.test\r\nConnection: Content-Length, Host\r\nContent-Length: 5\r\n\r\nhello")
    expect((await client.response()).status).toBe(200)
    const request = upstream.requests.pop()!
    expect([request.start, request.fields.host, request.body]).toEqual(["POST /n HTTP/1.1", "app.test", "hello"])
  })

  test("a value may name what the proxy says", async () => {
    await using second = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    const other = await freePort()
    const set = { "X-Chain": "${requestField:x-forwarded-for} via ${requestField:x-forwarded-host}", "X-Sent": "${requestField:x-sent}!" }
    await using _proxy = await startBothways(reverseConfig(other, second.address, { route: { filters: [{ headers: { request: { set } } }] } }))
    using client = await rawClient(other)
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Sent: 1\r\n\r\n")
    await client.response()
    const { fields } = await second.request()
    expect([fields["x-chain"], fields["x-sent"]]).toEqual(["127.0.0.1 via app.test", "1!"])
  })

  test("an operator's filter overrides what the proxy says of the client", async () => {
    await using second = await recorder()
    const other = await freePort()
    const set = { "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https" }
    await using _proxy = await startBothways(
      reverseConfig(other, second.address, { route: { filters: [{ headers: { request: { set, remove: ["X-Forwarded-Host"] } } }] } }),
    )
    using client = await rawClient(other)
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
    expect((await client.response()).status).toBe(200)
    const { fields } = await second.request()
    expect([fields["x-forwarded-for"], fields["x-forwarded-proto"], fields["x-forwarded-host"]]).toEqual(["192.0.2.7", "https", undefined])
  })
})

test("what an upstream nominates in Connection ends here", async () => {
  const lines = [
    "Connection: keep-alive, X-Tmp",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Upgrade: h2",
    "X-Tmp: 1",
    "X-Stay: 2",
    "Content-Length: 0",
  ]
  await using second = await recorder(["HTTP/1.1 200 OK", ...lines, "\r\n"].join("\r\n"))
  const other = await freePort()
  await using _proxy = await startBothways(reverseConfig(other, second.address))
  using client = await rawClient(other)
  client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
  const { fields } = await client.response()
  for (const name of ["connection", "keep-alive", "proxy-connection", "upgrade", "x-tmp"])
    expect({ [name]: fields[name] }).toEqual({ [name]: undefined })
  expect(fields["x-stay"]).toBe("2")
})
