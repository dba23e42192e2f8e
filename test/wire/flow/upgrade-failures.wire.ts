import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { openSockets } from "../../support/open-sockets.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { upgradeRequest } from "../../support/web-socket.ts"
import { pause, until } from "../../support/wait.ts"

const rounds = 200
const port = await freePort()
const nobody = await freePort()
const behaviours: Record<string, (connection: RawSocket) => void> = {
  a: connection => connection.send("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing"),
  b: connection => connection.reset(),
  c: () => {},
  d: connection => {
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    // The head must leave before the reset takes it away.
    setTimeout(() => connection.reset(), 1)
  },
}
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start } = await connection.request(3_600_000)
    behaviours[start.slice(5, 6)]?.(connection)
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: [upstream.address], health: { passive: "off" } }, gone: { peers: [`127.0.0.1:${nobody}`], health: { passive: "off" } } },
  routes: [
    { match: { path: "/e" }, to: { cluster: "gone" } },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

let sockets = 0
beforeAll(async () => {
  await round("a", async client => void (await client.response()))
  // The client's side is closed; one connection to the upstream is kept.
  await until(() => proxy.log().length === 1)
  sockets = openSockets(proxy.pid)
})

async function round(path: string, play: (client: RawSocket) => Promise<void>): Promise<void> {
  using client = await rawClient(port)
  client.send(upgradeRequest(`/${path}`))
  await play(client)
}

/** All rounds, a few at a time, and then nothing may be left. */
async function batch(path: string, atOnce: number, play: (client: RawSocket) => Promise<void>): Promise<void> {
  for (let done = 0; done < rounds; done += atOnce) await Promise.all(Array.from({ length: atOnce }, () => round(path, play)))
  await until(() => upstream.connections.filter(connection => connection.ending === "open").length <= 1, undefined, "closed upstream connections")
  await until(() => openSockets(proxy.pid) <= sockets, undefined, `no more than ${sockets} open sockets`)
  expect(proxy.program.hasExited).toBe(false)
  expect(proxy.program.stderr).not.toMatch(/threw|rror/)
  using client = await rawClient(port)
  client.send("GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
  expect((await client.response()).status).toBe(404)
}

describe(`O-15: an upgrade that fails, ${rounds} rounds each`, () => {
  test("a: refused with a body: the client gets it", async () => {
    await batch("a", 1, async client => {
      const { status, body } = await client.response()
      expect([status, body]).toEqual([404, "nothing"])
    })
  })
  test("b: reset: 502", async () => {
    await batch("b", 20, async client => expect((await client.response()).status).toBe(502))
  })
  test("c: never answered, and the client resets after 200 ms", async () => {
    await batch("c", rounds, async client => {
      await pause(200)
      client.reset()
    })
  })
  test("d: 101 and then a reset: the client sees the end", async () => {
    await batch("d", 20, async client => {
      expect((await client.response()).status).toBe(101)
      expect(await client.ended()).toBe("reset")
    })
  })
  test("e: nobody listens: 502", async () => {
    await batch("e", 20, async client => expect((await client.response()).status).toBe(502))
  })
})
