import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

// O-47 on HTTP/2.
const KIB = 1024
const port = await freePort()
const answers: Record<string, string> = {
  "/three": `Set-Cookie: ${"c".repeat(3 * KIB)}\r\n`.repeat(3),
  "/forty": `Set-Cookie: ${"c".repeat(40 * KIB)}\r\n`,
  "/huge": `Set-Cookie: ${"c".repeat(300 * KIB)}\r\n`,
}
const upstream = await recorder(request => `HTTP/1.1 200 OK\r\n${answers[request.start.split(" ")[1]!] ?? ""}Content-Length: 2\r\n\r\nok`)
const proxy = await startBothways(reverseConfig(port, upstream.address))
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

describe("requests", () => {
  for (const huffman of [false, true]) {
    test(`cookies pass up to the limit, whole or in crumbs; beyond it 431${huffman ? ", in Huffman code" : ""}`, async () => {
      using client = await rawH2Client(port)
      for (const size of [6, 12, 30, 60]) {
        upstream.requests.length = 0
        const cookie = `s=${"c".repeat(size * KIB)}`
        const id = client.request({ cookie }, { huffman })
        expect([size, (await client.response(id)).status]).toEqual([size, 200])
        expect(upstream.requests[0]?.fields.cookie).toBe(cookie)
      }
      const crumbs = Array.from({ length: 300 }, (_, i) => `c${i}=${"c".repeat(60)}`)
      const pseudo = [":method GET", ":scheme http", ":path /", ":authority a.test"].map(one => one.split(" ") as [string, string])
      const id = client.request([...pseudo, ...crumbs.map((crumb): [string, string] => ["cookie", crumb])], { huffman })
      expect((await client.response(id)).status).toBe(200)
      expect(upstream.requests.at(-1)?.fields.cookie).toBe(crumbs.join("; "))
      const { status, body } = await client.response(client.request({ cookie: "c".repeat(70 * KIB) }, { huffman }))
      expect([status, body.includes("client.fields-too-large")]).toEqual([431, true])
      // The connection and its table have taken no harm.
      expect((await client.response(client.request({ x: "1" }, { as: "added" }))).status).toBe(200)
    })
  }
  test("two thousand small fields: 431; a long target: 414, a nine KB one passes", async () => {
    using client = await rawH2Client(port)
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x${i}`, "1"]))
    expect((await client.response(client.request(many))).status).toBe(431)
    expect((await client.response(client.request({ ":path": `/${"x".repeat(9 * KIB)}` }))).status).toBe(200)
    expect((await client.response(client.request({ ":path": `/${"x".repeat(17 * KIB)}` }))).status).toBe(414)
  })
})

describe("answers", () => {
  test("pass up to the limit, in as many frames as it takes; beyond it 502", async () => {
    using client = await rawH2Client(port)
    const cookies = async (path: string): Promise<[status: number, lengths: number[]]> => {
      const { status, fields } = await client.response(client.request({ ":path": path }))
      return [status, fields.filter(([name]) => name === "set-cookie").map(([, value]) => value.length)]
    }
    expect(await cookies("/three")).toEqual([200, [3 * KIB, 3 * KIB, 3 * KIB]])
    expect(await cookies("/forty")).toEqual([200, [40 * KIB]])
    expect((await cookies("/huge"))[0]).toBe(502)
    expect(await cookies("/three")).toEqual([200, [3 * KIB, 3 * KIB, 3 * KIB]])
    expect(client.violations).toEqual([])
  })
})
