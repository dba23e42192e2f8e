import { afterAll, expect, test } from "bun:test"
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { handshake } from "../../support/openssl-client.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { pause, until } from "../../support/wait.ts"

// A listener whose settings change accepts from the same socket as before: whoever waits in its queue, or has come in and not asked yet, is served.
const [plain, secure, admin] = (await freePorts(3)) as [number, number, number]
const authority = new Authority()
const [first, second] = [authority.issue(["first.test"]), authority.issue(["second.test"])]
const config = (odd: boolean): object => ({
  admin: { bind: `127.0.0.1:${admin}` },
  workers: 2,
  listeners: {
    plain: { bind: `127.0.0.1:${plain}`, timeouts: { handshake: odd ? "9s" : "10s" } },
    secure: {
      bind: `127.0.0.1:${secure}`,
      tls: {
        certificates: (odd ? [second, first] : [first, second]).map(({ certFile, keyFile }) => ({ cert: certFile, key: keyFile })),
        minVersion: odd ? "1.3" : "1.2",
      },
    },
  },
  routes: [{ match: {}, to: { respond: { body: "ok" } } }],
})
const proxy = await startBothways(config(false))
afterAll(() => proxy.stop())

async function reload(odd: boolean): Promise<void> {
  proxy.rewrite(config(odd))
  expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
}

/** One request on a connection of its own; "" when it was answered. */
function ask(open: () => Socket): Promise<string> {
  return new Promise(resolve => {
    const socket = open()
    let got = ""
    socket.write("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
    socket.on("data", chunk => (got += String(chunk)))
    socket.once("error", error => resolve(`${(error as NodeJS.ErrnoException).code} after ${got.length} octets`))
    socket.once("close", () => resolve(got.includes("200 OK") ? "" : `closed after ${got.length} octets`))
  })
}

const openPlain = (): Socket => connect(plain, "127.0.0.1")
const openSecure = (): Socket => connectTls({ port: secure, host: "127.0.0.1", servername: "first.test", ca: authority.ca.cert })

test("reloads that change listeners lose no connection", async () => {
  const failures: string[] = []
  let done = false
  let answered = 0
  const load = async (open: () => Socket): Promise<void> => {
    while (!done) {
      const failure = await ask(open)
      if (failure === "") answered++
      else failures.push(failure)
    }
  }
  const loads = [...Array.from({ length: 16 }, () => load(openPlain)), ...Array.from({ length: 4 }, () => load(openSecure))]
  for (let i = 1; i <= 10; i++) {
    await reload(i % 2 === 1)
    await pause(30)
  }
  done = true
  await Promise.all(loads)
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(100)
})

test("new connections get the new settings at once, on both workers; an old one may ask once more, and is told that it was the last time", async () => {
  await reload(false)
  using idle = await rawClient(plain)
  using used = await rawClient(plain)
  used.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  expect((await used.response()).status).toBe(200)
  await reload(true)
  for (const client of [idle, used]) {
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    const { status, fields } = await client.response()
    expect([status, fields.connection]).toEqual([200, "close"])
    expect(await client.ended()).toBe("fin")
  }
  for (let i = 0; i < 6; i++) {
    expect(await handshake(secure, "-noservername")).toMatchObject({ ok: true, name: "second.test", version: "TLSv1.3" })
    expect((await handshake(secure, "-tls1_2")).ok).toBe(false)
  }
})

test("a connection that never asks does not live on", async () => {
  using silent = await rawClient(plain)
  await reload(false)
  const at = performance.now()
  expect(await silent.ended()).toBe("fin")
  expect(performance.now() - at).toBeGreaterThan(500)
  await until(async () => ((await (await proxy.ask("/status")).json()) as { connections: number }).connections === 0)
})
