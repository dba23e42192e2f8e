import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHash, X509Certificate } from "node:crypto"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { secureListener, testSite } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// Chromium at a listener that speaks everything: a page, a hundred images, an upload, a download.
const images = 100
const port = await freePort()
const dot = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64").toString("latin1")
const list = Array.from({ length: images }, (_, i) => `<img src="/image/${i}.gif" alt="">`).join("")
const page = `<!doctype html><html lang="en"><title>Gallery</title><link rel="icon" href="data:,"><h1>Gallery</h1>${list}</html>`
const big = "0123456789abcdef".repeat(65_536)
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const request = await connection.request(3_600_000)
    const [method, path] = request.start.split(" ") as [string, string]
    const [type, body] =
      path === "/"
        ? ["text/html", page]
        : path === "/big"
          ? ["text/plain", big]
          : method === "POST"
            ? ["text/plain", String(request.body.length)]
            : ["image/gif", dot]
    connection.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nCache-Control: no-store\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}`, ...secureListener() } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [{ match: {}, to: { cluster: "a" } }],
})
const quicKey = createHash("sha256")
  .update(new X509Certificate(testSite().site.cert).publicKey.export({ type: "spki", format: "der" }))
  .digest("base64")
const resolve = "--host-resolver-rules=MAP localhost 127.0.0.1"
let forced: Browser
/** Forced elsewhere: that alone lets it have certificates of unknown authorities over QUIC, for the whole host. */
let free: Browser
let without: Browser
beforeAll(async () => {
  ;[forced, free, without] = await Promise.all([
    startBrowser(undefined, { quicKey, args: [resolve, `--origin-to-force-quic-on=localhost:${port}`] }),
    startBrowser(undefined, { quicKey, args: [resolve, "--origin-to-force-quic-on=localhost:1"] }),
    startBrowser(undefined, { args: [resolve] }),
  ])
}, 30_000)
afterAll(async () => {
  await Promise.all([forced?.close(), free?.close(), without?.close()])
  await proxy.stop()
  await upstream.close().catch(() => {})
})

/** Opens the page and tells by which protocol each part of it came. */
async function visit(browser: Browser | BrowserContext): Promise<{ page: Page; protocols: string[]; errors: string[] }> {
  const page = await browser.newPage()
  const errors: string[] = []
  page.on("requestfailed", request => errors.push(`${request.url()}: ${request.failure()?.errorText}`))
  await page.goto(`https://localhost:${port}/`, { waitUntil: "load", timeout: 15_000 })
  const protocols = (await page.evaluate(
    `performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).map(entry => entry.nextHopProtocol)`,
  )) as string[]
  const loaded = await page.evaluate(`[...document.images].filter(image => image.complete && image.naturalWidth === 1).length`)
  expect([loaded, errors]).toEqual([images, []])
  return { page, protocols, errors }
}

const counted = (protocols: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const protocol of protocols) counts[protocol] = (counts[protocol] ?? 0) + 1
  return counts
}

describe("Chromium", () => {
  test("HTTP/3 from the first request on: the page and a hundred images", async () => {
    const before = proxy.log().length
    const { page, protocols } = await visit(forced)
    expect(counted(protocols)).toEqual({ h3: images + 1 })
    await page.close()
    await until(() => proxy.log().length >= before + images + 1)
    expect(
      proxy
        .log()
        .slice(before)
        .every(line => line["version"] === "3.0" && line["status"] === 200),
    ).toBe(true)
  }, 20_000)
  test("an upload and a download of 1 MB over HTTP/3", async () => {
    const { page } = await visit(forced)
    const got = await page.evaluate(`(async () => {
      const down = await (await fetch("/big")).text()
      const up = await (await fetch("/up", { method: "POST", body: new Uint8Array(1000000) })).text()
      return [down.length, down.slice(-4), up]
    })()`)
    expect(got).toEqual([big.length, "cdef", "1000000"])
    await page.close()
  }, 20_000)
  test("HTTP/2 where it does not know HTTP/3", async () => {
    const { page, protocols } = await visit(without)
    expect(counted(protocols)).toEqual({ h2: images + 1 })
    await page.close()
  }, 20_000)
  test("it comes by HTTP/2, is told in Alt-Svc, and goes over to HTTP/3", async () => {
    // What it has heard belongs to its context.
    const context = await free.newContext()
    const first = await visit(context)
    expect(first.protocols.at(-1)).toBe("h2")
    await first.page.close()
    const later = await until(async () => {
      const { page, protocols } = await visit(context)
      await page.close()
      return protocols.every(protocol => protocol === "h3") ? protocols : null
    }, 10_000)
    expect(counted(later)).toEqual({ h3: images + 1 })
  }, 20_000)
})
