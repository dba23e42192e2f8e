import { afterAll, describe, expect, test } from "bun:test"
import type { ResponseMessage } from "../../../support/message.ts"
import { decoded, TextOrigin, textOf } from "./text-origin.ts"

// O-26: tags of encoded answers (RFC 9110 sections 8.8.1, 8.8.3.3, 13.1 and 14.2).
const page = textOf(5000)
const world = await TextOrigin.start(["br", "gzip"])
afterAll(() => world[Symbol.asyncDispose]())
const gzip = "Accept-Encoding: gzip"
const date = new Date(Date.now() - 3_600_000).toUTCString()
const pages: Record<string, Readonly<Record<string, string | undefined>>> = {
  "/kept": { etag: '"v1"', "last-modified": date },
  "/checked": { etag: '"v1"', "last-modified": date, "cache-control": "no-cache" },
  "/weak": { etag: 'W/"v1"' },
  "/dated": { etag: undefined, "last-modified": date },
  "/quoted": { etag: '"a, W/b"' },
}
for (const [path, fields] of Object.entries(pages)) world.pages[path] = { body: page, fields }

const about = ({ status, fields, body }: ResponseMessage) => [status, fields.etag, fields["content-encoding"], body.length > 0]
const encoded = async (path: string): Promise<ResponseMessage> => {
  await world.ask(path)
  return world.encoded(path, "gzip")
}

describe("the tag of an encoded answer", () => {
  for (const [path, tag, plainTag] of [
    ["/kept", 'W/"v1"', '"v1"'],
    ["/checked", 'W/"v1"', '"v1"'],
    ["/weak", 'W/"v1"', 'W/"v1"'],
    ["/quoted", 'W/"a, W/b"', '"a, W/b"'],
  ] as const) {
    test(`${path}: ${tag}; the plain one's stays`, async () => {
      expect(about(await encoded(path))).toEqual([200, tag, "gzip", true])
      expect(about(await world.ask(path))).toEqual([200, plainTag, undefined, true])
    })
    test(`${path}: brings a 304 with that tag, without what would describe a body`, async () => {
      await encoded(path)
      const before = world.requests.length
      const answer = await world.ask(path, [gzip, `If-None-Match: ${tag}`])
      expect(about(answer)).toEqual([304, tag, undefined, false])
      expect([answer.fields["content-length"], answer.fields["content-type"], answer.fields.vary]).toEqual([undefined, undefined, "Accept-Encoding"])
      // The origin is asked by its own tag, once.
      const asked = world.requests.slice(before)
      expect(asked.map(({ fields }) => fields["if-none-match"])).toEqual(path === "/checked" ? ['"v1"'] : [])
    })
    test(`${path}: in a list, beside others; and HEAD`, async () => {
      await encoded(path)
      expect(about(await world.ask(path, [gzip, `If-None-Match: "x", ${tag}`]))).toEqual([304, tag, undefined, false])
      // What has to be asked about is the origin's to answer, as HEAD has it.
      if (path !== "/checked") expect(about(await world.ask(path, [gzip, `If-None-Match: ${tag}`], "HEAD"))).toEqual([304, tag, undefined, false])
      expect(about(await world.ask(path, [gzip, 'If-None-Match: "other"']))).toEqual([200, tag, "gzip", true])
    })
    test(`${path}: from one who takes no coding now, it names the same text`, async () => {
      await encoded(path)
      expect(about(await world.ask(path, [`If-None-Match: ${tag}`]))).toEqual([304, tag, undefined, false])
      expect(about(await world.ask(path, [`If-None-Match: ${plainTag}`]))).toEqual([304, plainTag, undefined, false])
    })
  }
  test("after the encoded body is gone it is told the same tag", async () => {
    await encoded("/kept")
    await world.purge("/kept")
    await world.ask("/kept")
    expect(about(await world.ask("/kept", ["Accept-Encoding: gzip", 'If-None-Match: W/"v1"']))).toEqual([304, 'W/"v1"', undefined, false])
  })
  test("If-Modified-Since goes by the date that both have", async () => {
    for (const path of ["/kept", "/dated"]) {
      await encoded(path)
      expect((await world.ask(path, [gzip, `If-Modified-Since: ${date}`])).status).toBe(304)
    }
  })
})

describe("ranges are of the plain octets", () => {
  const range = "Range: bytes=100-199"
  const part = page.toString("latin1", 100, 200)
  test("without a condition, and with the strong tag", async () => {
    await encoded("/kept")
    for (const condition of [[], ['If-Range: "v1"']]) {
      const response = await world.ask("/kept", [gzip, range, ...condition])
      expect([...about(response), response.body, response.fields["content-range"]]).toEqual([
        ...[206, '"v1"', undefined, true],
        ...[part, `bytes 100-199/${page.length}`],
      ])
      expect(response.fields.vary).toBe("Accept-Encoding")
    }
  })
  for (const [path, condition, why] of [
    ["/kept", 'W/"v1"', "the weak tag matches nothing (RFC 9110 section 13.1.5)"],
    ["/weak", 'W/"v1"', "neither does the origin's own weak one"],
    ["/kept", date, "a date does not tell which octets somebody has that may have got encoded ones"],
    ["/dated", date, "nor where there is no tag"],
  ] as const) {
    test(`If-Range: ${why}`, async () => {
      await encoded(path)
      const response = await world.ask(path, [gzip, range, `If-Range: ${condition}`])
      expect([response.status, decoded(response).equals(page)]).toEqual([200, true])
    })
  }
  test("by date it is a part for one who takes no coding and so has plain octets", async () => {
    await encoded("/dated")
    const response = await world.ask("/dated", [range, `If-Range: ${date}`])
    expect([response.status, response.body]).toEqual([206, part])
  })
  test("an encoded answer says that there are no ranges of it", async () => {
    expect((await encoded("/kept")).fields["accept-ranges"]).toBe("none")
  })
})

describe("what is not the cache's to judge goes on as it came", () => {
  // If-Match compares strongly: the weak tag is none that an origin takes (RFC 9110 section 13.1.1).
  for (const method of ["PUT", "GET"]) {
    test(`If-Match of a ${method}`, async () => {
      const { fields } = await encoded("/kept")
      const before = world.requests.length
      await world.ask("/kept", ["Content-Length: 0", `If-Match: ${fields.etag}`], method)
      const asked = world.requests.slice(before)
      expect(asked.map(request => [request.method, request.fields["if-match"]])).toEqual([[method, 'W/"v1"']])
    })
  }
  test("If-Range of what is not stored", async () => {
    world.pages["/unknown"] = { body: page, fields: { "cache-control": "no-store" } }
    await world.ask("/unknown", [gzip, "Range: bytes=0-9", 'If-Range: W/"v1"'])
    expect(world.requests.at(-1)!.fields["if-range"]).toBe('W/"v1"')
  })
})
