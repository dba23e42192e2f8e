import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import type { Message, ResponseMessage } from "../../support/message.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { okResponse, recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const levels = ["transparent", "standard", "anonymous", "high"] as const
type Level = (typeof levels)[number]
const [transparent, standard, anonymous, high, silent, chained, chainedWith] = (await freePorts(7)) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]
const portOf: Record<Level, number> = { transparent, standard, anonymous, high }

const origin = await recorder("HTTP/1.1 200 OK\r\nProxy-Authenticate: Basic\r\nProxy-Authentication-Info: x=1\r\nContent-Length: 2\r\n\r\nok")
const parent = await recorder(request => (request.start.startsWith("CONNECT") ? "HTTP/1.1 200 OK\r\n\r\n" : okResponse))
const echoOrigin = await scriptedServer(async connection => {
  connection.send(await connection.bytes(200))
  connection.fin()
})
const proxy: Bothways = await startBothways({
  listeners: Object.fromEntries([
    ...levels.map(level => [level, listener(portOf[level], { privacy: level })]),
    ["silent", { ...listener(silent, { privacy: "transparent" }), via: false }],
    ["chained", listener(chained, {})],
    ["chainedWith", listener(chainedWith, {})],
  ]),
  clusters: { parents: { peers: [parent.address] } },
  routes: [
    { match: { listener: "chained" }, to: { origin: { via: "parents" } } },
    {
      match: { listener: "chainedWith" },
      filters: [{ headers: { request: { set: { "Proxy-Authorization": "Basic b3duOm93bg==" } } } }],
      to: { origin: { via: "parents" } },
    },
    { match: {}, to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  for (const server of [origin, parent, echoOrigin]) await server[Symbol.asyncDispose]()
})

function listener(port: number, forward: object): { bind: string; forward: object } {
  return { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", ports: [origin.port], connectPorts: [echoOrigin.port], ...forward } }
}

const telling = [
  "Proxy-Authorization: Basic dTpw",
  "Proxy-Connection: keep-alive",
  "X-Forwarded-For: 10.9.8.7",
  "X-Forwarded-Host: laptop.lan",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Port: 3128",
  "Forwarded: for=10.9.8.7",
  "X-Real-IP: 10.9.8.7",
  "Client-IP: 10.9.8.7",
  "X-Client-IP: 10.9.8.7",
  "True-Client-IP: 10.9.8.7",
  "Via: 1.1 laptop",
  "From: me@a.test",
  "Referer: http://a.test/secret",
]

async function through(port: number): Promise<ResponseMessage> {
  using client = await rawClient(port)
  client.send([`GET http://${origin.address}/ HTTP/1.1`, `Host: ${origin.address}`, ...telling, "\r\n"].join("\r\n"))
  return await client.response()
}

async function seenAt(level: Level): Promise<Message> {
  expect((await through(portOf[level])).status).toBe(200)
  return origin.requests.pop()!
}

// The table of forward-fields.ts: what the origin learns by level. RegExp = it matches, undefined = the field is not there.
const pseudonym = /^1\.1 bothways-[\w-]+$/
const table: Record<string, Record<Level, RegExp | undefined>> = {
  via: { transparent: /^1\.1 laptop, 1\.1 bothways-[\w-]+$/, standard: pseudonym, anonymous: undefined, high: undefined },
  "x-forwarded-for": { transparent: /^10\.9\.8\.7, 127\.0\.0\.1$/, standard: undefined, anonymous: undefined, high: undefined },
  forwarded: { transparent: /^for=10\.9\.8\.7/, standard: undefined, anonymous: undefined, high: undefined },
  "x-forwarded-host": { transparent: /^laptop\.lan$/, standard: undefined, anonymous: undefined, high: undefined },
  "x-forwarded-proto": { transparent: /^http$/, standard: undefined, anonymous: undefined, high: undefined },
  "x-forwarded-port": { transparent: /^3128$/, standard: undefined, anonymous: undefined, high: undefined },
  "x-real-ip": { transparent: /^10\.9\.8\.7$/, standard: undefined, anonymous: undefined, high: undefined },
  "client-ip": { transparent: /^10\.9\.8\.7$/, standard: undefined, anonymous: undefined, high: undefined },
  "x-client-ip": { transparent: /^10\.9\.8\.7$/, standard: undefined, anonymous: undefined, high: undefined },
  "true-client-ip": { transparent: /^10\.9\.8\.7$/, standard: undefined, anonymous: undefined, high: undefined },
  from: { transparent: /^me@a\.test$/, standard: /^me@a\.test$/, anonymous: undefined, high: undefined },
  referer: { transparent: /secret/, standard: /secret/, anonymous: /secret/, high: undefined },
  "proxy-authorization": { transparent: undefined, standard: undefined, anonymous: undefined, high: undefined },
  "proxy-connection": { transparent: undefined, standard: undefined, anonymous: undefined, high: undefined },
}

describe("O-13: what a forward proxy tells the origin", () => {
  for (const level of levels) {
    test(level, async () => {
      const { fields, start } = await seenAt(level)
      expect(start).toBe("GET / HTTP/1.1")
      for (const [name, wanted] of Object.entries(table)) {
        if (wanted[level] === undefined) expect({ [name]: fields[name] }).toEqual({ [name]: undefined })
        else expect(fields[name]).toMatch(wanted[level])
      }
      if (level !== "transparent") expect(Object.values(fields).join("\n")).not.toMatch(/127\.0\.0\.1(?!:)|10\.9\.8\.7|laptop/)
    })
  }
  test("via: false adds none", async () => {
    expect((await through(silent)).fields.via).toBeUndefined()
    expect(origin.requests.pop()!.fields.via).toBe("1.1 laptop")
  })
  test("an origin's challenge of a proxy does not reach the client", async () => {
    const { fields } = await through(standard)
    expect([fields["proxy-authenticate"], fields["proxy-authentication-info"]]).toEqual([undefined, undefined])
    expect(fields.via).toMatch(pseudonym)
  })
  test("a parent proxy gets an absolute target and no credentials but those that are configured for it", async () => {
    for (const [port, wanted] of [
      [chained, undefined],
      [chainedWith, "Basic b3duOm93bg=="],
    ] as const) {
      expect((await through(port)).status).toBe(200)
      const { fields, start } = parent.requests.pop()!
      expect(start).toBe(`GET http://${origin.address}/ HTTP/1.1`)
      expect([fields["proxy-authorization"], fields["proxy-connection"], fields["x-forwarded-for"]]).toEqual([wanted, undefined, undefined])
    }
  })
  test("for https the parent gets its credentials on CONNECT, and the tunnel stays untouched", async () => {
    const target = `127.0.0.1:${echoOrigin.port}`
    using client = await rawClient(chainedWith)
    client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Basic dTpw\r\nX-Forwarded-For: 10.9.8.7\r\n\r\n`)
    expect((await client.response("CONNECT")).status).toBe(200)
    const { fields, start } = parent.requests.pop()!
    expect([start, fields.host]).toEqual([`CONNECT ${target} HTTP/1.1`, target])
    expect([fields["proxy-authorization"], fields["x-forwarded-for"]]).toEqual(["Basic b3duOm93bg==", undefined])
    client.send("GET /in HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 laptop\r\n\r\n")
    const { head } = await until(() => parent.requests.pop())
    expect(head).toBe("GET /in HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 laptop\r\n\r\n")
  })
  test("the listener's ports and ranges hold for a parent, too", async () => {
    const targets = ["CONNECT 127.0.0.1:25", "GET http://127.0.0.1:25/", `CONNECT 0x7f000001:${echoOrigin.port}`, "GET /"]
    const statuses: number[] = []
    for (const target of targets) {
      using client = await rawClient(chained)
      client.send(`${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      statuses.push((await client.response()).status)
    }
    expect(statuses).toEqual([403, 403, 400, 400])
    expect(parent.requests).toEqual([])
  })
  test("a tunnel's bytes are nobody's business", async () => {
    using client = await rawClient(high)
    client.send(`CONNECT 127.0.0.1:${echoOrigin.port} HTTP/1.1\r\nHost: 127.0.0.1:${echoOrigin.port}\r\n\r\n`)
    expect((await client.response("CONNECT")).status).toBe(200)
    const bytes = `GET / HTTP/1.1\r\nVia: 1.1 laptop\r\nProxy-Authorization: Basic dTpw\r\n\r\n\0\xff${"x".repeat(200)}`.slice(0, 200)
    client.send(bytes)
    expect(await client.toEnd()).toBe(bytes)
  })
})
