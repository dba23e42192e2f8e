import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// RFC 9110 sections 6.5 and 10.1.4; RFC 9112 section 7.1.2.
const port = await freePort()
let announced = false
let slowly = false
let lastRequest = { trailers: "", body: "", fields: {} as Readonly<Record<string, string>> }
const upstream = await scriptedServer(async connection => {
  while (true) {
    lastRequest = await connection.request(60_000)
    const answer = `HTTP/1.1 200 OK\r\n${announced ? "Trailer: X-Sum\r\n" : ""}Transfer-Encoding: chunked\r\n\r\n4\r\nAAAA\r\n4\r\nBBBB\r\n0\r\nX-Sum: 8\r\n\r\n`
    if (slowly) await connection.sendSlowly(answer)
    else connection.send(answer)
  }
})
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

describe("O-07 chunked trailers", () => {
  for (const [name, withField, pieces] of [
    ["announced, in one segment", true, false],
    ["announced, octet by octet", true, true],
    ["not announced, in one segment", false, false],
    ["not announced, octet by octet", false, true],
  ] as const) {
    test(`${name}: whole for a client that takes trailers, harmless for others`, async () => {
      announced = withField
      slowly = pieces
      using client = await rawClient(port)
      for (const [lines, version, trailers] of [
        ["TE: trailers\r\nConnection: TE\r\n", "1.1", "X-Sum: 8\r\n"],
        ["", "1.1", ""],
      ] as const) {
        client.send(`GET / HTTP/${version}\r\nHost: app.test\r\n${lines}\r\n`)
        const response = await client.response()
        expect([response.body, response.trailers, response.fields["x-sum"]]).toEqual(["AAAABBBB", trailers, undefined])
      }
      client.send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")
      expect((await client.toEnd()).split("\r\n\r\n")[1]).toBe("AAAABBBB")
    })
  }
  test("a client that takes trailers says so to the upstream, too", async () => {
    slowly = false
    using client = await rawClient(port)
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nTE: gzip;q=0.5, trailers\r\nConnection: TE\r\n\r\n")
    await client.response()
    expect([lastRequest.fields.te, lastRequest.fields.connection?.toLowerCase()]).toEqual(["trailers", "te"])
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    await client.response()
    expect([lastRequest.fields.te, lastRequest.fields.connection]).toEqual([undefined, undefined])
  })
  test("trailers of a request reach the upstream as trailers, without those that frame, route or identify", async () => {
    using client = await rawClient(port)
    const trailers = "X-Sum: 3\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: evil\r\nX-Forwarded-For: 10.0.0.1\r\nAuthorization: x\r\n"
    client.send(`POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n${trailers}\r\n`)
    await client.response()
    expect([lastRequest.body, lastRequest.trailers, lastRequest.fields["x-sum"]]).toEqual(["abc", "X-Sum: 3\r\n", undefined])
  })
})
