import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// RFC 6585 section 5, RFC 9110 section 15.5.15.
const [port, narrow] = (await freePorts(2)) as [number, number]
const answers: Record<string, string> = {}
const upstream = await recorder(request => `HTTP/1.1 200 OK\r\n${answers[request.start.split(" ")[1]!] ?? ""}Content-Length: 2\r\n\r\nok`)
const proxy = await startBothways({
  listeners: {
    web: { bind: `127.0.0.1:${port}` },
    narrow: { bind: `127.0.0.1:${narrow}`, limits: { headBytesMax: "8KB", targetBytesMax: "2KB", fieldsMax: 20 } },
  },
  clusters: { a: { peers: [upstream.address] }, small: { peers: [upstream.address], limits: { headBytesMax: "8KB", fieldsMax: 20 } } },
  routes: [
    { match: { listener: "narrow" }, to: { cluster: "small" } },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const KIB = 1024

async function ask(at: number, lines: string, target = "/"): Promise<{ status: number; head: string; body: string }> {
  using client = await rawClient(at)
  client.send(`GET ${target} HTTP/1.1\r\nHost: app.test\r\n${lines}\r\n`)
  return await client.response()
}

describe("O-47 large cookies and headers", () => {
  test("request cookies pass up to the limit, whole, and beyond it the answer is 431", async () => {
    for (const size of [6, 12, 30]) {
      upstream.requests.length = 0
      const cookie = `s=${"c".repeat(size * KIB)}`
      expect([size, (await ask(port, `Cookie: ${cookie}\r\n`)).status]).toEqual([size, 200])
      expect(upstream.requests[0]?.fields.cookie).toBe(cookie)
    }
    const { status, body } = await ask(port, `Cookie: ${"c".repeat(70 * KIB)}\r\n`)
    expect([status, body.includes("client.fields-too-large")]).toEqual([431, true])
  })
  test("response cookies pass up to the limit, and beyond it 502 and a line that says so", async () => {
    const cookie = `Set-Cookie: ${"c".repeat(3 * KIB)}\r\n`
    answers["/three"] = cookie.repeat(3)
    answers["/forty"] = `Set-Cookie: ${"c".repeat(40 * KIB)}\r\n`
    answers["/huge"] = `Set-Cookie: ${"c".repeat(300 * KIB)}\r\n`
    expect((await ask(port, "", "/three")).head).toContain(cookie.repeat(3))
    expect((await ask(port, "", "/forty")).head).toContain(answers["/forty"])
    expect((await ask(port, "", "/huge")).status).toBe(502)
    await until(
      () => proxy.log().some(line => line.target === "/huge" && line.fault === "upstream.fields-too-large"),
      3000,
      "the line with the fault",
    )
  })
  test("2,000 small fields: 431 from a client, 502 from an upstream", async () => {
    const many = Array.from({ length: 2000 }, (_, i) => `X-${i}: 1\r\n`).join("")
    expect((await ask(port, many)).status).toBe(431)
    answers["/many"] = many
    expect((await ask(port, "", "/many")).status).toBe(502)
  })
  test("a target of 9 KiB passes, one of 70 KiB is 414", async () => {
    const target = `/${"t".repeat(9 * KIB)}`
    upstream.requests.length = 0
    expect((await ask(port, "", target)).status).toBe(200)
    expect(upstream.requests[0]?.start).toBe(`GET ${target} HTTP/1.1`)
    expect((await ask(port, "", `/${"t".repeat(70 * KIB)}`)).status).toBe(414)
  })
  test("each of these limits is a setting, on both sides", async () => {
    answers["/wide"] = `X: ${"c".repeat(10 * KIB)}\r\n`
    answers["/many-few"] = Array.from({ length: 25 }, (_, i) => `X-${i}: 1\r\n`).join("")
    expect((await ask(narrow, "")).status).toBe(200)
    expect((await ask(narrow, `Cookie: ${"c".repeat(9 * KIB)}\r\n`)).status).toBe(431)
    expect((await ask(narrow, answers["/many-few"])).status).toBe(431)
    expect((await ask(narrow, "", `/${"t".repeat(3 * KIB)}`)).status).toBe(414)
    expect((await ask(narrow, "", "/wide")).status).toBe(502)
    expect((await ask(narrow, "", "/many-few")).status).toBe(502)
    expect((await ask(port, "", "/wide")).status).toBe(200)
  })
})
