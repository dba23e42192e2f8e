import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// A parent that falls silent without a word, as behind a way that is dead: it is stopped, and its connections stand.
const [parentAt, port] = (await freePorts(2)) as [number, number]
const echo = await scriptedServer(async connection => {
  while (true) connection.send(await connection.bytes(1, 3_600_000))
})
const plain = await recorder()
const forward = { privateRanges: "allow", connectPorts: [echo.port], ports: [plain.port] }
const parent = await startBothways({ listeners: { in: { bind: `127.0.0.1:${parentAt}`, forward } }, routes: [{ to: { origin: {} } }] })
const proxy = await startBothways({
  listeners: { in: { bind: `127.0.0.1:${port}`, forward } },
  clusters: {
    parent: {
      peers: [`127.0.0.1:${parentAt}`],
      protocol: "http2",
      http2: { pingAfter: "1s", pongWithin: "500ms", pingIdle: true },
      pool: { reconnect: "10s" },
      timeouts: { connect: "500ms" },
    },
  },
  routes: [{ to: { origin: { via: "parent" } } }],
})
afterAll(async () => {
  parent.program.signal("SIGCONT")
  await Promise.all([proxy.stop(), parent.stop(), echo.close(), plain[Symbol.asyncDispose]()])
})

test("what is on a connection whose peer does not answer PING ends in a second or two, and the next request waits for another", async () => {
  using tunnel = await rawClient(port)
  tunnel.send(`CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\n\r\n`)
  expect((await tunnel.response("CONNECT")).status).toBe(200)
  tunnel.send("a")
  expect(await tunnel.bytes(1)).toBe("a")
  parent.program.signal("SIGSTOP")
  // Nobody says anything in the tunnel: only PING can tell.
  expect(await tunnel.ended(4000)).not.toBe("open")
  parent.program.signal("SIGCONT")
  using next = await rawClient(port)
  next.send(`GET http://localhost:${plain.port}/ HTTP/1.1\r\nHost: localhost:${plain.port}\r\n\r\n`)
  expect((await next.response("GET", 8000)).status).toBe(200)
  const status = await until(async () => {
    const { workers } = (await (await proxy.ask("/status")).json()) as {
      workers: { detail: { pools: { parent: { shared: { opened: number } } } } }[]
    }
    return workers[0]!.detail.pools.parent.shared
  })
  expect(status.opened).toBe(2)
}, 15_000)
