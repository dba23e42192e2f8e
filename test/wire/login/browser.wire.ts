import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// Chromium logs in to the proxy: Basic and Digest, with six connections at a time.
const realm = "the office"
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")
const folder = temporaryFolder("browser-login")
const htpasswd = join(folder, "users")
const htdigest = join(folder, "digests")
writeFileSync(htpasswd, `ann:{SHA}${createHash("sha1").update("annsecret").digest("base64")}\n`)
writeFileSync(htdigest, `ann:${realm}:${sha256(`ann:${realm}:annsecret`)}\n`)
const [basic, digest] = (await freePorts(2)) as [number, number]
const page = `<!doctype html><title>in</title>${Array.from({ length: 12 }, (_, i) => `<img src="/${i}.png">`).join("")}`
const origin = await recorder(({ start }) => {
  const body = start.startsWith("GET / ") ? page : "x"
  return `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\n\r\n${body}`
})
const forward = { privateRanges: "allow", ports: [origin.port] }
const [proxy, browser] = await Promise.all([
  startBothways(
    {
      listeners: {
        basic: { bind: `127.0.0.1:${basic}`, forward: { ...forward, auth: { realm, htpasswd } } },
        digest: { bind: `127.0.0.1:${digest}`, forward: { ...forward, auth: { realm, digest: { htdigest } } } },
      },
      routes: [{ to: { origin: {} } }],
    },
    { workers: 2 },
  ),
  startBrowser(),
])
afterAll(async () => {
  await browser.close()
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

describe("O-48: a browser", () => {
  test.each([
    ["Basic", basic],
    ["Digest", digest],
  ] as const)("%s: the page and all that is in it", async (_, port) => {
    const before = origin.requests.length
    const context = await browser.newContext({
      proxy: { server: `http://127.0.0.1:${port}`, bypass: "<-loopback>", username: "ann", password: "annsecret" },
    })
    const tab = await context.newPage()
    expect((await tab.goto(`http://${origin.address}/`))!.status()).toBe(200)
    expect(await tab.title()).toBe("in")
    await until(() => origin.requests.slice(before).filter(({ start }) => start.includes(".png")).length >= 12)
    expect(origin.requests.every(({ head }) => !/proxy-auth/i.test(head))).toBe(true)
    await context.close()
  })

  test("who it was is in the log, and the browser was asked once or twice, not for each picture", async () => {
    await until(() => proxy.log().filter(line => line["user"] === "ann").length >= 26)
    expect(proxy.log().filter(line => line["status"] === 407).length).toBeLessThan(16)
  })
})
