import { afterAll, describe, expect, test } from "bun:test"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"

// Names that the proxy alone can look up: a browser that did it by itself, or went past the proxy, would find nothing.
const dns = await DnsServer.start()
dns.say("site.test", { a: ["127.0.0.1"] })
const page = "<!doctype html><title>Through the proxy</title><p>hello</p>"
const origin = await recorder(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`)
const direct = await recorder(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`)
const pair = new Authority().issue(["127.0.0.1"])
const [plain, secure, closed] = (await freePorts(3)) as [number, number, number]
const forward = { privateRanges: "allow", pac: { direct: ["direct.test"], privateRanges: "proxy" } }
const tls = { certificates: [{ cert: pair.certFile, key: pair.keyFile }] }
const proxy = await startBothways({
  listeners: {
    plain: { bind: `127.0.0.1:${plain}`, forward },
    secure: { bind: `127.0.0.1:${secure}`, forward, tls },
    closed: {
      bind: `127.0.0.1:${closed}`,
      forward: { ...forward, auth: { htpasswd: new URL("../../../examples/users.htpasswd", import.meta.url).pathname } },
    },
  },
  resolver: { servers: [dns.address] },
  routes: [{ to: { origin: {} } }],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
  await direct[Symbol.asyncDispose]()
  dns.stop()
})

async function titleThrough(args: string[]): Promise<string> {
  const browser = await startBrowser(undefined, { args })
  try {
    const tab = await browser.newPage()
    await tab.goto(`http://site.test:${origin.port}/`, { timeout: 15_000 })
    return await tab.title()
  } finally {
    await browser.close()
  }
}

describe("Chromium", () => {
  test("finds the proxy by its PAC file", async () => {
    expect(await titleThrough([`--proxy-pac-url=http://127.0.0.1:${plain}/proxy.pac`])).toBe("Through the proxy")
    await until(() => proxy.log().some(({ listener, host, status }) => listener === "plain" && host === "site.test" && status === 200))
  }, 30_000)

  test("goes through a listener with TLS that a PAC file of that listener names", async () => {
    expect(await titleThrough([`--proxy-pac-url=https://127.0.0.1:${secure}/wpad.dat`])).toBe("Through the proxy")
    await until(() => proxy.log().some(({ listener, host, version }) => listener === "secure" && host === "site.test" && version === "2.0"))
  }, 30_000)
})

describe("curl", () => {
  test("gets the file without a log-in, and names its own way to us in it", async () => {
    const { stdout } = await run("curl", "-s", "-i", `http://127.0.0.1:${closed}/wpad.dat`)
    expect(stdout).toContain("application/x-ns-proxy-autoconfig")
    expect(stdout).toContain(`"PROXY 127.0.0.1:${closed}"`)
    expect((await run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${closed}/other`)).stdout).toBe("407")
    const secured = await run("curl", "-sk", "--http2", `https://127.0.0.1:${secure}/proxy.pac`)
    expect(secured.stdout).toContain(`"HTTPS 127.0.0.1:${secure}"`)
  })

  test("asks another server's file through us, and gets that one", async () => {
    const { stdout } = await run("curl", "-s", "-x", `http://127.0.0.1:${plain}`, `http://127.0.0.1:${direct.port}/proxy.pac`)
    expect(stdout).toBe(page)
  })
})
