import { afterAll, expect, test } from "bun:test"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { Authority } from "../../support/certificates.ts"
import { freePort } from "../../support/ports.ts"
import { until } from "../../support/wait.ts"

// Chromium through SOCKS 5. It cannot look anything up: the name is known to our resolver alone, and its own knows nothing.
const port = await freePort()
const site = new Authority().issue(["site.test"])
const secure = createServer({ cert: site.cert, key: site.key }, (request, response) => {
  response
    .writeHead(200, { "Content-Type": "text/html" })
    .end(request.url === "/" ? "<!doctype html><title>Site</title><script src=/x.js></script>" : "document.title += ' heard'")
})
await new Promise<void>(resolve => secure.listen(0, "127.0.0.1", () => resolve()))
const at = (secure.address() as AddressInfo).port
const dns = await DnsServer.start()
dns.say("site.test", { a: ["127.0.0.1"] })
const proxy = await startBothways({
  resolver: { servers: [dns.address] },
  listeners: { egress: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", connectPorts: [at] } } },
  routes: [{ to: { origin: {} } }],
  observe: { accessLog: { format: "json", to: "stdout" } },
})
const browser = await startBrowser(`socks5://127.0.0.1:${port}`, { args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"] })
afterAll(async () => {
  await browser.close()
  await proxy.stop()
  await dns.stop()
  secure.close()
})

test("a page over TLS, whose name the proxy resolves", async () => {
  const page = await browser.newPage()
  await page.goto(`https://site.test:${at}/`)
  await page.waitForFunction("document.title === 'Site heard'")
  await browser.close()
  const line = await until(() => proxy.log().find(each => each["host"] === "site.test" && each["status"] === 200))
  expect([line["method"], line["version"], line["target"]]).toEqual(["CONNECT", "socks5", `site.test:${at}`])
  expect(dns.count("site.test")).toBeGreaterThan(0)
})
