import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { startBothways } from "../../support/bothways.ts"
import { bulkHash, bulkOctets } from "../../support/bulk.ts"
import type { Field } from "../../support/h2/header-block.ts"
import { type RawH3Client, rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { strictOrigin } from "../../support/strict-origin.ts"
import { until } from "../../support/wait.ts"

// HTTP/3 towards the client, HTTP/1.1 towards the origin (RFC 9114 section 4).
const [port, scriptedPort] = [await freePort(), await freePort()]
const origin = await strictOrigin()
const MB = 1_000_000

/** What the scripted upstream answers by path. */
const answers: Record<string, string> = {
  "/204": "HTTP/1.1 204 No Content\r\n\r\n",
  "/304": 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 99\r\n\r\n',
  "/hints": "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "/trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
  "/trailers-only": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 8\r\n\r\n",
  "/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
  "/empty": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  "/cookies": "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: x\r\nVary: y\r\nContent-Length: 0\r\n\r\n",
}
const fields = (count: number): string => Array.from({ length: count }, (_, i) => `x-${i}: 1\r\n`).join("")
for (const count of [120, 150]) answers[`/fields-${count}`] = `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${fields(count)}\r\nok`
answers["/fields-150-empty"] = `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields(150)}\r\n`
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    const path = head.split(" ")[1]!
    if (answers[path] !== undefined) connection.send(answers[path])
    else if (path === "/early") {
      connection.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!")
      connection.fin()
      return
    } else if (path === "/close") {
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")
      connection.fin()
      return
    } else if (path === "/continue") {
      connection.send("HTTP/1.1 100 Continue\r\n\r\n")
      const body = await connection.bytes(4)
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${body}`)
    } else if (path === "/big") {
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${MB}\r\n\r\n`)
      connection.send(bulkOctets(0, MB))
    }
  }
})
const proxies = await Promise.all([
  startBothways(http3Config(port, origin.address, { listener: { via: false } })),
  startBothways(http3Config(scriptedPort, upstream.address)),
])
const clients: RawH3Client[] = []
const [strict, scripted] = await Promise.all([rawH3Client(port), rawH3Client(scriptedPort)])
clients.push(strict, scripted)
afterAll(async () => {
  for (const client of clients) client.destroy()
  await Promise.all(proxies.map(proxy => proxy.stop()))
  await upstream.close().catch(() => {})
  await origin[Symbol.asyncDispose]()
})
beforeEach(() => origin.clear())

const pseudo = (path = "/", method = "GET"): Field[] => [
  [":method", method],
  [":scheme", "https"],
  [":authority", "a.test"],
  [":path", path],
]
const get = (path: string, method = "GET") => scripted.request({ ":path": path, ":method": method })

describe("requests as an HTTP/1.1 origin gets them", () => {
  test("Host from :authority, cookie crumbs as one line", async () => {
    const stream = strict.request([...pseudo(), ["accept", "*/*"], ["cookie", "a=1"], ["x-b", "2"], ["cookie", "b=2"], ["cookie", "c=3; d=4"]])
    expect(await stream.response()).toMatchObject({ status: 200, body: "GET / 0", ended: true })
    const fields = origin.requests[0]!.fields.filter(([name]) => !name.startsWith("x-forwarded"))
    expect(fields).toEqual([
      ["host", "a.test"],
      ["accept", "*/*"],
      ["x-b", "2"],
      ["cookie", "a=1; b=2; c=3; d=4"],
    ])
  })
  test("a GET has no body, whatever the version says of its length", async () => {
    await strict.request().response()
    expect(origin.requests[0]!.fields.filter(([name]) => name === "transfer-encoding" || name === "content-length")).toEqual([])
  })
  test("te: trailers is passed, as a field of the connection", async () => {
    await strict.request([...pseudo(), ["te", "trailers"]]).response()
    expect(origin.requests[0]!.fields.filter(([name]) => name === "te" || name === "connection")).toEqual([
      ["te", "trailers"],
      ["connection", "TE"],
    ])
  })
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "QUERY"]) {
    test(`${method} with a body, its length known and unknown`, async () => {
      const known = strict.request([...pseudo("/k", method), ["content-length", "5"]], { body: "hello" })
      expect((await known.response()).body).toBe(`${method} /k 5`)
      const unknown = strict.request(pseudo("/u", method), { body: "hello" })
      expect((await unknown.response()).body).toBe(`${method} /u 5`)
      expect(origin.requests.map(({ body }) => body)).toEqual(["hello", "hello"])
    })
  }
  test("a POST without a body", async () => {
    expect((await strict.request(pseudo("/none", "POST")).response()).body).toBe("POST /none 0")
  })
  test("1 MB up, octet for octet", async () => {
    const stream = strict.request([...pseudo("/up", "POST"), ["content-length", String(MB)]], { body: bulkOctets(0, MB) })
    expect((await stream.response()).body).toBe(`POST /up ${MB}`)
    const sum = createHash("sha256").update(Buffer.from(origin.requests[0]!.body, "latin1")).digest("hex")
    expect(sum).toBe(bulkHash(MB))
  })
  test("trailers", async () => {
    const stream = strict.request(pseudo("/t", "POST"), { end: false })
    await stream.data("abc")
    stream.head([["x-sum", "9"]], "trailing")
    expect((await stream.response()).body).toBe("POST /t 3")
    expect(origin.requests[0]!.trailers.trim()).toBe("x-sum: 9")
  })
  test("targets octet for octet", async () => {
    for (const target of ["/a%2Fb", "//host.test/x", "/x//y/", "/s%20p?q=%2F&r=+", "/v;a=1/b", "/a?", "/a?b?c"]) {
      expect((await strict.request(pseudo(target)).response()).headers["x-got"]).toBe(target)
    }
  })
  test("a body that is sent in pieces reaches the origin as it comes", async () => {
    const stream = strict.request(pseudo("/pieces", "POST"), { end: false })
    for (const piece of ["one", "two", "three"]) {
      await stream.data(piece)
      await until(() => origin.received.includes(piece))
    }
    stream.quic!.end()
    expect((await stream.response()).body).toBe("POST /pieces 11")
  })
})

describe("answers", () => {
  test("HEAD, 204 and 304 have none, and keep the length that they say", async () => {
    expect(await get("/empty", "HEAD").response()).toMatchObject({ status: 200, body: "", headers: { "content-length": "0" } })
    expect(await get("/204").response()).toMatchObject({ status: 204, body: "", ended: true })
    expect(await get("/304").response()).toMatchObject({ status: 304, body: "", ended: true, headers: { "content-length": "99" } })
  })
  test("103", async () => {
    const stream = get("/hints")
    expect(await stream.response()).toMatchObject({ status: 200, body: "ok" })
    expect(stream.interim).toEqual([
      [
        [":status", "103"],
        ["link", "</a.css>; rel=preload"],
      ],
    ])
  })
  test("trailers, with and without a body", async () => {
    expect(await get("/trailers").response()).toMatchObject({ body: "ok", trailers: { "x-sum": "7" }, ended: true })
    expect(await get("/trailers-only").response()).toMatchObject({ body: "", trailers: { "x-sum": "8" }, ended: true })
  })
  test("of unknown length: chunked, and to the end of the connection", async () => {
    for (const [path, body] of [
      ["/chunked", "abcde"],
      ["/close", "until the end"],
    ] as const) {
      const answer = await get(path).response()
      expect([answer.body, answer.ended, answer.headers["content-length"], answer.headers["transfer-encoding"]]).toEqual([
        body,
        true,
        undefined,
        undefined,
      ])
    }
  })
  test("fields of the connection stay behind, repeated ones stay apart or are joined, Alt-Svc is not said here", async () => {
    const stream = get("/cookies")
    await stream.response()
    expect(stream.fields!.filter(([name]) => name === "set-cookie").map(([, value]) => value)).toEqual(["a=1", "b=2"])
    expect(stream.headers["vary"]).toBe("x, y")
    expect(stream.headers["connection"]).toBeUndefined()
    expect(stream.headers["alt-svc"]).toBeUndefined()
  })
  test("as many fields as a section can have here, and then 502 instead of silence", async () => {
    expect(await get("/fields-120").response()).toMatchObject({ status: 200, body: "ok", headers: { "x-119": "1" } })
    expect(await get("/fields-150").response()).toMatchObject({ status: 502, body: "", ended: true })
    expect(await get("/fields-150-empty").response()).toMatchObject({ status: 502, body: "", ended: true })
    await until(() => proxies[1].log().some(line => line["target"] === "/fields-150" && line["status"] === 502))
    expect((await get("/chunked").response()).body).toBe("abcde")
  })
  test("1 MB down, octet for octet", async () => {
    const { body } = await get("/big").response()
    expect(createHash("sha256").update(Buffer.from(body, "latin1")).digest("hex")).toBe(bulkHash(MB))
  })
  test("100 at a time, each its own", async () => {
    const paths = Array.from({ length: 100 }, (_, i) => `/many/${i}`)
    const got = await Promise.all(paths.map(path => strict.request(pseudo(path)).response()))
    expect(got.map(({ body }) => body)).toEqual(paths.map(path => `GET ${path} 0`))
  })
})

describe("Expect: 100-continue", () => {
  test("passed to the upstream, whose word comes back before the body goes", async () => {
    const stream = scripted.request({ ":method": "POST", ":path": "/continue", expect: "100-continue", "content-length": "4" }, { end: false })
    await until(() => stream.interim.length > 0)
    expect(stream.interim[0]).toEqual([[":status", "100"]])
    await stream.data("body", { end: true })
    expect(await stream.response()).toMatchObject({ status: 200, body: "body" })
  })
})

test("an early answer to an unfinished upload: it comes whole, and the rest need not be sent", async () => {
  const stream = scripted.request({ ":method": "POST", ":path": "/early", "content-length": String(8 * MB) }, { end: false })
  await stream.data(Buffer.alloc(1000))
  expect(await stream.response()).toMatchObject({ status: 413, body: "no!", ended: true, resetCode: null })
  await until(() => stream.stopped || stream.closed !== null, 2000, "STOP_SENDING").catch(() => stream.data("x"))
  await until(() => stream.stopped || stream.closed !== null)
  expect((await get("/chunked").response()).body).toBe("abcde")
})

test("the log and the metrics know the version", async () => {
  await get("/204").response()
  await until(() => proxies[1].log().some(line => line["target"] === "/204" && line["version"] === "3.0" && line["status"] === 204))
  expect(proxies[1].log().every(line => line["version"] === "3.0")).toBe(true)
  const samples = await scrape(proxies[1])
  const open = [...samples].filter(([name]) => name.includes("connections") && name.includes('listener="web"'))
  expect(open.length).toBeGreaterThan(0)
  expect(open.some(([, value]) => value >= 1)).toBe(true)
})
