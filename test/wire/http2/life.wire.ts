import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { errorCode } from "../../support/h2/frames.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { h2load } from "../../support/h2load.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// From the first SETTINGS to the last GOAWAY (RFC 9113 section 6.8).
let release: () => void = () => {}
const upstream: ScriptedServer = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    if (head.includes(" /held ")) await new Promise<void>(resolve => (release = resolve))
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
})
afterAll(() => upstream.close().catch(() => {}))

const get = (client: RawH2Client, path = "/") => client.response(client.request({ ":path": path }))
const change = { method: "POST", headers: { "X-Bothways": "1" } }

/** A held request is under way; `end` begins the end of the listener, or of the program. */
async function endsGently(port: number, end: () => unknown): Promise<void> {
  using client = await rawH2Client(port)
  expect((await get(client)).status).toBe(200)
  const held = client.request({ ":path": "/held" })
  await until(() => upstream.received.includes(" /held "))
  end()
  // The first word names no stream: what is on its way is served.
  const first = await client.goneAway()
  expect([first.code, first.lastStreamId]).toEqual([errorCode.noError, 2 ** 31 - 1])
  const late = client.request({ ":path": "/late" })
  expect((await client.response(late)).body).toBe("ok")
  // The second one does, and whoever comes behind it is refused unread.
  const second = await client.goneAway(1)
  expect([second.code, second.lastStreamId]).toEqual([errorCode.noError, late])
  expect(await client.resetOf(client.request({ ":path": "/too-late" }))).toBe(errorCode.refusedStream)
  release()
  expect((await client.response(held)).body).toBe("ok")
  expect(await client.closed()).toBe("fin")
  expect(upstream.received).not.toContain("too-late")
}

describe("GOAWAY", () => {
  test("SIGTERM: what is under way is served, and the program ends by itself", async () => {
    const port = await freePort()
    await using proxy = await startBothways(reverseConfig(port, upstream.address))
    await endsGently(port, () => proxy.program.signal("SIGTERM"))
    expect(await proxy.program.exit()).toBe(0)
  })
  test("a reload that removes the listener", async () => {
    const [port, other, admin] = (await freePorts(3)) as [number, number, number]
    const routes = [{ match: {}, to: { cluster: "a" } }]
    const config = (at: number) => ({
      workers: 1,
      admin: { bind: `127.0.0.1:${admin}` },
      listeners: { [`l${at}`]: { bind: `127.0.0.1:${at}` } },
      clusters: { a: { peers: [upstream.address] } },
      routes,
    })
    await using proxy = await startBothways(config(port))
    await endsGently(port, async () => {
      proxy.rewrite(config(other))
      expect((await proxy.ask("/reload", change)).status).toBe(200)
    })
    using client = await rawH2Client(other)
    expect((await get(client)).status).toBe(200)
  })
  test("an idle connection is told, too, and ends", async () => {
    const port = await freePort()
    await using proxy = await startBothways(reverseConfig(port, upstream.address))
    using client = await rawH2Client(port)
    await get(client)
    proxy.program.signal("SIGTERM")
    expect(await client.closed()).toBe("fin")
    expect(client.goaways.map(({ code }) => code)).toEqual([errorCode.noError, errorCode.noError])
    expect(await proxy.program.exit()).toBe(0)
  })
  test("requestsMax: the last ones are served, then it ends", async () => {
    const port = await freePort()
    await using proxy = await startBothways(reverseConfig(port, upstream.address, { listener: { limits: { requestsMax: 3 } } }))
    using client = await rawH2Client(port)
    for (let i = 0; i < 3; i++) expect((await get(client)).status).toBe(200)
    expect((await client.goneAway()).code).toBe(errorCode.noError)
    expect(await client.closed()).toBe("fin")
    expect(proxy.log().length).toBe(3)
  })
  test("the client's own: no further word is needed, the connection ends behind the last answer", async () => {
    const port = await freePort()
    await using _proxy = await startBothways(reverseConfig(port, upstream.address))
    using client = await rawH2Client(port)
    const id = client.request()
    client.goaway(0)
    expect((await client.response(id)).body).toBe("ok")
    expect(await client.closed()).toBe("fin")
  })
})

describe("one connection", () => {
  test("PING is answered with its octets", async () => {
    const port = await freePort()
    await using _proxy = await startBothways(reverseConfig(port, upstream.address))
    using client = await rawH2Client(port)
    client.ping("\x00\xff345678")
    const answer = await client.frame(each => each.type === 6)
    expect([answer.flags, answer.payload.toString("latin1")]).toEqual([1, "\x00\xff345678"])
  })
  test("O-30 c: a reset reaches the upstream at once, and is logged", async () => {
    const port = await freePort()
    await using proxy = await startBothways(reverseConfig(port, upstream.address))
    using client = await rawH2Client(port)
    for (let i = 0; i < 20; i++) {
      const id = client.request({ ":path": "/held" })
      const connection = await until(() => upstream.connections.findLast(one => one.ending === "open" && one.received.includes("/held")))
      const at = performance.now()
      client.reset(id)
      await connection.ended()
      expect(performance.now() - at).toBeLessThan(500)
      release()
    }
    await until(() => proxy.log().filter(line => line.fault === "client.aborted" && line.version === "2.0").length === 20)
  })
  test("the end of the connection ends all that was under way", async () => {
    const port = await freePort()
    await using proxy = await startBothways(reverseConfig(port, upstream.address))
    const client = await rawH2Client(port)
    for (let i = 0; i < 10; i++) client.request({ ":path": "/held" })
    const held = () => upstream.connections.filter(one => one.ending === "open" && one.received.includes("/held")).length
    await until(() => held() === 10)
    client.socket.resetAndDestroy()
    await until(() => held() === 0)
    await until(() => proxy.log().filter(line => line.fault === "client.aborted").length === 10)
  })
  test("the log says version, status and bytes of each stream", async () => {
    const port = await freePort()
    await using proxy = await startBothways(reverseConfig(port, upstream.address))
    using client = await rawH2Client(port)
    await client.response(client.request({ ":method": "POST", ":path": "/a?b=c" }, { body: "hello" }))
    await client.resetOf(client.request([[":method", "GET"]]))
    await until(() => proxy.log().length === 2)
    const lines = proxy.log()
    expect(lines[0]).toMatchObject({ method: "POST", target: "/a?b=c", version: "2.0", status: 200, host: "a.test" })
    expect(lines[1]).toMatchObject({ version: "2.0", fault: "client.malformed" })
  })
})

describe("load beside changes: no request is lost", () => {
  const config = (admin: number, port: number, round: number, listener: object = {}) => ({
    workers: 2,
    admin: { bind: `127.0.0.1:${admin}` },
    listeners: { web: { bind: `127.0.0.1:${port}`, ...listener } },
    clusters: { a: { peers: [upstream.address], pool: { idleMax: 64 + round } } },
    routes: [{ match: {}, to: { cluster: "a" } }],
  })
  const reload = async (proxy: Bothways, next: object): Promise<void> => {
    proxy.rewrite(next)
    expect((await proxy.ask("/reload", change)).status).toBe(200)
  }
  for (const [name, listener] of [
    ["five reloads", () => ({})],
    ["five changes of the listener itself", (round: number) => ({ timeouts: { handshake: `${5 + round}s` } })],
  ] as const) {
    test(name, async () => {
      const [port, admin] = (await freePorts(2)) as [number, number]
      await using proxy = await startBothways(config(admin, port, 0))
      let over = false
      let succeeded = 0
      // It ends when it is told that the connection does; what it had not sent by then is no loss.
      const load = async (): Promise<void> => {
        while (!over) {
          const result = await h2load(`http://127.0.0.1:${port}/`, { requests: 5000 })
          succeeded += result.succeeded
        }
      }
      const loads = Promise.all([load(), load()])
      for (let round = 1; round <= 5; round++) {
        await pause(200)
        await reload(proxy, config(admin, port, round, listener(round)))
      }
      over = true
      await loads
      expect(succeeded).toBeGreaterThan(1000)
      await until(() => proxy.log().length >= succeeded)
      // Whoever was heard has been answered, and has the answer.
      expect([proxy.log().length, proxy.log().filter(line => line.status !== 200 || "fault" in line)]).toEqual([succeeded, []])
    }, 30_000)
  }
})
