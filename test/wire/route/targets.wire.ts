import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { okResponse, recorder } from "../../support/recorder.ts"
import { upgradeRequest } from "../../support/web-socket.ts"

const [web, forward, chained] = (await freePorts(3)) as [number, number, number]
const upstream = await recorder(request =>
  request.fields.upgrade === undefined ? okResponse : "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
)
const open = { privateRanges: "allow", ports: [upstream.port] }
const proxy = await startBothways({
  listeners: {
    web: { bind: `127.0.0.1:${web}` },
    forward: { bind: `127.0.0.1:${forward}`, forward: open },
    chained: { bind: `127.0.0.1:${chained}`, forward: open },
  },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { match: { listener: "web", path: "/ruled/*" }, to: { cluster: "a" } },
    { match: { listener: "web" }, to: { cluster: "a" } },
    { match: { listener: "chained" }, to: { origin: { via: "a" } } },
    { match: { listener: "forward" }, to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

/** The target that the upstream sees, or the status when it sees none. */
async function seen(port: number, request: string): Promise<string | number> {
  upstream.requests.length = 0
  using client = await rawClient(port)
  client.send(request)
  const { status } = await client.response()
  return upstream.requests[0]?.start.split(" ")[1] ?? status
}

const same = [
  "/a%2Fb",
  "/a%2fb",
  "//host.test/x",
  "/x//y/",
  "/w/https%3A%2F%2Fh%2Fp%3Ft%3D1%26u%3D0/ws",
  "/s%20p?q=%2F&r=+",
  "/%E4%BD%A0",
  "/v;a=1/b",
  "/a?",
  "/a?b?c",
  "/%7Euser",
  "/{x}|y",
  "/?",
  "/a%25252e",
  "/a%",
  "/a?../../b",
  "/a?%00%2e%2e",
  "/'\"<>^`",
]

describe("O-17: the target reaches the upstream octet for octet", () => {
  for (const target of same) {
    test(target, async () => {
      expect(await seen(web, `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)).toBe(target)
      expect(await seen(web, upgradeRequest(target))).toBe(target)
      expect(await seen(forward, `GET http://${upstream.address}${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).toBe(target)
      expect(await seen(chained, `GET http://${upstream.address}${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).toBe(`http://${upstream.address}${target}`)
    })
  }
  test("an encoded slash in a route with a path rule is refused", async () => {
    expect(await seen(web, "GET /ruled/a%2Fb HTTP/1.1\r\nHost: a.test\r\n\r\n")).toBe(400)
    expect(await seen(web, upgradeRequest("/ruled/a%5cb"))).toBe(400)
  })
  test("what is no URI is refused", async () => {
    for (const target of ["/a b", "/a\tb", "/a#b", "/ä", "/a\x7f", "/a\x00", "\\a", "a", "/a\\b"]) {
      expect(await seen(web, `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)).toBe(400)
    }
  })
})
