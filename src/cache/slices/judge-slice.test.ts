import { describe, expect, test } from "bun:test"
import { Fields } from "../../http/index.ts"
import { FieldLines } from "../rules/field-lines.ts"
import { IS_SLICE, IS_WHOLE, judgeSlice, NEVER_SLICES, NO_SLICE, sliceLines } from "./judge-slice.ts"
import { SLICE, SlicingThread } from "./slices.fixture.ts"

const { cache } = new SlicingThread({ bodyMax: "1GB" })

function judge(status: number, number: number, fields: Record<string, string>) {
  const lines = FieldLines.parse(
    Object.entries({ "Cache-Control": "max-age=60", ...fields })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join(""),
  )
  const asked = { method: "GET", path: "/film", fields: Fields.of([]), sentMs: 0, number, sliceBytes: SLICE }
  return judgeSlice(cache, asked, { status, lines })
}

function part(first: number, last: number, length: number | "*"): Record<string, string> {
  return { "Content-Range": `bytes ${first}-${last}/${length}`, ETag: '"a"' }
}

describe("a part is a slice", () => {
  const cases: [string, number, Record<string, string>, number][] = [
    ["the first", 0, part(0, SLICE - 1, SLICE * 3), IS_SLICE],
    ["one in the middle", 1, part(SLICE, SLICE * 2 - 1, SLICE * 3), IS_SLICE],
    ["the last, which is shorter", 2, part(SLICE * 2, SLICE * 2 + 6, SLICE * 2 + 7), IS_SLICE],
    ["all of a small one", 0, part(0, 99, 100), IS_WHOLE],
    ["all of one of exactly that length", 0, part(0, SLICE - 1, SLICE), IS_WHOLE],
    ["another one than was asked for", 1, part(0, SLICE - 1, SLICE * 3), NEVER_SLICES],
    ["a shorter one", 0, part(0, 99, SLICE * 3), NEVER_SLICES],
    ["a longer one", 0, part(0, SLICE, SLICE * 3), NEVER_SLICES],
    ["of unknown length", 0, part(0, SLICE - 1, "*"), NEVER_SLICES],
    ["without Content-Range", 0, { ETag: '"a"' }, NEVER_SLICES],
    ["with a length that is not its own", 0, { ...part(0, SLICE - 1, SLICE * 3), "Content-Length": "5" }, NEVER_SLICES],
    ["with a weak tag", 0, { ...part(0, SLICE - 1, SLICE * 3), ETag: 'W/"a"' }, NEVER_SLICES],
    ["that may not be stored", 0, { ...part(0, SLICE - 1, SLICE * 3), "Cache-Control": "no-store" }, NEVER_SLICES],
    ["of what varies by anything", 0, { ...part(0, SLICE - 1, SLICE * 3), Vary: "*" }, NEVER_SLICES],
    ["of more than may be stored", 0, part(0, SLICE - 1, 2 ** 30 + 1), NEVER_SLICES],
    ["of more slices than there may be", 0, part(0, SLICE - 1, SLICE * 65_536 + 1), NEVER_SLICES],
  ]
  for (const [name, number, fields, kind] of cases) test(name, () => expect(judge(206, number, fields).kind).toBe(kind as 0))

  test("by a date, where that is strong", () => {
    const dated = (date: string) => ({
      "Content-Range": `bytes 0-${SLICE - 1}/${SLICE * 3}`,
      "Last-Modified": "Tue, 01 Jul 2025 10:00:00 GMT",
      Date: date,
    })
    expect(judge(206, 0, dated("Tue, 01 Jul 2025 10:00:00 GMT")).kind).toBe(NEVER_SLICES)
    expect(judge(206, 0, dated("Tue, 01 Jul 2025 10:00:01 GMT")).kind).toBe(IS_SLICE)
  })

  test("and is stored with its own range and length, without what is of one hop", () => {
    const { judged, part: its } = judge(206, 1, { ...part(SLICE, SLICE + 8, SLICE + 9), Connection: "x-hop", "X-Hop": "1", Date: "d" })
    expect(sliceLines(judged, its!)).toBe(
      `Cache-Control: max-age=60\r\nETag: "a"\r\nDate: d\r\nContent-Range: bytes ${SLICE}-${SLICE + 8}/${SLICE + 9}\r\nContent-Length: 9\r\n`,
    )
  })
})

test("a 200 says that there are no ranges, another status says nothing", () => {
  expect([200, 404, 416, 500, 302].map(status => judge(status, 0, {}).kind)).toEqual([NEVER_SLICES, NO_SLICE, NO_SLICE, NO_SLICE, NO_SLICE])
})
