import { afterAll, expect, test } from "bun:test"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { secureListener } from "../../support/h3/secure-config.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { Upgraded } from "../../support/upgraded.ts"
import { pause, until } from "../../support/wait.ts"
import { echo, openWebSocket, webSocketEcho } from "../../support/web-socket.ts"

// What becomes of the connections that the old process has when another takes over.
const [plain, secure, admin] = (await freePorts(3)) as [number, number, number]
const drainMs = 4000
const sockets = await scriptedServer(webSocketEcho)
/** Answers half at once, and the rest when the test lets it. */
const finish: (() => void)[] = []
const slow = createServer((_request, response) => {
  response.writeHead(200, { "Content-Length": 8 })
  response.write("half")
  finish.push(() => response.end("half"))
})
await new Promise<void>(resolve => slow.listen(0, "127.0.0.1", resolve))
const config = (body: string): object => ({
  admin: { bind: `127.0.0.1:${admin}` },
  workers: 2,
  drain: { timeout: `${drainMs}ms` },
  listeners: { web: { bind: `127.0.0.1:${plain}` }, secure: { bind: `127.0.0.1:${secure}`, ...secureListener() } },
  clusters: { sockets: { peers: [sockets.address] }, slow: { peers: [`127.0.0.1:${(slow.address() as AddressInfo).port}`] } },
  routes: [
    { match: { path: "/ws" }, to: { cluster: "sockets" } },
    { match: { path: "/slow" }, to: { cluster: "slow" } },
    { match: {}, to: { respond: { body } } },
  ],
  observe: { accessLog: { to: "none" } },
})
const proxy = await Upgraded.start(config("old"), { args: ["--no-watch"] })
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await sockets.close().catch(() => {})
  slow.closeAllConnections()
  slow.close()
})

const asked = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

test("kept, idle, busy, HTTP/2, HTTP/3 and a WebSocket", async () => {
  using socket = await rawClient(plain)
  await openWebSocket(socket)
  using idle = await rawClient(plain)
  idle.send(asked)
  expect((await idle.response()).body).toBe("old")
  using silent = await rawClient(plain)
  using busy = await rawClient(plain)
  busy.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
  using h2 = await rawH2Client(secure, { tls: {} })
  const h2Held = h2.request({ ":path": "/slow" })
  using h3 = await rawH3Client(secure)
  const h3Held = h3.request({ ":path": "/slow" }).response()
  await until(() => finish.length === 3)
  // So long that nobody takes it for a client that is about to ask.
  await pause(1100)
  proxy.first.rewrite(config("new"))
  expect(await proxy.upgrade()).toMatchObject({ ok: true })
  const at = performance.now()

  for (const end of finish) end()
  expect((await h3Held).body).toBe("halfhalf")
  const answer = await busy.response()
  expect([answer.body, answer.fields.connection]).toEqual(["halfhalf", undefined])
  expect((await h2.response(h2Held)).body).toBe("halfhalf")
  expect((await h2.goneAway()).code).toBe(0)
  expect(await h2.closed()).toBe("fin")

  // Half of the time to drain: whoever asks is served, and told.
  await pause(Math.max(0, drainMs / 2 - 1000 - (performance.now() - at)))
  idle.send(asked)
  const last = await idle.response()
  expect([last.body, last.fields.connection]).toEqual(["old", "close"])
  expect([await idle.ended(), await silent.ended()]).toEqual(["fin", "fin"])

  expect(await echo(socket, "still here")).toBe("still here")
  // The old process refuses new connections of HTTP/3 for a second, where something is under way on one.
  const reaches = (): Promise<boolean> =>
    rawH3Client(secure).then(
      client => client.closed === null,
      () => false,
    )
  await until(reaches)
  using fresh = await rawH3Client(secure)
  expect((await fresh.request().response()).body).toBe("new")
  expect(await socket.ended(drainMs)).not.toBe("open")
  expect(performance.now() - at).toBeGreaterThan(drainMs - 500)
  await proxy.othersEnded()
  using next = await rawClient(plain)
  next.send(asked)
  expect((await next.response()).body).toBe("new")
}, 30_000)
