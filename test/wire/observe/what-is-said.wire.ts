import { afterAll, describe, expect, test } from "bun:test"
import { parseExposition } from "../../../src/observe/metrics/strict-exposition.fixture.ts"
import { type LogLine, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"
import { closeFrame, echo, openWebSocket, webSocketEcho } from "../../support/web-socket.ts"

// One scenario, and then everything that the log, the metrics page and the status must say of it.
const [web, egress, dead] = (await freePorts(3)) as [number, number, number]
const slowMs = 150
const slow = await scriptedServer(async connection => {
  while (true) {
    await connection.request(3_600_000)
    await pause(slowMs)
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
  }
})
const sockets = await scriptedServer(webSocketEcho)
const origin = await scriptedServer(async connection => {
  connection.send(`got ${(await connection.bytes(10)).length}`)
  connection.fin()
})
const proxy = await startBothways({
  workers: 2,
  listeners: {
    web: { bind: `127.0.0.1:${web}` },
    egress: { bind: `127.0.0.1:${egress}`, forward: { privateRanges: "allow", connectPorts: [origin.port] } },
  },
  clusters: { slow: { peers: [slow.address] }, sockets: { peers: [sockets.address] }, dead: { peers: [`127.0.0.1:${dead}`] } },
  routes: [
    { name: "slow", match: { listener: "web", path: "/slow" }, to: { cluster: "slow" } },
    { name: "socket", match: { listener: "web", path: "/ws" }, to: { cluster: "sockets" } },
    { name: "dead", match: { listener: "web", path: "/dead" }, to: { cluster: "dead" } },
    { name: "fixed", match: { listener: "web", path: "/fixed" }, to: { respond: { status: 418, body: "teapot" } } },
    { name: "out", match: { listener: "egress" }, to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  for (const server of [slow, sockets, origin]) await server.close()
})

const line = (target: string): Promise<LogLine> => until(() => proxy.log().find(line => line.target === target), undefined, `the line of ${target}`)

async function ask(head: string, body = ""): Promise<number> {
  using client = await rawClient(web, { from: "127.0.0.5" })
  client.send(`${head}\r\nHost: A.test:${web}\r\n${body === "" ? "" : `Content-Length: ${body.length}\r\n`}\r\n${body}`)
  return (await client.response()).status
}

describe("the line of the log", () => {
  test("a request to a cluster: who, what, where to, how long, how much", async () => {
    expect(
      await ask(
        'POST /slow?q=1&token=geheim HTTP/1.1\r\nUser-Agent: te"st\xfc\r\nReferer: http://b.test/?password=geheim\r\nX-Request-Id: r-1',
        "1234567",
      ),
    ).toBe(200)
    const { durationMs, connectMs, waitMs, time, ...rest } = await line("/slow?q=1&token=***")
    expect(rest).toMatchObject({
      listener: "web",
      client: "127.0.0.5",
      method: "POST",
      scheme: "http",
      host: "a.test",
      port: web,
      version: "1.1",
      status: 200,
      route: "slow",
      cluster: "slow",
      peer: slow.address,
      attempts: 1,
      requestBytes: 7,
      responseBytes: 5,
      requestId: "r-1",
    })
    expect(rest.fault).toBeUndefined()
    expect(Math.abs(Date.parse(time as string) - Date.now())).toBeLessThan(60_000)
    for (const [name, value, from, to] of [
      ["durationMs", durationMs, slowMs - 10, slowMs + 3000],
      ["waitMs", waitMs, slowMs - 10, slowMs + 3000],
      ["connectMs", connectMs, 0, 2000],
    ] as const) {
      expect([name, (value as number) >= from, (value as number) <= to]).toEqual([name, true, true])
    }
    expect(durationMs as number).toBeGreaterThanOrEqual(waitMs as number)
    expect(proxy.program.lines.join("\n")).not.toContain("geheim")
    expect(proxy.program.lines.every(text => /^[\x20-\x7e]*$/.test(text))).toBe(true)
  })
  test("a kept-alive upstream connection needs no time to connect", async () => {
    using client = await rawClient(web)
    for (const target of ["/slow?first", "/slow?second"]) {
      client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      expect((await client.response()).status).toBe(200)
    }
    expect(await line("/slow?second")).toMatchObject({ status: 200, attempts: 1, peer: slow.address })
    expect((await line("/slow?second")).connectMs).toBeUndefined()
  })
  test("an answer of our own: no peer, no cluster", async () => {
    expect(await ask("GET /fixed HTTP/1.0")).toBe(418)
    const { peer, cluster, attempts, connectMs, waitMs, ...rest } = await line("/fixed")
    expect([peer, cluster, attempts, connectMs, waitMs]).toEqual([undefined, undefined, undefined, undefined, undefined])
    expect(rest).toMatchObject({ status: 418, route: "fixed", version: "1.0", requestBytes: 0, responseBytes: 6 })
  })
  test("faults by their code: ours, the upstream's, the client's", async () => {
    expect([await ask("GET /nothing HTTP/1.1"), await ask("GET /dead HTTP/1.1"), await ask("GET /a%00b HTTP/1.1")]).toEqual([404, 502, 400])
    expect(await line("/nothing")).toMatchObject({ status: 404, fault: "proxy.no-route" })
    expect((await line("/nothing")).route ?? "").toBe("")
    expect(await line("/dead")).toMatchObject({
      status: 502,
      fault: "upstream.connect-refused",
      route: "dead",
      cluster: "dead",
      peer: `127.0.0.1:${dead}`,
    })
    await until(() => proxy.log().some(line => line.status === 400 && String(line.fault).startsWith("client.")))
  })
  test("a client that leaves before its answer: 499", async () => {
    const client = await rawClient(web)
    client.send("GET /slow?left HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await until(() => slow.received.includes("/slow?left"))
    client.reset()
    expect(await line("/slow?left")).toMatchObject({ status: 499, fault: "client.aborted", responseBytes: 0 })
  })
  test("what is no request at all has a line, too", async () => {
    using client = await rawClient(web)
    client.send("rubbish\r\n\r\n")
    expect((await client.response()).status).toBe(400)
    await until(() => proxy.log().some(line => line.fault === "client.malformed" && line.method === undefined))
  })
  test("a WebSocket and a tunnel: one line at the end, with the octets of both directions", async () => {
    using client = await rawClient(web)
    await openWebSocket(client)
    expect(await echo(client, "hello")).toBe("hello")
    expect(proxy.log().some(line => line.route === "socket")).toBe(false)
    client.send(closeFrame(true))
    await client.ended()
    client.fin()
    // Frames: masked head 6, "hello", masked close 6 + 2; back 2 + 5 and 2 + 2.
    expect(await line("/ws")).toMatchObject({
      status: 101,
      route: "socket",
      cluster: "sockets",
      peer: sockets.address,
      requestBytes: 19,
      responseBytes: 11,
    })
    using tunnel = await rawClient(egress)
    tunnel.send(`CONNECT ${origin.address} HTTP/1.1\r\nHost: ${origin.address}\r\n\r\n0123456789`)
    expect((await tunnel.response("CONNECT")).status).toBe(200)
    expect(await tunnel.toEnd()).toBe("got 10")
    tunnel.destroy()
    expect(await line(origin.address)).toMatchObject({
      method: "CONNECT",
      status: 200,
      route: "out",
      peer: origin.address,
      requestBytes: 10,
      responseBytes: 6,
    })
  })
})

describe("the metrics page", () => {
  test("is what the text format allows, and says what happened", async () => {
    const page = await proxy.ask("/metrics")
    expect(page.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
    parseExposition(await page.text())
    const samples = await until(async () => {
      const found = await scrape(proxy)
      return found.get('bothways_connections_open{listener="web"}') === 0 ? found : undefined
    })
    const of = (name: string): number | undefined => samples.get(`bothways_${name}`)
    expect([of('requests_total{route="slow",status="2xx"}'), of('requests_total{route="slow",status="4xx"}')]).toEqual([3, 1])
    expect([
      of('requests_total{route="fixed",status="4xx"}'),
      of('requests_total{route="dead",status="5xx"}'),
      of('requests_total{route="socket",status="1xx"}'),
    ]).toEqual([1, 1, 1])
    expect([
      of('request_duration_seconds_count{route="slow"}'),
      of('request_body_bytes_total{route="slow"}'),
      of('response_body_bytes_total{route="slow"}'),
    ]).toEqual([4, 7, 15])
    expect(of('request_duration_seconds_sum{route="slow"}')).toBeGreaterThan((2 * slowMs) / 1000)
    expect([of('request_duration_seconds_bucket{route="slow",le="0.1"}'), of('request_duration_seconds_bucket{route="fixed",le="0.1"}')]).toEqual([
      expect.any(Number),
      1,
    ])
    expect([of('response_body_bytes_total{route="socket"}'), of('request_body_bytes_total{route="out"}')]).toEqual([11, 10])
    expect(of('faults_total{fault="proxy.no-route",source="proxy"}')).toBe(1)
    expect(of('faults_total{fault="upstream.connect-refused",source="upstream"}')).toBe(1)
    expect(of('faults_total{fault="client.aborted",source="client"}')).toBe(1)
    expect([of('cluster_attempts_total{cluster="slow"}'), of('cluster_failures_total{cluster="dead"}')]).toEqual([4, 1])
    expect([of('connections_accepted_total{listener="web"}'), of('connections_accepted_total{listener="egress"}')]).toEqual([9, 1])
    expect([of("workers"), of("workers_live"), of("log_lines_dropped_total"), of("metrics_refused")]).toEqual([2, 2, 0, 0])
    expect([of("config_version"), of("config_last_reload_successful"), of('peer_available{cluster="slow",peer="' + slow.address + '"}')]).toEqual([
      1, 1, 1,
    ])
    expect(of("memory_bytes")).toBeGreaterThan(10_000_000)
  })
})

describe("the status", () => {
  interface Status {
    readonly name: string
    readonly pid: number
    readonly state: string
    readonly connections: number
    readonly exchanges: number
    readonly config: { readonly version: number; readonly lastReload: { readonly ok: boolean; readonly trigger: string } }
    readonly workers: readonly {
      readonly index: number
      readonly state: string
      readonly restarts: number
      readonly detail: { readonly tunnels: number; readonly pools: Record<string, { busy: number; idle: number }> } | null
    }[]
    readonly listeners: readonly {
      readonly name: string
      readonly bind: readonly string[]
      readonly tls: boolean
      readonly forward: boolean
      readonly connections: number
    }[]
    readonly clusters: readonly {
      readonly name: string
      readonly available: number
      readonly peers: readonly { readonly name: string; readonly requests: number; readonly failures: number; readonly inFlight: number }[]
    }[]
  }
  const status = async (): Promise<Status> => (await (await proxy.ask("/status")).json()) as Status

  test("names what runs and what it is doing", async () => {
    using client = await rawClient(web)
    await openWebSocket(client)
    using waiting = await rawClient(web)
    waiting.send("GET /slow?status HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await until(() => slow.received.includes("/slow?status"))
    const seen = await until(async () => {
      const now = await status()
      return now.exchanges === 2 ? now : undefined
    })
    expect(seen).toMatchObject({
      name: "bothways",
      pid: proxy.pid,
      state: "ready",
      connections: 2,
      config: { version: 1, lastReload: { ok: true, trigger: "start" } },
    })
    expect(seen.workers.map(({ index, state, restarts }) => [index, state, restarts])).toEqual([
      [0, "live", 0],
      [1, "live", 0],
    ])
    expect(seen.workers.reduce((sum, { detail }) => sum + detail!.tunnels, 0)).toBe(1)
    expect(seen.workers.reduce((sum, { detail }) => sum + (detail!.pools["slow"]?.busy ?? 0), 0)).toBe(1)
    expect(seen.listeners).toEqual([
      { name: "web", bind: [`127.0.0.1:${web}`], tls: false, forward: false, connections: 2 },
      { name: "egress", bind: [`127.0.0.1:${egress}`], tls: false, forward: true, connections: 0 },
    ])
    const [peer] = seen.clusters.find(({ name }) => name === "slow")!.peers
    expect(peer).toMatchObject({ name: slow.address, inFlight: 1, failures: 0 })
    expect(seen.clusters.find(({ name }) => name === "dead")!.peers[0]).toMatchObject({ failures: 1 })
    expect((await waiting.response()).status).toBe(200)
  })
  test("a worker that ends is counted and replaced, and the counters of the page do not fall", async () => {
    const before = await scrape(proxy)
    expect((await proxy.ask("/workers/0/terminate", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(202)
    await until(async () => {
      const { state, workers } = await status()
      return state === "ready" && workers[0]!.restarts === 1
    })
    const after = await scrape(proxy)
    for (const [name, value] of before) if (name.includes("_total")) expect([name, after.get(name)! >= value]).toEqual([name, true])
    expect(after.get("bothways_worker_restarts_total")).toBe(1)
    expect(await ask("GET /fixed HTTP/1.1")).toBe(418)
  })
})
