import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rawH2Client } from "../../../support/h2/raw-h2-client.ts"
import type { ResponseMessage } from "../../../support/message.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { answer } from "../cached-origin.ts"
import { EngineWorld, get } from "./engine-world.ts"

// What a client reads of what the cache did (RFC 9211), and how it is served: HEAD, ranges, parts, only-if-cached; over HTTP/1.1 and HTTP/2.

const BODY = "0123456789abcdefghij"
const FRESH = ["Cache-Control: max-age=600", 'ETag: "v"']
let world: EngineWorld

beforeAll(async () => {
  world = await EngineWorld.start({ workers: 1 })
  world.answer = ({ target, request }) => {
    if (target.startsWith("/private")) return answer("own", ["Cache-Control: private"])
    if (target.startsWith("/parts")) return part(request.fields.range ?? "")
    return answer(request.start.startsWith("HEAD") ? "" : BODY, FRESH)
  }
})
afterAll(() => world[Symbol.asyncDispose]())

function part(range: string): string {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range)
  if (match === null) return answer(BODY, FRESH)
  const first = Number(match[1])
  const last = match[2] === "" ? BODY.length - 1 : Number(match[2])
  return answer(BODY.slice(first, last + 1), [...FRESH, `Content-Range: bytes ${first}-${last}/${BODY.length}`], "206 Partial Content")
}

async function ask(target: string, fields: readonly string[] = [], method = "GET"): Promise<ResponseMessage> {
  using client = await rawClient(world.port)
  client.send(get(target, fields, method))
  return await client.response(method)
}

const status = (response: ResponseMessage): string => response.fields["cache-status"] ?? ""

describe("Cache-Status", () => {
  test("in HTTP/1.1", async () => {
    expect(status(await ask("/h1"))).toBe("bothways; fwd=uri-miss; fwd-status=200; stored")
    expect(status(await ask("/h1"))).toMatch(/^bothways; hit; ttl=(600|599)$/)
    expect(status(await ask("/private"))).toBe("bothways; fwd=uri-miss; fwd-status=200; detail=private")
    expect(status(await ask("/private"))).toBe("bothways; fwd=bypass; fwd-status=200; detail=private")
    expect(status(await ask("/h1", ["Content-Length: 0"], "POST"))).toBe("bothways; fwd=method; fwd-status=200")
    expect(status(await ask("/h1", ["Cache-Control: only-if-cached"]))).toBe("bothways; fwd=uri-miss; detail=only-if-cached")
  })

  test("in HTTP/2, where hits and what is fetched share one connection", async () => {
    using client = await rawH2Client(world.port)
    const answers: { status: string; cache: string; body: string }[] = []
    for (const target of ["/h2", "/h2", "/private/h2"]) {
      const { status: code, headers, body } = await client.response(client.request({ ":path": target }))
      answers.push({ status: String(code), cache: headers["cache-status"] ?? "", body })
    }
    expect(answers).toEqual([
      { status: "200", cache: "bothways; fwd=uri-miss; fwd-status=200; stored", body: BODY },
      { status: "200", cache: expect.stringMatching(/^bothways; hit; ttl=(600|599)$/), body: BODY },
      { status: "200", cache: "bothways; fwd=uri-miss; fwd-status=200; detail=private", body: "own" },
    ])
  })
})

describe("only-if-cached", () => {
  test("504 for what is not there, and nobody is asked; what is there for what is", async () => {
    const none = await ask("/only", ["Cache-Control: only-if-cached"])
    expect([none.status, world.asked("/only")]).toEqual([504, 0])
    await ask("/only")
    expect((await ask("/only", ["Cache-Control: only-if-cached"])).body).toBe(BODY)
    expect(world.asked("/only")).toBe(1)
  })
})

describe("HEAD", () => {
  test("has what GET has but the body, from the store; alone it goes upstream and stores nothing", async () => {
    expect((await ask("/head", [], "HEAD")).status).toBe(200)
    expect(world.asked("/head")).toBe(1)
    await ask("/head")
    const stored = await ask("/head", [], "HEAD")
    expect([stored.status, stored.body, stored.fields["content-length"], stored.fields.etag]).toEqual([200, "", String(BODY.length), '"v"'])
    expect(status(stored)).toContain("; hit")
    expect(world.asked("/head")).toBe(2)
  })

  test("with a condition that holds: 304", async () => {
    await ask("/head/304")
    expect((await ask("/head/304", ['If-None-Match: "v"'], "HEAD")).status).toBe(304)
  })
})

describe("ranges", () => {
  test("of a whole that is stored, and 416 for what is not in it", async () => {
    await ask("/whole")
    for (const [range, octets, span] of [
      ["bytes=2-4", "234", "2-4"],
      ["bytes=15-", "fghij", "15-19"],
      ["bytes=-3", "hij", "17-19"],
      ["bytes=18-99", "ij", "18-19"],
    ] as const) {
      const response = await ask("/whole", [`Range: ${range}`])
      expect([response.status, response.body, response.fields["content-range"]]).toEqual([206, octets, `bytes ${span}/20`])
    }
    const none = await ask("/whole", ["Range: bytes=20-"])
    expect([none.status, none.fields["content-range"]]).toEqual([416, "bytes */20"])
    expect((await ask("/whole", ["Range: bytes=2-4", 'If-Range: "other"'])).body).toBe(BODY)
    expect((await ask("/whole", ["Range: bytes=2-4", 'If-Range: "v"'])).body).toBe("234")
    expect(world.asked("/whole")).toBe(1)
  })

  test("of parts that are stored; parts are joined; the whole is fetched but for what is there", async () => {
    const range = async (span: string): Promise<string> => {
      const response = await ask("/parts", [`Range: bytes=${span}`])
      return `${response.status} ${response.body} ${response.fields["content-range"]}`
    }
    expect(await range("0-4")).toBe("206 01234 bytes 0-4/20")
    expect(await range("1-3")).toBe("206 123 bytes 1-3/20")
    expect(world.asked("/parts")).toBe(1)
    expect(await range("5-9")).toBe("206 56789 bytes 5-9/20")
    expect(await range("3-8")).toBe("206 345678 bytes 3-8/20")
    expect(world.asked("/parts")).toBe(2)
    const whole = await ask("/parts")
    expect([whole.status, whole.body]).toEqual([200, BODY])
    expect([world.reached.at(-1)!.request.fields.range, world.reached.at(-1)!.request.fields["if-range"]]).toEqual(["bytes=10-", '"v"'])
    expect(await range("12-13")).toBe("206 cd bytes 12-13/20")
    expect((await ask("/parts")).body).toBe(BODY)
    expect(world.asked("/parts")).toBe(3)
  })
})

describe("what a request says of itself", () => {
  test("a GET with a body passes", async () => {
    await ask("/content")
    using client = await rawClient(world.port)
    client.send(`${get("/content", ["Content-Length: 3"])}abc`)
    const response = await client.response()
    expect([response.body, status(response), world.asked("/content")]).toEqual([BODY, "bothways; fwd=bypass; fwd-status=200; detail=request-body", 2])
  })

  test("O-23: X-Forwarded-Host and its like do not get into what others have", async () => {
    const echo = world.answer
    world.answer = ({ request }) => answer(JSON.stringify(request.fields), FRESH)
    const evil = [
      "X-Forwarded-Host",
      "X-Forwarded-Proto",
      "X-Forwarded-Port",
      "X-Host",
      "X-Original-URL",
      "X-Rewrite-URL",
      "X-HTTP-Method-Override",
      "Forwarded",
    ]
    for (const name of evil) {
      const target = `/echo/${name}`
      await ask(target, [`${name}: evil.test`])
      const plain = await ask(target)
      // Either not from what was fetched for the first one, or without a trace of him.
      if (status(plain).includes("; hit")) expect(`${name} ${plain.body}`).not.toContain("evil.test")
    }
    world.answer = echo
  })
})
