import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright-core"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { webSocketEcho } from "../../support/web-socket.ts"

// What a browser does with HTTP/2: in front of servers, through an encrypted forward proxy, and for a WebSocket.
const images = 100
const site = new Authority().issue(["localhost"])
const [secure, proxyPort] = (await freePorts(2)) as [number, number]
const tls = { certificates: [{ cert: site.certFile, key: site.keyFile }] }
const dot = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4" fill="teal"/></svg>'
const page = `<!doctype html><title>Gallery</title>${Array.from({ length: images }, (_, i) => `<img src="/image/${i}.svg" alt="${i}">`).join("")}`
const origin = createServer({ cert: site.cert, key: site.key }, (request, response) => {
  const [type, body] = request.url!.endsWith(".svg") ? ["image/svg+xml", dot] : ["text/html", page]
  response.writeHead(200, { "Content-Type": type, "Content-Length": body.length }).end(body)
})
await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", () => resolve()))
const originPort = (origin.address() as AddressInfo).port
const echo = await scriptedServer(webSocketEcho)
const proxy = await startBothways({
  listeners: {
    secure: { bind: `127.0.0.1:${secure}`, tls },
    egress: { bind: `127.0.0.1:${proxyPort}`, tls, forward: { privateRanges: "allow", connectPorts: [originPort] } },
  },
  clusters: { site: { peers: [`127.0.0.1:${originPort}`], tls: { verify: false } }, echo: { peers: [echo.address] } },
  routes: [
    { match: { listener: "egress" }, to: { origin: {} } },
    { match: { path: "/socket" }, to: { cluster: "echo" } },
    { to: { cluster: "site" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await echo[Symbol.asyncDispose]()
  origin.close()
  origin.closeAllConnections()
})

const accepted = async (listener: string): Promise<number> =>
  (await scrape(proxy)).get(`bothways_connections_accepted_total{listener="${listener}"}`) ?? 0

const protocols = `[...new Set(performance.getEntriesByType("resource").map(entry => entry.nextHopProtocol))].join()`
const drawn = "[...document.images].filter(image => image.naturalWidth > 0).length"

describe("in front of a server", () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 30_000)
  afterAll(() => browser.close())

  test("a page with a hundred images comes by HTTP/2, all of it over one connection", async () => {
    const tab = await browser.newPage()
    await tab.goto(`https://localhost:${secure}/`, { waitUntil: "load" })
    expect(await tab.evaluate(drawn)).toBe(images)
    expect(await tab.evaluate(protocols)).toBe("h2")
    expect(await accepted("secure")).toBe(1)
  }, 30_000)

  test("a WebSocket goes over the connection that is there (RFC 8441)", async () => {
    const tab = await browser.newPage()
    await tab.goto(`https://localhost:${secure}/`)
    const said = await tab.evaluate(`new Promise(resolve => {
      const socket = new WebSocket("wss://localhost:${secure}/socket")
      const heard = []
      socket.onopen = () => { for (const word of ["one", "two", "three"]) socket.send(word) }
      socket.onmessage = ({ data }) => { heard.push(data); if (data === "three") socket.close(1000) }
      socket.onclose = ({ code, wasClean }) => resolve([...heard, code, wasClean].join())
    })`)
    expect(said).toBe("one,two,three,1000,true")
    await until(() => proxy.log().some(line => line.target === "/socket" && line.version === "2.0" && line.status === 101))
  }, 30_000)
})

describe("as an encrypted forward proxy", () => {
  test("an https site through CONNECT over HTTP/2, tunnels side by side on one connection", async () => {
    const browser = await startBrowser(`https://127.0.0.1:${proxyPort}`)
    try {
      const tab = await browser.newPage()
      await tab.goto(`https://localhost:${originPort}/`, { waitUntil: "load" })
      expect(await tab.evaluate(drawn)).toBe(images)
    } finally {
      await browser.close()
    }
    const connects = (): number => proxy.log().filter(line => line.method === "CONNECT" && line.version === "2.0" && line.status === 200).length
    await until(() => connects() > 4)
    // The browser opens a second and a third one in the time that the first needs to say that it speaks HTTP/2.
    expect(await accepted("egress")).toBeLessThan(4)
  }, 60_000)
})
