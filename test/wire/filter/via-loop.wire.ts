import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"

// Twelve listeners, since the name of the second is the beginning of the eleventh's.
const ports = await freePorts(13)
const [looped, second] = ports as [number, number]
const eleventh = ports[10]!
const forward = ports[12]!
const upstream = await recorder("HTTP/1.1 200 OK\r\nVia: 1.0 inner\r\nContent-Length: 2\r\n\r\nok")
const proxy = await startBothways({
  listeners: {
    ...Object.fromEntries(ports.slice(0, 12).map((port, i) => [`l${i}`, { bind: `127.0.0.1:${port}` }])),
    forward: { bind: `127.0.0.1:${forward}`, forward: { privateRanges: "allow", ports: ["1-65535"] } },
  },
  clusters: { self: { peers: [`127.0.0.1:${looped}`] }, second: { peers: [`127.0.0.1:${second}`] }, u: { peers: [upstream.address] } },
  routes: [
    { match: { listener: "l0" }, to: { cluster: "self" } },
    { match: { listener: "l10" }, to: { cluster: "second" } },
    { match: { listener: "forward" }, to: { origin: {} } },
    { match: {}, to: { cluster: "u" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

async function get(port: number, head = "GET / HTTP/1.1\r\nHost: a.test\r\n") {
  using client = await rawClient(port)
  client.send(`${head}\r\n`)
  return await client.response()
}

describe("Via (RFC 9110 section 7.6.3)", () => {
  test("a listener whose cluster is itself answers 508", async () => {
    const response = await get(looped)
    expect([response.status, response.body]).toEqual([508, expect.stringContaining("fault: proxy.loop")])
  })
  test("a listener behind another one of the same process is no loop, whatever their numbers", async () => {
    expect((await get(eleventh)).status).toBe(200)
    expect(upstream.requests.pop()!.fields.via).toMatch(/^1\.1 bothways-[\w-]+-10, 1\.1 bothways-[\w-]+-1$/)
  })
  test("a forward listener asked for its own port refuses at once", async () => {
    expect((await get(forward, `GET http://127.0.0.1:${forward}/ HTTP/1.1\r\nHost: 127.0.0.1:${forward}\r\n`)).status).toBe(508)
  })
  test("what others wrote stays in front of ours, and names that only look like ours are no loop", async () => {
    await get(second)
    const own = upstream.requests.pop()!.fields.via!.slice(4)
    expect((await get(second, `GET / HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 x${own}, 1.1 a (${own})\r\nVia: 2 ${own}x\r\n`)).status).toBe(200)
    expect(upstream.requests.pop()!.fields.via).toBe(`1.1 x${own}, 1.1 a (${own}), 2 ${own}x, 1.1 ${own}`)
    for (const via of [`1.1 ${own}`, `1.1 x, HTTP/1.1 ${own.toUpperCase()} (comment)`, `1.1\t${own}`]) {
      expect((await get(second, `GET / HTTP/1.1\r\nHost: a.test\r\nVia: ${via}\r\n`)).status).toBe(508)
    }
  })
  test("it says which version came", async () => {
    await get(second, "GET / HTTP/1.0\r\nHost: a.test\r\n")
    expect(upstream.requests.pop()!.fields.via).toMatch(/^1\.0 bothways-/)
    await get(forward, `GET http://${upstream.address}/ HTTP/1.0\r\nHost: a.test\r\n`)
    expect(upstream.requests.pop()!.fields.via).toMatch(/^1\.0 bothways-/)
  })
  test("an HTTP/1.0 request without Host says nothing of one", async () => {
    expect((await get(second, "GET / HTTP/1.0\r\n")).status).toBe(200)
    const { fields } = upstream.requests.pop()!
    expect([fields.host, "x-forwarded-host" in fields]).toEqual([upstream.address, false])
  })
  test("Proxy-Authorization does not reach a reverse listener's upstream", async () => {
    await get(second, "GET / HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Basic dTpw\r\n")
    expect(upstream.requests.pop()!.fields["proxy-authorization"]).toBeUndefined()
  })
})
