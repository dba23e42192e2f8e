import { afterAll, describe, expect, test } from "bun:test"
import { gunzipSync } from "node:zlib"
import type { Message, ResponseMessage } from "../../support/message.ts"
import { until } from "../../support/wait.ts"
import { answer, cachedOrigin, targetOf } from "./cached-origin.ts"

// O-26: a compressed answer is another representation, with a tag of its own (RFC 9110 sections 8.8.1, 8.8.3.3 and 13.1).

const text = JSON.stringify(Array.from({ length: 250 }, (_, index) => ({ index, name: `name ${index}` })))
const own = '"v1"'

/** Knows its own tag, spelt exactly so, and nothing else. */
function origin(request: Message): string {
  const { fields } = request
  const lifetime = targetOf(request).startsWith("/kept") ? "max-age=60" : "no-cache"
  const common = [`ETag: ${own}`, `Cache-Control: ${lifetime}`, "Content-Type: application/json"]
  const listed = (name: string): boolean => (fields[name] ?? "").split(/\s*,\s*/).includes(own)
  if (request.start.startsWith("PUT")) return listed("if-match") ? answer("put") : answer("", [], "412 Precondition Failed")
  if (listed("if-none-match")) return [`HTTP/1.1 304 Not Modified`, ...common, "", ""].join("\r\n")
  return answer(text, common)
}
const world = await cachedOrigin(origin, { "a.test": { compress: ["gzip"] } })
afterAll(() => world[Symbol.asyncDispose]())

const gzip = "Accept-Encoding: gzip"
const etagOf = (response: ResponseMessage): string => response.fields.etag!
const opaque = (tag: string): string => tag.replace(/^W\//, "")
const decoded = (response: ResponseMessage): string => gunzipSync(Buffer.from(response.body, "latin1")).toString()

/** The answer to `gzip`, once the cache has it compressed. */
async function compressed(target: string): Promise<ResponseMessage> {
  await world.ask(target)
  return await until(async () => {
    const response = await world.ask(target, [gzip])
    expect(response.status).toBe(200)
    return response.fields["content-encoding"] === "gzip" ? response : null
  })
}

for (const target of ["/kept", "/checked"]) {
  describe(`O-26: ${target === "/kept" ? "fresh" : "always asked about"}`, () => {
    test("the compressed answer is the same text, with a tag that is weak or another, and Vary", async () => {
      const response = await compressed(target)
      expect(decoded(response)).toBe(text)
      expect(etagOf(response)).not.toBe(own)
      expect(response.fields.vary?.toLowerCase()).toContain("accept-encoding")
      const plain = await world.ask(target)
      expect([plain.body, etagOf(plain), plain.fields["content-encoding"]]).toEqual([text, own, undefined])
      expect(plain.fields.vary?.toLowerCase()).toContain("accept-encoding")
    })

    test("its tag brings a 304, with that tag; the origin is asked with its own, if at all", async () => {
      const tag = etagOf(await compressed(target))
      const before = world.origin.requests.length
      const second = await world.ask(target, [gzip, `If-None-Match: ${tag}`])
      expect([second.status, second.body, etagOf(second)]).toEqual([304, "", tag])
      const asked = world.origin.requests.slice(before)
      expect(asked.length).toBe(target === "/kept" ? 0 : 1)
      for (const { fields } of asked) expect(fields["if-none-match"]!.split(/\s*,\s*/)).toContain(own)
    })

    test("without gzip its tag names the same page, or another one, and never a wrong body", async () => {
      const tag = etagOf(await compressed(target))
      const response = await world.ask(target, [`If-None-Match: ${tag}`])
      if (response.status === 304) expect(opaque(etagOf(response))).toBe(opaque(tag))
      else expect([response.status, response.body, etagOf(response)]).toEqual([200, text, own])
    })

    test("in If-Range it is no match unless it is strong and of that very body", async () => {
      const first = await compressed(target)
      const ranged = await world.ask(target, [gzip, "Range: bytes=0-9", `If-Range: ${etagOf(first)}`])
      if (ranged.status === 206) {
        expect([etagOf(first).startsWith("W/"), ranged.fields["content-encoding"]]).toEqual([false, "gzip"])
        expect(ranged.body).toBe(first.body.slice(0, 10))
      } else expect(ranged.status).toBe(200)
      // Of the plain one, the tag of the compressed one is none, in any case.
      const plain = await world.ask(target, ["Range: bytes=0-9", `If-Range: ${etagOf(first)}`])
      expect([plain.status, plain.body]).toEqual([200, text])
    })

    test("in If-Match of a PUT it is not passed off as the origin's", async () => {
      const tag = etagOf(await compressed(target))
      const before = world.origin.requests.length
      const put = await world.ask(target, ["Content-Length: 0", `If-Match: ${tag}`], "PUT")
      expect(put.status).toBe(412)
      for (const { fields } of world.origin.requests.slice(before)) expect(fields["if-match"]).toBe(tag)
    })
  })
}
