import { afterAll, describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { gzipSync } from "node:zlib"
import { rawH2Client } from "../../../support/h2/raw-h2-client.ts"
import { run } from "../../../support/run.ts"
import { isHit } from "../cached-origin.ts"
import { decoded, TextOrigin, textOf } from "./text-origin.ts"
import { until } from "../../../support/wait.ts"

// Texts that their server sends as they are leave the cache compressed (RFC 9110 sections 8.4 and 12.5.3).
const page = textOf(20_000)
const world = await TextOrigin.start(["br", "zstd", "gzip"])
afterAll(() => world[Symbol.asyncDispose]())

const curl = (path: string, ...more: string[]) => run("curl", "-sS", "-i", "-H", "Host: a.test", ...more, `http://127.0.0.1:${world.port}${path}`)

describe("each coding", () => {
  for (const coding of ["br", "zstd", "gzip"]) {
    test(`${coding}: the same text in fewer octets, and everything that is said of it is true`, async () => {
      const path = `/${coding}`
      world.pages[path] = { body: page }
      const plain = await world.ask(path, [`Accept-Encoding: ${coding}`])
      expect([plain.fields["content-encoding"], plain.body]).toEqual([undefined, page.toString("latin1")])
      const response = await world.encoded(path, coding)
      expect([response.fields["content-encoding"], decoded(response).equals(page), isHit(response)]).toEqual([coding, true, true])
      expect(Number(response.fields["content-length"])).toBe(response.body.length)
      expect(response.body.length).toBeLessThan(page.length / 4)
      expect(response.fields).toMatchObject({ vary: "Accept-Encoding", "content-type": "text/html", "cache-control": "max-age=600" })
      expect(Number(response.fields.age)).toBeLessThan(60)
      expect(world.requests.filter(({ url }) => url === path).length).toBe(1)
    })
    test(`${coding}: curl reads it`, async () => {
      const { code, stdout } = await curl(`/${coding}`, "--compressed", "-H", `Accept-Encoding: ${coding}`)
      expect(code).toBe(0)
      expect(stdout).toContain(`Content-Encoding: ${coding}\r\n`)
      expect(stdout.slice(stdout.indexOf("\r\n\r\n") + 4)).toBe(page.toString())
    })
  }
})

describe("what a client takes", () => {
  world.pages["/taken"] = { body: page }
  const codingFor = async (accept: string): Promise<string> => {
    const response = await world.ask("/taken", accept === "" ? [] : [`Accept-Encoding: ${accept}`])
    expect([response.status, decoded(response).equals(page), response.fields.vary]).toEqual([200, true, "Accept-Encoding"])
    return response.fields["content-encoding"] ?? ""
  }
  test("all of them are there", async () => {
    await world.ask("/taken")
    for (const coding of ["br", "zstd", "gzip"]) await world.encoded("/taken", coding)
  })
  for (const [accept, expected] of [
    ["", ""],
    ["gzip, deflate, br, zstd", "br"],
    ["gzip;q=1.0, br;q=0.5", "gzip"],
    ["gzip, br;q=0", "gzip"],
    ["*", "br"],
    ["*;q=0.1, br;q=0", "zstd"],
    ["x-gzip", "gzip"],
    ["identity", ""],
    ["identity;q=0, *;q=0", ""],
    ["identity;q=0, gzip;q=0.1", "gzip"],
    ["deflate", ""],
    ["gzip;q=0.5, identity;q=0.8", ""],
  ] as const) {
    test(`"${accept}" → ${expected || "plain"}`, async () => {
      expect(await codingFor(accept)).toBe(expected)
    })
  }
  test("two lines are one list", async () => {
    const response = await world.ask("/taken", ["Accept-Encoding: br;q=0", "Accept-Encoding: gzip"])
    expect(response.fields["content-encoding"]).toBe("gzip")
  })
  test("who wants it unchanged gets it so", async () => {
    const response = await world.ask("/taken", ["Accept-Encoding: br", "Cache-Control: no-transform"])
    expect([response.fields["content-encoding"], response.body]).toEqual([undefined, page.toString("latin1")])
  })
  test("HEAD is told what GET gets", async () => {
    const get = await world.ask("/taken", ["Accept-Encoding: br"])
    const head = await world.ask("/taken", ["Accept-Encoding: br"], "HEAD")
    const told = (fields: Readonly<Record<string, string>>) => ({ ...fields, age: "", "cache-status": "", date: "" })
    expect([head.body, told(head.fields)]).toEqual(["", told(get.fields)])
  })
  test("over HTTP/2", async () => {
    using client = await rawH2Client(world.port)
    const { headers, body } = await client.response(client.request({ ":path": "/taken", "accept-encoding": "zstd" }))
    expect(headers).toMatchObject({ "content-encoding": "zstd", "content-length": String(body.length), vary: "Accept-Encoding" })
  })
})

describe("any size", () => {
  for (const [name, body, chunked] of [
    ["the smallest", textOf(256), false],
    ["without a length", textOf(300_000), true],
    ["encoded still longer than one piece", Buffer.from(randomBytes(200_000).toString("hex")), false],
    ["the longest", textOf(8 * 1024 * 1024), false],
  ] as const) {
    test(name, async () => {
      const path = `/size-${body.length}`
      world.pages[path] = { body, chunked }
      await world.ask(path)
      const response = await world.encoded(path, "br")
      expect(decoded(response).equals(body)).toBe(true)
      expect(Number(response.fields["content-length"])).toBe(response.body.length)
    })
  }
})

describe("what stays as it is", () => {
  const compressed = gzipSync(page)
  for (const [name, of, varies] of [
    ["a picture", { body: page, fields: { "content-type": "image/png" } }, false],
    ["without a type", { body: page, fields: { "content-type": undefined } }, false],
    ["no-transform", { body: page, fields: { "cache-control": "max-age=600, no-transform" } }, false],
    ["encoded already", { body: compressed, fields: { "content-encoding": "gzip" } }, false],
    ["short", { body: page.subarray(0, 255) }, false],
    ["long", { body: textOf(8 * 1024 * 1024 + 1) }, false],
    ["what gets no smaller", { body: randomBytes(20_000) }, true],
  ] as const) {
    test(name, async () => {
      const path = `/as-it-is-${name.replaceAll(" ", "-")}`
      world.pages[path] = of
      for (let times = 0; times < 4; times++) {
        const response = await world.ask(path, ["Accept-Encoding: br, zstd, gzip"])
        expect([response.status, response.body === of.body.toString("latin1")]).toEqual([200, true])
        expect(response.fields.vary).toBe(varies ? "Accept-Encoding" : undefined)
        await Bun.sleep(150)
      }
      // Of what was tried in vain an entry without a body tells.
      const made = (await world.entries(path)).filter(({ key }) => key.includes("="))
      expect(made.map(({ head }) => head.includes("Content-Encoding"))).toEqual(varies ? [false] : [])
    })
  }
})

describe("with Vary of the origin's own", () => {
  test("a variant is compressed for those who get it; Accept-Encoding is named once", async () => {
    world.pages["/varies"] = { body: page, fields: { vary: "Accept-Language, Accept-Encoding" } }
    const english = ["Accept-Language: en"]
    await world.ask("/varies", ["Accept-Encoding: gzip, br", ...english])
    const response = await world.encoded("/varies", "gzip, br", english)
    expect([decoded(response).equals(page), response.fields.vary, response.fields["content-encoding"]]).toEqual([
      ...[true, "Accept-Language, Accept-Encoding", "br"],
    ])
    // Another variant is not served from this one.
    const german = await world.ask("/varies", ["Accept-Encoding: gzip, br", "Accept-Language: de"])
    expect([german.fields["content-encoding"], isHit(german)]).toEqual([undefined, false])
  })
  test("other names stay", async () => {
    world.pages["/varies-more"] = { body: page, fields: { vary: "X-A" } }
    expect((await world.ask("/varies-more")).fields.vary).toBe("X-A, Accept-Encoding")
    expect((await world.encoded("/varies-more", "br")).fields.vary).toBe("X-A, Accept-Encoding")
  })
})

test("without the option nothing of it happens", async () => {
  await using off = await TextOrigin.start(["gzip"], { more: { compress: "off" } })
  off.pages["/"] = { body: page }
  for (let times = 0; times < 4; times++) {
    const { fields, body } = await off.ask("/", ["Accept-Encoding: gzip"])
    expect([fields["content-encoding"], fields.vary, body === page.toString("latin1")]).toEqual([undefined, undefined, true])
    await Bun.sleep(50)
  }
  await until(async () => (await off.entries("/")).length === 1)
})
