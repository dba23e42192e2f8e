import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { echo, openWebSocket, webSocketEcho } from "../../support/web-socket.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
// Says 200 to everything, CONNECT included, as careless servers do.
const careless = await recorder()
const echoServer = await scriptedServer(webSocketEcho)
const silent = await scriptedServer(async connection => void (await connection.request(3_600_000)))
const target = (name: string): string => `${name}.test:${echoServer.port}`
const proxy = await startBothways({
  listeners: {
    forward: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", connectPorts: ["1-65535"], ports: [echoServer.port, silent.port] } },
  },
  clusters: { a: { peers: [careless.address] } },
  routes: [
    { match: { host: "cluster.test" }, to: { cluster: "a" } },
    { match: { host: "ok.test" }, to: { respond: { status: 200, body: "ok" } } },
    { match: { host: "no.test" }, to: { respond: { status: 403, body: "blocked" } } },
    { match: { host: "moved.test" }, to: { redirect: { to: "https://a.test/" } } },
    { match: { host: "files.test" }, to: { files: { root: "." } } },
    { match: {}, to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await careless[Symbol.asyncDispose]()
  await echoServer.close()
  await silent.close()
})

async function connect(authority: string): Promise<number> {
  using client = await rawClient(port)
  client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  return (await client.response("CONNECT")).status
}

describe("CONNECT where the route's destination is no origin", () => {
  test("a cluster of servers is not offered as a tunnel's end: past its head no rule would see anything", async () => {
    expect(await connect(target("cluster"))).toBe(405)
    expect(careless.requests).toEqual([])
  })
  test("a local answer that would say that a tunnel is open is refused; others are given", async () => {
    expect(await connect(target("ok"))).toBe(405)
    expect(await connect(target("no"))).toBe(403)
    expect(await connect(target("moved"))).toBe(308)
    expect(await connect(target("files"))).toBe(405)
  })
  test("other methods of the same routes are served", async () => {
    using client = await rawClient(port)
    client.send("GET http://cluster.test/ HTTP/1.1\r\nHost: cluster.test\r\n\r\nGET http://ok.test/ HTTP/1.1\r\nHost: ok.test\r\n\r\n")
    expect([(await client.response()).body, (await client.response()).body]).toEqual(["ok", "ok"])
    expect(careless.requests).toHaveLength(1)
  })
})

describe("forward requests that are not tunnels", () => {
  test("a WebSocket through an absolute target", async () => {
    using client = await rawClient(port)
    await openWebSocket(client, `http://${echoServer.address}/ws`)
    expect(await echo(client, "hello")).toBe("hello")
  })
  for (const method of ["GET", "CONNECT"]) {
    test(`O-30 a: the client of ${method} goes away: so does the connection to the origin`, async () => {
      const before = silent.connections.length
      const client = await rawClient(port)
      const text = `GET ${method === "GET" ? `http://${silent.address}` : ""}/x HTTP/1.1\r\nHost: ${silent.address}\r\n\r\n`
      if (method === "CONNECT") {
        client.send(`CONNECT ${silent.address} HTTP/1.1\r\nHost: ${silent.address}\r\n\r\n`)
        expect((await client.response("CONNECT")).status).toBe(200)
      }
      client.send(text)
      const connection = await silent.connection(before)
      await until(() => connection.received.includes("/x "))
      const begun = performance.now()
      client.destroy()
      await connection.ended()
      expect(performance.now() - begun).toBeLessThan(200)
      connection.fin()
    })
  }
})
