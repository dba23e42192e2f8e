import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Browser, chromium } from "playwright-core"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { acceptOf, frame, readFrame } from "../../support/web-socket.ts"

// A real browser on the client's side, in both directions: a page that fetches, posts and opens a WebSocket.
const page = `<!doctype html><title>page</title><script>
const socket = new WebSocket("ws://" + location.host + "/socket")
socket.onopen = () => socket.send("hello")
const echoed = new Promise(done => { socket.onmessage = event => done(event.data) })
globalThis.ask = async () => [await (await fetch("/post", { method: "POST", body: "x".repeat(100000) })).text(), await echoed]
</script>`
const launchArgs = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Chromium takes no proxy to addresses of its own machine unless it is told to.
  "--proxy-bypass-list=<-loopback>",
]

let origin: ScriptedServer
let proxy: Bothways
let web = 0
let egress = 0

beforeAll(async () => {
  origin = await scriptedServer(serve)
  ;[web, egress] = (await freePorts(2)) as [number, number]
  proxy = await startBothways({
    listeners: {
      web: { bind: `127.0.0.1:${web}` },
      egress: { bind: `127.0.0.1:${egress}`, forward: { privateRanges: "allow", connectPorts: [origin.port] } },
    },
    clusters: { site: { peers: [origin.address] } },
    routes: [
      { match: { listener: "egress" }, to: { origin: {} } },
      { match: {}, to: { cluster: "site" } },
    ],
  })
})
afterAll(async () => {
  await origin.close()
  await proxy.stop()
})

async function serve(connection: RawSocket): Promise<void> {
  while (true) {
    const { start, fields, body } = await connection.request(60_000)
    if (fields.upgrade === "websocket") return echo(connection, fields["sec-websocket-key"]!)
    const [type, text] = start.startsWith("POST /post") ? ["text/plain", `got ${body.length}`] : ["text/html", page]
    connection.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
  }
}

async function echo(connection: RawSocket, key: string): Promise<void> {
  connection.send(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`)
  connection.send(frame((await readFrame(connection, true)) ?? "", false))
}

async function visit(url: string, through?: string): Promise<unknown> {
  const browser: Browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: launchArgs,
    ...(through && { proxy: { server: through, bypass: "<-loopback>" } }),
  })
  try {
    const tab = await browser.newPage()
    await tab.goto(url)
    return await tab.evaluate("globalThis.ask()")
  } finally {
    await browser.close()
  }
}

test("in front of a site", async () => {
  expect(await visit(`http://127.0.0.1:${web}/`)).toEqual(["got 100000", "hello"])
}, 30_000)

test("in front of a browser: absolute-form for pages, CONNECT for the WebSocket", async () => {
  expect(await visit(`http://127.0.0.1:${origin.port}/`, `http://127.0.0.1:${egress}`)).toEqual(["got 100000", "hello"])
  const methods = (): unknown[] => proxy.log().flatMap(line => (line.listener === "egress" ? [line.method] : []))
  await until(() => ["GET", "POST", "CONNECT"].every(method => methods().includes(method)), 5000, "a line of each method")
}, 30_000)
