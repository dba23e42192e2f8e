import { afterAll, describe, expect, test } from "bun:test"
import { rawClient } from "../../support/raw-client.ts"
import { answer, cachedOrigin, isHit } from "./cached-origin.ts"

// Methods other than GET that a cache has to do with: QUERY is keyed by its content (RFC 10008), an answer to POST may be the target's own (RFC 9110 section 9.3.3).

const world = await cachedOrigin((request, count) => {
  const own = request.start.startsWith("POST /own") ? [`Content-Location: ${request.start.split(" ")[1]}`] : []
  return answer(`${request.start.split(" ")[0]} ${request.body} ${count}`, ["Cache-Control: max-age=600", ...own])
})
afterAll(() => world[Symbol.asyncDispose]())

async function send(method: string, target: string, body: string, fields: readonly string[] = ["Content-Type: text/plain"]) {
  using client = await rawClient(world.port)
  client.send([`${method} ${target} HTTP/1.1`, "Host: a.test", ...fields, `Content-Length: ${body.length}`, "", body].join("\r\n"))
  return await client.response(method)
}

describe("QUERY", () => {
  test("the same content is a hit, another one is not", async () => {
    expect((await send("QUERY", "/q", "a")).body).toBe("QUERY a 1")
    const again = await send("QUERY", "/q", "a")
    expect([again.body, isHit(again)]).toEqual(["QUERY a 1", true])
    expect((await send("QUERY", "/q", "b")).body).toBe("QUERY b 2")
    expect((await send("QUERY", "/q", "a", ["Content-Type: text/other"])).body).toBe("QUERY a 3")
    expect((await world.ask("/q")).body).toBe("GET  4")
  })

  test("a body that comes in pieces is the same", async () => {
    await send("QUERY", "/pieces", "abc")
    using client = await rawClient(world.port)
    client.send("QUERY /pieces HTTP/1.1\r\nHost: a.test\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    await Bun.sleep(30)
    client.send("2\r\nbc\r\n0\r\n\r\n")
    expect((await client.response("QUERY")).body).toBe("QUERY abc 1")
    client.send("QUERY /pieces HTTP/1.1\r\nHost: a.test\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    await Bun.sleep(30)
    client.send("abc")
    expect((await client.response("QUERY")).status).toBe(100)
    expect((await client.response("QUERY")).body).toBe("QUERY abc 1")
  })

  test("one that is too long for a key goes by, whole", async () => {
    const body = "x".repeat(200_000)
    for (const count of [1, 2]) expect((await send("QUERY", "/long", body)).body).toBe(`QUERY ${body} ${count}`)
  })

  test("POST removes what is stored for QUERY", async () => {
    await send("QUERY", "/changed", "a")
    await send("POST", "/changed", "new")
    expect((await send("QUERY", "/changed", "a")).body).toBe("QUERY a 3")
  })
})

test("POST: an answer that is the target's own answers GET", async () => {
  expect((await send("POST", "/own", "new")).body).toBe("POST new 1")
  const got = await world.ask("/own")
  expect([got.body, isHit(got)]).toEqual(["POST new 1", true])
  expect((await send("POST", "/other", "new")).body).toBe("POST new 1")
  expect((await world.ask("/other")).body).toBe("GET  2")
})

test("POST: what is purged while it is answered does not come back with the answer", async () => {
  using client = await rawClient(world.port)
  client.send("POST /own?slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n")
  await Bun.sleep(50)
  const purge = await world.proxy.ask("/cache/purge?url=http://a.test/own?slow", { method: "POST", headers: { "X-Bothways": "1" } })
  expect(purge.status).toBe(200)
  client.send("new")
  expect((await client.response("POST")).body).toBe("POST new 1")
  expect((await world.ask("/own?slow")).body).toBe("GET  2")
})
