import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { Field } from "../../support/h2/header-block.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { strictOrigin } from "../../support/strict-origin.ts"
import { until } from "../../support/wait.ts"

// HTTP/2 towards the client, HTTP/1.1 towards an origin that forgives nothing (RFC 9113 sections 8.2 and 8.3, RFC 9110 section 7.6).
const port = await freePort()
const origin = await strictOrigin()
const proxy = await startBothways(reverseConfig(port, origin.address, { listener: { via: false } }))
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})
beforeEach(() => origin.clear())

const pseudo = (path = "/", method = "GET"): Field[] => [
  [":method", method],
  [":scheme", "http"],
  [":path", path],
  [":authority", "a.test"],
]
const head = (...fields: Field[]): Field[] => [...pseudo(), ...fields]

describe("what an HTTP/1.1 origin gets", () => {
  test("a request as HTTP/1.1 has it: Host from :authority, fields in their order, cookie crumbs as one line", async () => {
    using client = await rawH2Client(port)
    const id = client.request(head(["accept", "*/*"], ["cookie", "a=1"], ["x-b", "2"], ["cookie", "b=2"], ["x-a", ""], ["cookie", "c=3; d=4"]))
    expect((await client.response(id)).body).toBe("GET / 0")
    const [request] = origin.requests
    expect(request!.fields.filter(([name]) => !name.startsWith("x-forwarded"))).toEqual([
      ["host", "a.test"],
      ["accept", "*/*"],
      ["x-b", "2"],
      ["x-a", ""],
      ["cookie", "a=1; b=2; c=3; d=4"],
    ])
  })
  test("te: trailers is passed, as a field of the connection", async () => {
    using client = await rawH2Client(port)
    await client.response(client.request(head(["te", "trailers"])))
    expect(origin.requests[0]!.fields.filter(([name]) => name === "te" || name === "connection")).toEqual([
      ["te", "trailers"],
      ["connection", "TE"],
    ])
  })
  test("targets octet for octet", async () => {
    using client = await rawH2Client(port)
    const targets = ["/a%2Fb", "//host.test/x", "/x//y/", "/s%20p?q=%2F&r=+", "/%E4%BD%A0", "/v;a=1/b", "/a?", "/a?b?c", "/%7Euser"]
    for (const target of targets) {
      const { body } = await client.response(client.request(pseudo(target)))
      expect(body).toBe(`GET ${target} 0`)
    }
    await client.response(client.request(pseudo("*", "OPTIONS")))
    expect(origin.requests.at(-1)!.target).toBe("*")
  })
  test("a body with a length keeps it, one without is chunked, and an empty one has none", async () => {
    using client = await rawH2Client(port)
    await client.response(client.request([...pseudo("/", "POST"), ["content-length", "5"]], { body: "hello" }))
    await client.response(client.request(pseudo("/", "POST"), { body: "hello" }))
    await client.response(client.request(pseudo("/", "POST")))
    const seen = origin.requests.map(({ fields, body }) => [fields.filter(([name]) => /length|encoding/.test(name)), body])
    expect(seen).toEqual([
      [[["content-length", "5"]], "hello"],
      [[["transfer-encoding", "chunked"]], "hello"],
      [[["content-length", "0"]], ""],
    ])
  })
  test("trailers, but none that frames or routes", async () => {
    using client = await rawH2Client(port)
    const id = client.request(pseudo("/", "POST"), { end: false })
    client.data(id, "hello")
    client.headers(
      id,
      [
        ["x-sum", "5"],
        ["content-length", "9"],
        ["host", "b.test"],
        ["authorization", "Basic eA=="],
      ],
      { end: true },
    )
    await client.response(id)
    expect(origin.requests[0]).toMatchObject({ body: "hello", trailers: "x-sum: 5" })
  })
  test("a host field in place of :authority will do", async () => {
    using client = await rawH2Client(port)
    const id = client.request([
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      ["x-a", "1"],
      ["host", "b.test"],
    ])
    await client.response(id)
    expect(origin.requests[0]!.fields.slice(0, 2)).toEqual([
      ["x-a", "1"],
      ["host", "b.test"],
    ])
  })
})

const lone = (without: string): Field[] => pseudo().filter(([name]) => name !== without)
const MALFORMED = 1
const malformed: [name: string, fields: Field[]][] = [
  ["CR LF in a value", head(["x-a", "1\r\nx-b: 2"])],
  ["LF in a value", head(["x-a", "1\nx-b: 2"])],
  ["CR in a value", head(["x-a", "1\r"])],
  ["NUL in a value", head(["x-a", "1\0"])],
  ["a control octet in a value", head(["x-a", "\x01"])],
  ["DEL in a value", head(["x-a", "\x7f"])],
  ["a space before a value", head(["x-a", " 1"])],
  ["a tab behind a value", head(["x-a", "1\t"])],
  ["CR LF in a name", head(["x-a: 1\r\nx-b", "2"])],
  ["a space in a name", head(["x a", "1"])],
  ["a colon in a name", head(["x-a:", "1"])],
  ["NUL in a name", head(["x\0a", "1"])],
  ["an empty name", head(["", "1"])],
  ["upper case in a name", head(["X-A", "1"])],
  ["an octet above 127 in a name", head(["x-\xe4", "1"])],
  ["connection", head(["connection", "close"])],
  ["connection: te", head(["connection", "te"], ["te", "trailers"])],
  ["keep-alive", head(["keep-alive", "timeout=5"])],
  ["proxy-connection", head(["proxy-connection", "keep-alive"])],
  ["transfer-encoding", head(["transfer-encoding", "chunked"])],
  ["upgrade", head(["upgrade", "websocket"])],
  ["te: gzip", head(["te", "gzip"])],
  ["te: trailers, gzip", head(["te", "trailers, gzip"])],
  ["transfer_encoding", head(["transfer_encoding", "chunked"])],
  ["content_length", head(["content_length", "5"])],
  ["content.length", head(["content.length", "5"])],
  ["a space in the method", [[":method", "GET / HTTP/1.1"], ...lone(":method")]],
  ["CR LF in the method", [[":method", "GET\r\nx: y"], ...lone(":method")]],
  ["an empty method", [[":method", ""], ...lone(":method")]],
  ["no method", lone(":method")],
  ["no scheme", lone(":scheme")],
  ["an empty scheme", [[":scheme", ""], ...lone(":scheme")]],
  ["no path", lone(":path")],
  ["an empty path", [[":path", ""], ...lone(":path")]],
  ["a space in the path", [[":path", "/ HTTP/1.1"], ...lone(":path")]],
  ["CR LF in the path", [[":path", "/\r\nx: y"], ...lone(":path")]],
  ["NUL in the path", [[":path", "/\0"], ...lone(":path")]],
  ["a tab in the path", [[":path", "/\t"], ...lone(":path")]],
  ["CR LF in :authority", [[":authority", "a.test\r\nx: y"], ...lone(":authority")]],
  ["NUL in :authority", [[":authority", "a.test\0"], ...lone(":authority")]],
  ["an empty :authority", [[":authority", ""], ...lone(":authority")]],
  ["host that differs", head(["host", "b.test"])],
  ["host that differs in its port", head(["host", "a.test:81"])],
  ["host twice", [...lone(":authority"), ["host", "a.test"], ["host", "a.test"]]],
  ["host twice beside :authority", head(["host", "a.test"], ["host", "a.test"])],
  [":method twice", [[":method", "GET"], ...pseudo()]],
  [":path twice", [[":path", "/b"], ...pseudo()]],
  [":scheme twice", [[":scheme", "http"], ...pseudo()]],
  [":authority twice", [[":authority", "a.test"], ...pseudo()]],
  [":path behind a field", [...lone(":path"), ["x-a", "1"], [":path", "/"]]],
  [":authority behind a field", [...lone(":authority"), ["x-a", "1"], [":authority", "a.test"]]],
  ["an unknown pseudo field", [...pseudo(), [":x", "1"]]],
  [":status", [...pseudo(), [":status", "200"]]],
  [":protocol without CONNECT", [...pseudo(), [":protocol", "websocket"]]],
  ["CONNECT with a path", [[":method", "CONNECT"], ...lone(":method")]],
  ["content-length with END_STREAM", head(["content-length", "5"])],
  ["content-length twice", head(["content-length", "0"], ["content-length", "0"])],
  ["content-length as a list", head(["content-length", "0, 0"])],
  ["content-length: +0", head(["content-length", "+0"])],
  ["content-length: nothing", head(["content-length", ""])],
  ["content-length of forty digits", head(["content-length", "0".repeat(40)])],
]

describe("malformed: RST_STREAM, PROTOCOL_ERROR, and nothing at the origin (RFC 9113 section 8.1.1)", () => {
  for (const [name, fields] of malformed) {
    test(name, async () => {
      using client = await rawH2Client(port)
      const id = client.request(fields)
      expect(await client.resetOf(id)).toBe(MALFORMED)
      // The other streams live on.
      expect((await client.response(client.request(pseudo("/ok")))).body).toBe("GET /ok 0")
      expect(origin.requests.map(({ target }) => target)).toEqual(["/ok"])
    })
  }
})

/** Sends a POST with these frames of body and gives the code of the reset. */
async function cut(client: RawH2Client, fields: Field[], send: (id: number) => void): Promise<number> {
  const id = client.request([...pseudo("/cut", "POST"), ...fields], { end: false })
  send(id)
  return await client.resetOf(id)
}

describe("content-length that DATA does not keep", () => {
  const first = (client: RawH2Client, id: number, data: string): RawH2Client => {
    client.data(id, data)
    return client
  }
  const end = { end: true }
  const cases: [name: string, send: (client: RawH2Client, id: number) => void][] = [
    ["less", (client, id) => client.data(id, "hell", end)],
    ["nothing", (client, id) => client.data(id, "", end)],
    ["less, then trailers", (client, id) => first(client, id, "hell").headers(id, [["x-sum", "4"]], end)],
    ["more in one frame", (client, id) => client.data(id, "hello!", end)],
    ["more in two frames", (client, id) => first(client, id, "hello").data(id, "GET /in HTTP/1.1\r\n\r\n")],
    ["trailers without END_STREAM", (client, id) => first(client, id, "hello").headers(id, [["x-sum", "5"]])],
    ["a pseudo field in the trailers", (client, id) => first(client, id, "hello").headers(id, [[":path", "/"]], end)],
    ["CR LF in a trailer", (client, id) => first(client, id, "hello").headers(id, [["x-a", "1\r\nx: y"]], end)],
  ]
  for (const [name, send] of cases) {
    test(name, async () => {
      using client = await rawH2Client(port)
      expect(await cut(client, [["content-length", "5"]], id => send(client, id))).toBe(MALFORMED)
      // What came of it is cut on the way to the origin, never a whole request: but for those whose length was right until then.
      await client.response(client.request(pseudo("/ok")))
      await until(() => origin.requests.some(({ target }) => target === "/ok"))
      expect(origin.faults).toEqual([])
      expect(origin.requests.filter(({ target }) => target !== "/ok" && target !== "/cut")).toEqual([])
    })
  }
})

const refused: [name: string, fields: Field[], status: number, fault: string][] = [
  ["a path that is none", [[":path", "a"], ...lone(":path")], 400, "client.bad-target"],
  ["an absolute form on a reverse listener", [[":path", "http://b.test/"], ...lone(":path")], 400, "client.bad-target"],
  ["* with GET", [[":path", "*"], ...lone(":path")], 400, "client.bad-target"],
  ["a user in :authority", [[":authority", "u@a.test"], ...lone(":authority")], 400, "client.bad-host"],
  ["a slash in :authority", [[":authority", "a.test/x"], ...lone(":authority")], 400, "client.bad-host"],
  ["a space in :authority", [[":authority", "a.test x"], ...lone(":authority")], 400, "client.bad-host"],
  ["a port that is none", [[":authority", "a.test:99999"], ...lone(":authority")], 400, "client.bad-host"],
  ["neither :authority nor host", lone(":authority"), 400, "client.bad-host"],
  ["TRACE", [[":method", "TRACE"], ...lone(":method")], 405, "proxy.method-forbidden"],
  [
    "CONNECT on a listener that is no forward proxy",
    [
      [":method", "CONNECT"],
      [":authority", "a.test:443"],
    ],
    405,
    "proxy.method-forbidden",
  ],
]

describe("refused with a status", () => {
  for (const [name, fields, status, fault] of refused) {
    test(name, async () => {
      using client = await rawH2Client(port)
      const id = client.request(fields)
      const response = await client.response(id)
      expect([response.status, response.body.includes(fault), response.resetCode]).toEqual([status, true, null])
      expect(origin.received).toBe("")
    })
  }
})
