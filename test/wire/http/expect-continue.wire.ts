import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// RFC 9110 sections 10.1.1 and 15.2.
const port = await freePort()
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
const DONE = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
let sawExpect = ""
const scripts: Record<string, (connection: RawSocket) => Promise<void>> = {
  async "/continues"(connection) {
    connection.send(CONTINUE)
    connection.send(DONE + (await connection.bytes(4)))
  },
  async "/refuses"(connection) {
    connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    await connection.toEnd()
  },
  async "/ignores"(connection) {
    connection.send(DONE + (await connection.bytes(4)))
  },
  async "/twice"(connection) {
    connection.send(CONTINUE + CONTINUE)
    connection.send(DONE + (await connection.bytes(4)))
  },
  async "/old"(connection) {
    const body = await connection.bytes(4)
    connection.send(`HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n${body}`)
    connection.fin()
  },
}
const upstream = await scriptedServer(async connection => {
  while (true) {
    const head = await connection.head(60_000)
    sawExpect = /^Expect: .*$/im.exec(head)?.[0] ?? ""
    await scripts[head.split(" ")[1]!]!(connection)
  }
})
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

const put = (path: string): string => `PUT ${path} HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`

/** Sends the head, the body once it may, and returns the final answer and what came before it. */
async function upload(path: string): Promise<{ interims: number; body: string; head: string; waitedMs: number }> {
  using client = await rawClient(port)
  const start = performance.now()
  client.send(put(path))
  const first = await client.response("PUT", 3000)
  const waitedMs = performance.now() - start
  if (first.status !== 100) return { interims: 0, body: first.body, head: first.head, waitedMs }
  client.send("body")
  let interims = 1
  for (;;) {
    const next = await client.response("PUT")
    if (next.status >= 200) return { interims, body: next.body, head: next.head, waitedMs }
    interims++
  }
}

describe("O-08 Expect: 100-continue", () => {
  test("a: the upstream's 100 comes through at once, then the answer", async () => {
    const { interims, body, waitedMs } = await upload("/continues")
    expect([interims, body, sawExpect]).toEqual([1, "body", "Expect: 100-continue"])
    expect(waitedMs).toBeLessThan(500)
  })
  test("b: a refusal comes without the body, and the connection ends", async () => {
    using client = await rawClient(port)
    client.send(put("/refuses"))
    const { status, fields } = await client.response()
    expect([status, fields.connection]).toEqual([413, "close"])
    expect(await client.ended()).toBe("fin")
  })
  test("c: an upstream that says nothing gets the body after a short wait", async () => {
    const { interims, body, waitedMs } = await upload("/ignores")
    expect([interims, body]).toEqual([1, "body"])
    expect(waitedMs).toBeGreaterThan(500)
    expect(waitedMs).toBeLessThan(2000)
  })
  test("d: two 100s are one", async () => {
    const { interims, body } = await upload("/twice")
    expect([interims, body]).toEqual([1, "body"])
  })
  test("e: in front of HTTP/1.0 the 100 is ours", async () => {
    const { interims, body } = await upload("/old")
    expect([interims, body]).toEqual([1, "body"])
  })
  test("a client that does not wait", async () => {
    for (const path of ["/continues", "/ignores", "/twice"]) {
      using client = await rawClient(port)
      client.send(`${put(path)}body`)
      let response = await client.response("PUT")
      while (response.status === 100) response = await client.response("PUT")
      expect([path, response.status, response.body]).toEqual([path, 200, "body"])
      client.send(`${put(path)}BODY`)
      response = await client.response("PUT")
      while (response.status === 100) response = await client.response("PUT")
      expect([path, response.body]).toEqual([path, "BODY"])
    }
  })
  test("an HTTP/1.0 client gets no 100, whatever it asks for", async () => {
    using client = await rawClient(port)
    client.send(`${put("/continues").replace("HTTP/1.1", "HTTP/1.0")}body`)
    const response = await client.response("PUT")
    expect([response.status, response.body]).toEqual([200, "body"])
  })
})
