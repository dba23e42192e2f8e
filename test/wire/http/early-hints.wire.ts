import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause } from "../../support/wait.ts"

// RFC 9110 section 15.2, RFC 8297 section 2.
const port = await freePort()
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start } = await connection.request(60_000)
    if (start.includes("/unknown")) connection.send("HTTP/1.1 199 What\r\nX-Note: 1\r\nContent-Length: 9\r\nConnection: X-Note\r\n\r\n")
    else {
      connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
      await pause(300)
      connection.send("HTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\n")
    }
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
})
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

describe("O-09 interim responses", () => {
  test("HTTP/1.1 gets each as it comes, then the 200 without their fields", async () => {
    using client = await rawClient(port)
    for (let round = 0; round < 2; round++) {
      client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
      const first = await client.response("GET", 250)
      expect([first.status, first.fields.link]).toEqual([103, "</a.css>; rel=preload"])
      const second = await client.response()
      expect([second.status, second.fields.link]).toEqual([103, "</b.css>; rel=preload"])
      const last = await client.response()
      expect([last.status, last.fields.link, last.body]).toEqual([200, undefined, "ok"])
    }
  })
  test("HTTP/1.0 gets only the 200", async () => {
    using client = await rawClient(port)
    client.send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")
    const { status, fields, body } = await client.response()
    expect([status, fields.link, body]).toEqual([200, undefined, "ok"])
  })
  test("an unknown one passes as a head alone", async () => {
    using client = await rawClient(port)
    client.send("GET /unknown HTTP/1.1\r\nHost: app.test\r\n\r\n")
    const interim = await client.response()
    expect([interim.status, interim.fields]).toEqual([199, {}])
    expect((await client.response()).body).toBe("ok")
  })
})
