import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { openSockets } from "../../support/open-sockets.ts"
import { freePort } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

const rounds = 200
const port = await freePort()
const block = Buffer.alloc(64 * 1024, "x")
const answers = new Map<string, () => void>()
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start } = await connection.request(3_600_000)
    const path = start.split(" ")[1]!
    if (path.startsWith("/stream")) {
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      const pour = () => {
        while (connection.ending === "open" && connection.socket.write(Buffer.concat([Buffer.from("10000\r\n"), block, Buffer.from("\r\n")])));
      }
      connection.socket.on("drain", pour)
      pour()
    }
    if (path.startsWith("/wait")) answers.set(path, () => connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"))
    if (path.startsWith("/ok")) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
})
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

/** Milliseconds from now until the upstream connection of this request ends. */
async function untilClosed(path: string): Promise<number> {
  const connection = upstream.connections.find(one => one.received.includes(` ${path} `))!
  const from = performance.now()
  await connection.ended()
  return performance.now() - from
}

async function ask(path: string, lines = ""): Promise<RawClient> {
  const client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`)
  return client
}

async function nothingIsLeft(sockets: number): Promise<void> {
  await until(() => openSockets(proxy.pid) <= sockets, undefined, `no more than ${sockets} open sockets`)
  await until(
    () => proxy.log().filter(line => /^\/(?:stream|never)-\d/.test(String(line.target))).length === rounds,
    undefined,
    `${rounds} lines in the log`,
  )
  using client = await ask("/ok")
  expect((await client.response()).body).toBe("ok")
}

const sockets = openSockets(proxy.pid) + 1

describe("O-30: the client goes away", () => {
  for (const how of ["close", "reset"] as const) {
    test(`a: before the answer, with a ${how}: the upstream is let go within 200 ms`, async () => {
      const client = await ask(`/never-${how}`)
      await until(() => upstream.received.includes(`/never-${how} `))
      if (how === "close") client.destroy()
      else client.reset()
      expect(await untilClosed(`/never-${how}`)).toBeLessThan(200)
      const line = await until(() => proxy.log().find(entry => entry.target === `/never-${how}`))
      expect([line.status, line.fault]).toEqual([499, "client.aborted"])
    })
  }
  test("b: in the middle of an endless answer", async () => {
    const client = await ask("/stream")
    await until(() => client.bytesReceived > 1024 * 1024)
    client.reset()
    expect(await untilClosed("/stream")).toBeLessThan(200)
    const line = await until(() => proxy.log().find(entry => entry.target === "/stream"))
    expect([line.fault, Number(line.responseBytes) > 1024 * 1024]).toEqual(["client.aborted", true])
  })
  test(`a and b, ${rounds} rounds: nothing is left behind`, async () => {
    for (let done = 0; done < rounds; done += 50) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const path = i % 2 === 0 ? `/stream-${done + i}` : `/never-${done + i}`
          const client = await ask(path)
          if (i % 2 === 0) await until(() => client.bytesReceived > 64 * 1024)
          else await until(() => upstream.connections.some(one => one.received.includes(` ${path} `)))
          if (i % 4 < 2) client.reset()
          else client.destroy()
        }),
      )
    }
    await nothingIsLeft(sockets)
  }, 20_000)
  test("d: a half-close is no farewell: the answer is delivered, however late", async () => {
    using client = await ask("/wait-1")
    client.fin()
    await until(() => answers.has("/wait-1"))
    // Longer than the proxy waits before it asks whether anybody is there.
    await pause(400)
    answers.get("/wait-1")!()
    let response = await client.response()
    while (response.status === 100) response = await client.response()
    expect([response.status, response.body]).toEqual([200, "late"])
    expect(await client.ended()).toBe("fin")
    const line = await until(() => proxy.log().find(entry => entry.target === "/wait-1"))
    expect([line.status, line.fault]).toEqual([200, undefined])
  })
  test("d: a half-close behind several requests: all of them are answered", async () => {
    using client = await rawClient(port)
    client.send(["/wait-3", "/ok2", "/ok3"].map(path => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`).join(""))
    client.fin()
    await until(() => answers.has("/wait-3"))
    await pause(50)
    answers.get("/wait-3")!()
    const bodies = [await client.response(), await client.response(), await client.response()].map(response => response.body)
    expect(bodies).toEqual(["late", "ok", "ok"])
    expect(await client.ended()).toBe("fin")
  })
  test("d: HTTP/1.0 clients that half-close are answered, and get no 100", async () => {
    using client = await rawClient(port)
    client.send("GET /wait-2 HTTP/1.0\r\nHost: a.test\r\n\r\n")
    client.fin()
    await until(() => answers.has("/wait-2"))
    await pause(300)
    answers.get("/wait-2")!()
    expect(await client.toEnd()).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)+\r\nlate$/)
  })
  test("a client that leaves in the middle of its body", async () => {
    using client = await rawClient(port)
    client.send("POST /body HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf")
    await until(() => upstream.received.endsWith("half"))
    client.destroy()
    expect(await untilClosed("/body")).toBeLessThan(200)
    const line = await until(() => proxy.log().find(entry => entry.target === "/body"))
    expect([line.status, line.fault]).toEqual([499, "client.aborted"])
  })
})
