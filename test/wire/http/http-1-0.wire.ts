import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

const port = await freePort()
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start } = await connection.request(3_600_000)
    const path = start.split(" ")[1]
    if (path === "/length") connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    if (path === "/chunked") connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n")
    if (path === "/early") connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    if (path === "/old") connection.send("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    if (path === "/close" || path === "/old-close") {
      connection.send(`HTTP/1.${path === "/close" ? 1 : 0} 200 OK\r\n\r\nhel`)
      setTimeout(() => {
        connection.send("lo")
        connection.fin()
      }, 20)
    }
    if (path === "/cut") {
      connection.send("HTTP/1.1 200 OK\r\n\r\nhel")
      setTimeout(() => connection.reset(), 20)
    }
  }
})
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

const old = (path: string, more = "") => `GET ${path} HTTP/1.0\r\nHost: a.test\r\n${more}\r\n`

describe("HTTP/1.0 clients (RFC 9112 section 9.3)", () => {
  test("close without being asked to stay", async () => {
    using client = await rawClient(port)
    client.send(old("/length"))
    const { body, fields } = await client.response()
    expect([body, fields.connection]).toEqual(["hello", "close"])
    expect(await client.ended()).toBe("fin")
  })
  test("stay when they ask and the length is known", async () => {
    using client = await rawClient(port)
    for (let i = 0; i < 3; i++) {
      client.send(old("/length", "Connection: Keep-Alive\r\n"))
      const { body, fields } = await client.response()
      expect([body, fields.connection]).toEqual(["hello", "keep-alive"])
    }
  })
  test("close wins over keep-alive", async () => {
    using client = await rawClient(port)
    client.send(old("/length", "Connection: keep-alive, close\r\n"))
    expect((await client.response()).fields.connection).toBe("close")
  })
  for (const path of ["/chunked", "/close", "/old-close"]) {
    test(`get a body of unknown length up to the end of the connection: ${path}`, async () => {
      using client = await rawClient(port)
      client.send(old(path, "Connection: keep-alive\r\n"))
      const { body, fields } = await client.response()
      expect([body, fields["transfer-encoding"], fields.connection]).toEqual(["hello", undefined, "close"])
      expect(client.ending).toBe("fin")
    })
  }
  test("see a reset when such a body is cut, since nothing else tells it from the whole", async () => {
    using client = await rawClient(port)
    client.send(old("/cut"))
    expect(await client.ended()).toBe("reset")
  })
  test("get no interim responses (RFC 9110 section 15.2)", async () => {
    using client = await rawClient(port)
    client.send(old("/early"))
    expect((await client.response()).status).toBe(200)
  })
  test("may not send chunked: it cannot be trusted from them", async () => {
    using client = await rawClient(port)
    client.send("POST /length HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    expect((await client.response()).status).toBe(400)
  })
})

describe("HTTP/1.1 clients", () => {
  for (const path of ["/close", "/old-close"]) {
    test(`get a close-delimited body as chunks, and stay: ${path}`, async () => {
      using client = await rawClient(port)
      for (let i = 0; i < 2; i++) {
        client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
        const { body, fields } = await client.response()
        expect([body, fields["transfer-encoding"], fields.connection]).toEqual(["hello", "chunked", undefined])
      }
    })
  }
  test("see the cut of such a body: the last chunk does not come", async () => {
    using client = await rawClient(port)
    client.send("GET /cut HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await expect(client.response()).rejects.toThrow("the connection ended")
  })
  test("are kept when the upstream speaks 1.0, and its connection is not", async () => {
    using client = await rawClient(port)
    for (let i = 0; i < 2; i++) {
      client.send("GET /old HTTP/1.1\r\nHost: a.test\r\n\r\n")
      expect((await client.response()).body).toBe("hello")
    }
    expect(client.ending).toBe("open")
    const ofOld = upstream.connections.filter(connection => connection.received.includes("GET /old "))
    for (const connection of ofOld) expect(connection.received.match(/GET \/old /g)).toHaveLength(1)
  })
})
