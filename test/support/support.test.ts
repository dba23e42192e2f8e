import { execFileSync } from "node:child_process"
import { describe, expect, test } from "bun:test"
import { Authority } from "./certificates.ts"
import { startHaproxy, startNginx, startSquid } from "./peers.ts"
import { freePort } from "./ports.ts"
import { rawClient } from "./raw-client.ts"
import { scriptedServer } from "./scripted-server.ts"
import { until } from "./wait.ts"

const get = (path = "/"): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`

describe("scripted server and raw client", () => {
  test("keep every byte of both sides", async () => {
    await using server = await scriptedServer(async connection => {
      const request = await connection.request()
      expect(request.start).toBe("POST /x HTTP/1.1")
      expect(request.body).toBe("hello")
      connection.send(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
      )
      connection.fin()
    })
    using client = await rawClient(server.port)
    const sent = "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
    await client.sendSlowly(sent, 7)
    expect((await client.response("POST")).status).toBe(100)
    const response = await client.response("POST")
    expect([response.status, response.fields.a, response.body, response.trailers]).toEqual([200, "1, 2", "abc", "T: 1\r\n"])
    expect(await client.ended()).toBe("fin")
    expect(server.received).toBe(sent)
  })
  test("a reset is told from a close", async () => {
    await using server = await scriptedServer(async (connection, index) => {
      await connection.head()
      if (index === 0) connection.reset()
      else connection.destroy()
    })
    for (const ending of ["reset", "fin"] as const) {
      using client = await rawClient(server.port)
      client.send(get())
      expect(await client.ended()).toBe(ending)
    }
  })
  test("a wait that fails says what came", async () => {
    await using server = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
    using client = await rawClient(server.port)
    client.send(get())
    await expect(client.response("GET", 50)).rejects.toThrow('unread: "abc"')
    await until(() => client.unread === "abc")
  })
  test("TLS with a certificate of our own authority", async () => {
    const authority = new Authority()
    const { cert, key } = authority.issue(["a.test", "127.0.0.1"])
    await using server = await scriptedServer("HTTP/1.1 204 No Content\r\n\r\n", { tls: { cert, key, ALPNProtocols: ["http/1.1"] } })
    using client = await rawClient(server.port, { tls: { servername: "a.test", ca: authority.ca.cert, ALPNProtocols: ["h2", "http/1.1"] } })
    client.send(get())
    expect([client.alpn, (await client.response()).status]).toEqual(["http/1.1", 204])
    await expect(rawClient(server.port, { tls: { servername: "b.test", ca: authority.ca.cert } })).rejects.toThrow()
  })
})

describe("real peers", () => {
  test("nginx, HAProxy and Squid serve what they are told", async () => {
    const [origin, balancer, proxy] = [await freePort(), await freePort(), await freePort()]
    await using _nginx = await startNginx(origin, `server { listen 127.0.0.1:${origin}; location / { return 200 "from nginx"; } }`)
    await using _haproxy = await startHaproxy(balancer, `listen all\n  bind 127.0.0.1:${balancer}\n  server one 127.0.0.1:${origin}`)
    await using _squid = await startSquid(proxy)
    const curl = (...args: string[]): string => execFileSync("curl", ["-sS", ...args], { encoding: "utf8" })
    expect(curl(`http://127.0.0.1:${balancer}/`)).toBe("from nginx")
    expect(curl("-x", `http://127.0.0.1:${proxy}`, `http://127.0.0.1:${origin}/`)).toBe("from nginx")
  })
})
