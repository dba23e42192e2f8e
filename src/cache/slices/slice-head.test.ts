import { describe, expect, test } from "bun:test"
import { BODY_LENGTH, BODY_NONE } from "../../http/index.ts"
import { replyTo, setSliceHead } from "./slice-head.ts"
import { requestFor, SLICE, SlicingThread, storedSlice } from "./slices.fixture.ts"

const length = SLICE * 3 + 10
const stored = storedSlice(1, length, 'ETag: "a"\r\nContent-Type: video/mp4\r\nContent-MD5: x\r\nContent-Digest: y\r\n')

function reply(fields: Record<string, string>): [number, number, number] {
  const { status, range } = replyTo(requestFor(fields), stored, 0)
  return [status, range.first, range.last]
}

describe("what a request gets", () => {
  test("is about the whole, whichever slice says so", () => {
    expect(reply({})).toEqual([200, 0, length - 1])
    expect(reply({ Range: "bytes=5-9" })).toEqual([206, 5, 9])
    expect(reply({ Range: "bytes=-10" })).toEqual([206, SLICE * 3, length - 1])
    expect(reply({ Range: `bytes=${length}-` })).toEqual([416, 0, -1])
    expect(reply({ Range: "bytes=5-9", "If-Range": '"a"' })).toEqual([206, 5, 9])
    expect(reply({ Range: "bytes=5-9", "If-Range": '"b"' })).toEqual([200, 0, length - 1])
    expect(reply({ Range: "bytes=5-9", "If-None-Match": 'W/"a"' })).toEqual([304, 0, -1])
  })
})

describe("its head", () => {
  const { cache } = new SlicingThread()

  test("of a range: the client's, and nothing that is of the slice alone", () => {
    const x = requestFor()
    setSliceHead(cache, x, stored, { status: 206, range: { first: 5, last: SLICE * 2 } })
    expect(x.response.render()).toBe(
      `ETag: "a"\r\nContent-Type: video/mp4\r\nAge: ${Math.floor(cache.time.clock.wall() / 1000)}\r\nContent-Range: bytes 5-${SLICE * 2}/${length}\r\n`,
    )
    expect([x.status, x.responseBody, x.responseLength]).toEqual([206, BODY_LENGTH, SLICE * 2 - 4])
  })

  test("of the whole, of 304 and of 416", () => {
    const none = { first: 0, last: -1 }
    const x = requestFor()
    setSliceHead(cache, x, stored, { status: 200, range: { first: 0, last: length - 1 } })
    expect([x.response.find("content-range"), x.responseLength]).toEqual([undefined, length])
    setSliceHead(cache, x, stored, { status: 304, range: none })
    expect([x.status, x.responseBody, x.response.find("content-type"), x.response.find("etag")]).toEqual([304, BODY_NONE, undefined, '"a"'])
    setSliceHead(cache, x, stored, { status: 416, range: none })
    expect([x.status, x.responseBody, x.response.render().includes(`Content-Range: bytes */${length}\r\n`)]).toEqual([416, BODY_NONE, true])
  })
})
