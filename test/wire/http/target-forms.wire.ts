import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { Message } from "../../support/message.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"

const [reverse, forward, ruled] = (await freePorts(3)) as [number, number, number]
const u1 = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nU1")
const u2 = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nU2")
const proxy = await startBothways({
  listeners: {
    reverse: { bind: `127.0.0.1:${reverse}` },
    ruled: { bind: `127.0.0.1:${ruled}` },
    forward: { bind: `127.0.0.1:${forward}`, forward: { privateRanges: "allow", ports: [u1.port] } },
  },
  clusters: { one: { peers: [u1.address] }, two: { peers: [u2.address] } },
  routes: [
    { match: { listener: "reverse", host: "b.test" }, to: { cluster: "two" } },
    { match: { listener: "reverse" }, to: { cluster: "one" } },
    { match: { listener: "ruled", path: "/*" }, to: { cluster: "one" } },
    { match: { listener: "forward", host: "127.0.0.1" }, to: { origin: {} } },
    { match: { listener: "forward" }, to: { respond: { status: 403, body: "no" } } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await u1[Symbol.asyncDispose]()
  await u2[Symbol.asyncDispose]()
})

async function ask(port: number, head: string): Promise<{ status: number; body: string; at: Message | undefined }> {
  u1.requests.length = 0
  u2.requests.length = 0
  using client = await rawClient(port)
  client.send(`${head}\r\n\r\n`)
  const { status, body } = await client.response()
  return { status, body, at: u1.requests[0] ?? u2.requests[0] }
}

describe("O-20: an absolute target decides, not Host", () => {
  test("a: its authority is route and outgoing Host; the upstream gets origin-form", async () => {
    const { body, at } = await ask(reverse, "GET http://b.test/x?y HTTP/1.1\r\nHost: a.test")
    expect([body, at?.start, at?.fields.host, at?.fields["x-forwarded-host"]]).toEqual(["U2", "GET /x?y HTTP/1.1", "b.test", "b.test"])
  })
  test("b: without a path it is the root", async () => {
    for (const [target, wanted] of [
      ["http://b.test", "/"],
      ["http://b.test?q", "/?q"],
    ] as const) {
      const { body, at } = await ask(reverse, `GET ${target} HTTP/1.1\r\nHost: b.test`)
      expect([body, at?.start]).toEqual(["U2", `GET ${wanted} HTTP/1.1`])
    }
  })
  test("c: a scheme that is not the connection's says nothing of the connection", async () => {
    const { body, at } = await ask(reverse, "GET https://B.test:443/x HTTP/1.1\r\nHost: a.test")
    expect([body, at?.start, at?.fields.host, at?.fields["x-forwarded-proto"]]).toEqual(["U2", "GET /x HTTP/1.1", "B.test:443", "http"])
  })
  test("d: two Host lines are 400, also when they agree, and with an absolute target", async () => {
    expect((await ask(reverse, "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test")).status).toBe(400)
    expect((await ask(reverse, "GET / HTTP/1.1\r\nHost: a.test\r\nhost: a.test")).status).toBe(400)
    expect((await ask(reverse, "GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\nHost: a.test")).status).toBe(400)
  })
  test("e: no Host is 400 in HTTP/1.1 and fine in 1.0", async () => {
    expect((await ask(reverse, "GET / HTTP/1.1\r\nAccept: */*")).status).toBe(400)
    expect((await ask(reverse, "GET http://b.test/ HTTP/1.1\r\nAccept: */*")).status).toBe(400)
    const { status, at } = await ask(reverse, "GET / HTTP/1.0")
    expect([status, at?.start, at?.fields.host]).toEqual([200, "GET / HTTP/1.1", u1.address])
  })
  for (const target of [
    "http://a.test@b.test/",
    "http://u:p@b.test/",
    "ftp://b.test/",
    "http:///x",
    "http://b.test:x/",
    "http:b.test",
    "://b.test",
    "*/x",
    "b.test:80",
    "http://[::g]/",
  ]) {
    test(`f, g: ${target} is 400`, async () => {
      const { status, at } = await ask(reverse, `GET ${target} HTTP/1.1\r\nHost: a.test`)
      expect([status, at]).toEqual([400, undefined])
    })
  }
  test("h: OPTIONS * stays *, and no rule on paths takes it", async () => {
    expect((await ask(reverse, "OPTIONS * HTTP/1.1\r\nHost: a.test")).at?.start).toBe("OPTIONS * HTTP/1.1")
    expect((await ask(reverse, "OPTIONS http://b.test HTTP/1.1\r\nHost: b.test")).at?.start).toBe("OPTIONS * HTTP/1.1")
    expect((await ask(reverse, "OPTIONS http://b.test/ HTTP/1.1\r\nHost: b.test")).at?.start).toBe("OPTIONS / HTTP/1.1")
    expect((await ask(ruled, "OPTIONS * HTTP/1.1\r\nHost: a.test")).status).toBe(404)
    expect((await ask(reverse, "GET * HTTP/1.1\r\nHost: a.test")).status).toBe(400)
  })
  test("forward: the target's authority is the one that is judged, dialled and named", async () => {
    const { body, at } = await ask(forward, `GET http://${u1.address}/x HTTP/1.1\r\nHost: b.test`)
    expect([body, at?.start, at?.fields.host]).toEqual(["U1", "GET /x HTTP/1.1", u1.address])
    expect((await ask(forward, "GET http://b.test/ HTTP/1.1\r\nHost: 127.0.0.1")).status).toBe(403)
    expect((await ask(forward, `GET http://b.test:${u1.port}/ HTTP/1.1\r\nHost: ${u1.address}`)).status).toBe(403)
    expect((await ask(forward, `GET http://${u1.address}@b.test/ HTTP/1.1\r\nHost: ${u1.address}`)).status).toBe(400)
  })
  test("forward: an origin-form request has no origin", async () => {
    expect((await ask(forward, "GET / HTTP/1.1\r\nHost: 127.0.0.1")).status).toBe(400)
  })
  test("CONNECT on a reverse listener is 405, and says what is allowed", async () => {
    using client = await rawClient(reverse)
    client.send("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n")
    const { status, fields } = await client.response("CONNECT")
    expect([status, fields.allow]).toEqual([405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"])
  })
})

describe("TRACE and Max-Forwards (RFC 9110 sections 7.6.2 and 9.3.8)", () => {
  for (const [name, port, target] of [
    ["reverse", reverse, "/"],
    ["forward", forward, `http://${u1.address}/`],
  ] as const) {
    test(`TRACE is refused on a ${name} listener, whatever Max-Forwards says`, async () => {
      for (const more of ["", "\r\nMax-Forwards: 0", "\r\nMax-Forwards: 5"]) {
        const { status, body, at } = await ask(port, `TRACE ${target} HTTP/1.1\r\nHost: a.test\r\nCookie: secret=1${more}`)
        expect([status, at]).toEqual([405, undefined])
        expect(body).not.toContain("secret")
      }
    })
    test(`Max-Forwards of OPTIONS is counted down on a ${name} listener, and 0 ends here`, async () => {
      const options = (max: string) => ask(port, `OPTIONS ${target} HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: ${max}`)
      expect((await options("1")).at?.fields["max-forwards"]).toBe("0")
      expect((await options("010")).at?.fields["max-forwards"]).toBe("9")
      const last = await options("0")
      expect([last.status, last.body, last.at]).toEqual([200, "", undefined])
      for (const wrong of ["-1", "1, 1", "x", ""]) expect((await options(wrong)).status).toBe(400)
    })
  }
  test("other methods keep theirs", async () => {
    expect((await ask(reverse, "GET / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0")).at?.fields["max-forwards"]).toBe("0")
  })
})
