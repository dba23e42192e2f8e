import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { deflateSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { webSocketEcho } from "../../support/web-socket.ts"

// What a person sees. The pictures are left in the folder that BOTHWAYS_SCREENSHOTS names, if it does.
const pictures = process.env["BOTHWAYS_SCREENSHOTS"] ?? temporaryFolder("pictures")
const images = 12
const site = new Authority().issue(["localhost"])
const [egress, web] = (await freePorts(2)) as [number, number]

const frame = "<!doctype html><p>another site</p>"
const other = await scriptedServer(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${frame.length}\r\n\r\n${frame}`)
const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gallery</title><link rel="stylesheet" href="/style.css">
<script src="/one.js" defer></script><script type="module" src="/two.js"></script></head>
<body><h1>Gallery</h1><p id="said">nothing yet</p>${Array.from({ length: images }, (_, i) => `<img src="/image/${i}.png" alt="${i}">`).join("")}
<iframe src="http://127.0.0.1:${other.port}/frame" title="another site"></iframe></body></html>`
const files: Record<string, [type: string, body: string | Buffer]> = {
  "/": ["text/html", page],
  "/style.css": ["text/css", "body { font-family: sans-serif; margin: 2em } h1 { color: rgb(0, 90, 60) } img { margin: 4px }"],
  "/one.js": ["text/javascript", 'document.title += " one"'],
  "/two.js": [
    "text/javascript",
    'const answer = await (await fetch("/api", { method: "POST", body: "question" })).json(); document.querySelector("#said").textContent = answer.said',
  ],
}
const asked: string[] = []
const secure = createServer({ cert: site.cert, key: site.key }, (request, response) => {
  asked.push(request.url!)
  if (request.url === "/api") {
    let body = ""
    request.on("data", chunk => (body += String(chunk))).on("end", () => response.end(JSON.stringify({ said: `heard: ${body}` })))
    return
  }
  const image = /^\/image\/(\d+)\.png$/.exec(request.url!)
  const file = image ? (["image/png", png(40, Number(image[1]))] as const) : files[request.url!]
  if (file === undefined) return void response.writeHead(404).end()
  response.writeHead(200, { "Content-Type": file[0] }).end(file[1])
})
await new Promise<void>(resolve => secure.listen(0, "127.0.0.1", () => resolve()))
const secureAt = (secure.address() as AddressInfo).port

const chat = `<!doctype html><title>Chat</title><h1>Chat</h1><ul></ul><script>
const socket = new WebSocket("ws://" + location.host + "/socket")
const say = text => document.querySelector("ul").insertAdjacentHTML("beforeend", "<li>" + text + "</li>")
socket.onopen = () => { say("open"); for (const word of ["one", "two", "three"]) socket.send(word) }
socket.onmessage = ({ data }) => { say("echo " + data); if (data === "three") socket.close(1000) }
socket.onclose = ({ code, wasClean }) => say("closed " + code + " " + wasClean)
</script>`
const echo = await scriptedServer(webSocketEcho)
const dead = (await freePorts(1))[0]!
const blocked = '<!doctype html><html lang="en"><title>Blocked</title><h1>This site is blocked</h1><p>Ask the administrator.</p></html>'
const proxy = await startBothways({
  listeners: {
    egress: { bind: `127.0.0.1:${egress}`, forward: { privateRanges: "allow", connectPorts: [secureAt], ports: ["1025-65535"] } },
    web: { bind: `127.0.0.1:${web}` },
  },
  clusters: { echo: { peers: [echo.address] }, dead: { peers: [`127.0.0.1:${dead}`] } },
  routes: [
    {
      name: "blocked",
      match: { host: "ads.localhost" },
      to: { respond: { status: 403, body: blocked, headers: { "Content-Type": "text/html; charset=utf-8" } } },
    },
    { name: "out", match: { listener: "egress" }, to: { origin: {} } },
    { name: "socket", match: { path: "/socket" }, to: { cluster: "echo" } },
    { name: "chat", match: { path: "/chat" }, to: { respond: { body: chat, headers: { "Content-Type": "text/html; charset=utf-8" } } } },
    { name: "dead", match: { path: "/dead" }, to: { cluster: "dead" } },
  ],
})
let through: Browser
let direct: Browser
beforeAll(async () => {
  ;[through, direct] = await Promise.all([startBrowser(`http://127.0.0.1:${egress}`), startBrowser()])
}, 30_000)
afterAll(async () => {
  await Promise.all([through?.close(), direct?.close()])
  await proxy.stop()
  await echo.close()
  await other.close()
  secure.closeAllConnections()
  secure.close()
})

async function visit(browser: Browser, url: string): Promise<{ page: Page; status: number; errors: string[] }> {
  const page = await browser.newPage()
  const errors: string[] = []
  page.on("pageerror", error => errors.push(String(error)))
  page.on("requestfailed", request => errors.push(`${request.url()}: ${request.failure()?.errorText}`))
  const answer = await page.goto(url, { waitUntil: "load", timeout: 15_000 })
  return { page, status: answer?.status() ?? 0, errors }
}

const picture = (page: Page, name: string): Promise<unknown> => page.screenshot({ path: join(pictures, `${name}.png`) })

describe("Chromium through the forward proxy", () => {
  test("an HTTPS page with images, scripts and a frame of another site", async () => {
    const { page, status, errors } = await visit(through, `https://localhost:${secureAt}/`)
    await page.waitForFunction(`document.querySelector("#said")?.textContent !== "nothing yet"`)
    // In the page's own words: this program knows no DOM.
    const seen = await page.evaluate(`({
      title: document.title,
      said: document.querySelector("#said").textContent,
      colour: getComputedStyle(document.querySelector("h1")).color,
      images: [...document.images].filter(image => image.complete && image.naturalWidth === 40).length,
    })`)
    expect([status, seen, errors]).toEqual([200, { title: "Gallery one", said: "heard: question", colour: "rgb(0, 90, 60)", images }, []])
    expect(await page.frames()[1]!.textContent("p")).toBe("another site")
    await picture(page, "gallery")
    expect(asked.filter(url => url.startsWith("/image/")).length).toBe(images)
    await page.close()
    await until(() => proxy.log().some(line => line.method === "CONNECT" && line.target === `localhost:${secureAt}`))
    await until(() => proxy.log().some(line => line.method === "GET" && line.target === "/frame" && line.port === other.port && line.route === "out"))
  }, 20_000)

  test("a page that a route blocks", async () => {
    const { page, status } = await visit(through, `http://ads.localhost:${secureAt}/banner`)
    expect([status, await page.title(), await page.textContent("h1")]).toEqual([403, "Blocked", "This site is blocked"])
    await picture(page, "blocked")
    await page.close()
  }, 20_000)

  test("a port that is closed: our page, in HTML, without a word on why the rule is there", async () => {
    const { page, status } = await visit(through, "http://localhost:81/")
    expect([status, await page.title(), await page.textContent("code")]).toEqual([403, "403 Forbidden", "proxy.port-forbidden"])
    await picture(page, "port-forbidden")
    await page.close()
  }, 20_000)

  test("a tunnel that is refused is an error of the browser, not a page in the other site's name", async () => {
    const page = await through.newPage()
    await expect(page.goto("https://localhost:444/", { timeout: 15_000 })).rejects.toThrow("ERR_TUNNEL_CONNECTION_FAILED")
    await page.close()
  }, 20_000)
})

describe("Chromium at the reverse proxy", () => {
  test("a WebSocket: opened, echoed, closed cleanly", async () => {
    const { page, status, errors } = await visit(direct, `http://127.0.0.1:${web}/chat`)
    await page.waitForFunction(`document.querySelectorAll("li").length === 5`)
    expect([status, errors]).toEqual([200, []])
    expect(await page.evaluate(`[...document.querySelectorAll("li")].map(item => item.textContent)`)).toEqual([
      "open",
      "echo one",
      "echo two",
      "echo three",
      "closed 1000 true",
    ])
    await picture(page, "chat")
    await page.close()
    await until(() => proxy.log().some(line => line.route === "socket" && line.status === 101))
  }, 20_000)

  test("a peer that is down: our page for people", async () => {
    const { page, status } = await visit(direct, `http://127.0.0.1:${web}/dead`)
    expect([status, await page.title(), await page.textContent("code")]).toEqual([502, "502 Bad Gateway", "upstream.connect-refused"])
    expect(await page.textContent("body")).not.toContain(String(dead))
    await picture(page, "bad-gateway")
    await page.close()
  }, 20_000)
})

/** A square of one colour. */
function png(size: number, hue: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length, 0)
    body.copy(out, 4)
    out.writeUInt32BE(Bun.hash.crc32(body), body.length + 4)
    return out
  }
  const head = Buffer.from([0, 0, 0, size, 0, 0, 0, size, 8, 2, 0, 0, 0])
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(size * 3, Buffer.from([hue * 20, 120, 250 - hue * 20]))])
  const pixels = deflateSync(Buffer.concat(Array(size).fill(row)))
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))])
}
