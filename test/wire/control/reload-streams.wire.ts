import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { echo, openWebSocket, webSocketEcho } from "../../support/web-socket.ts"
import { pause, until } from "../../support/wait.ts"

const [port, admin] = (await freePorts(2)) as [number, number]
const echoServer = await scriptedServer(webSocketEcho)
const events = await scriptedServer(async connection => {
  await connection.request()
  connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
})
const second = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")

interface Shape {
  /** Routes that nobody asks for. */
  readonly others?: number
  readonly a?: boolean
  readonly peer?: string
}

function config({ others = 0, a = true, peer = echoServer.address }: Shape): object {
  const own = [
    { name: "a", match: { path: "/ws" }, to: { cluster: "echo" } },
    { name: "sse", match: { path: "/events" }, to: { cluster: "events" } },
  ]
  const unrelated = Array.from({ length: others }, (_, i) => ({ match: { host: `h${i}.test` }, to: { respond: { body: String(i) } } }))
  return {
    workers: 1,
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { echo: { peers: [peer] }, events: { peers: [events.address] } },
    routes: [...unrelated, ...(a ? own : [])],
    admin: { bind: `127.0.0.1:${admin}` },
    drain: { timeout: "1s" },
  }
}

const proxy: Bothways = await startBothways(config({}))
afterAll(async () => {
  await proxy.stop()
  for (const server of [echoServer, events, second]) await server[Symbol.asyncDispose]()
})

interface Status {
  readonly config: { readonly version: number }
  readonly workers: readonly { readonly detail: { readonly heapBytes: number } }[]
}

async function status(): Promise<Status> {
  return (await (await proxy.ask("/status")).json()) as Status
}

let version = 1

async function reload(shape: Shape): Promise<void> {
  proxy.rewrite(config(shape))
  proxy.program.signal("SIGHUP")
  version++
  await until(async () => (await status()).config.version === version, undefined, `version ${version}`)
}

async function bodyOf(path: string, host = "a.test"): Promise<{ status: number; body: string }> {
  using client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const { status, body } = await client.response()
  return { status, body }
}

describe("O-16: a reload leaves streams alone", () => {
  test("the same connections go on over ten reloads, a removal and a change of the upstream", async () => {
    using socket = await rawClient(port)
    await openWebSocket(socket)
    using stream = await rawClient(port)
    stream.send("GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await stream.head()
    const source = await events.connection()
    let sent = 0
    const bothWork = async (): Promise<void> => {
      const text = `data: ${sent++}\n\n`
      source.send(`${text.length.toString(16)}\r\n${text}\r\n`)
      expect(await stream.through(text)).toContain(text)
      expect(await echo(socket, text)).toBe(text)
    }
    await bothWork()
    for (let i = 1; i <= 10; i++) {
      await reload({ others: i })
      expect(await bodyOf("/", `h${i - 1}.test`)).toEqual({ status: 200, body: String(i - 1) })
      await bothWork()
    }
    await reload({ a: false })
    await bothWork()
    expect((await bodyOf("/ws")).status).toBe(404)
    await reload({ peer: second.address })
    expect(await bodyOf("/ws")).toEqual({ status: 200, body: "second" })
    // Longer than the drain's timeout: that is for the end of the process, not for a reload.
    await pause(1100)
    await bothWork()
    expect(echoServer.connections.length).toBe(1)
  }, 20_000)

  test("memory is flat over 200 reloads with one stream open", async () => {
    using socket = await rawClient(port)
    await reload({})
    await openWebSocket(socket)
    const heap = async (): Promise<number> => (await status()).workers[0]!.detail.heapBytes
    for (let i = 0; i < 20; i++) await reload({ others: 1 + (i % 2) })
    const before = await heap()
    for (let i = 0; i < 180; i++) await reload({ others: 1 + (i % 2) })
    expect(await heap()).toBeLessThan(before * 1.5 + 4 * 1024 * 1024)
    expect(await echo(socket, "still here")).toBe("still here")
  }, 30_000)
})
