import { expect, test } from "bun:test"
import type { Validators } from "../../http/index.ts"
import { combineParts } from "./combine-parts.ts"
import { dateIn, NOW } from "./response-of.fixture.ts"

const validators: Validators = { etag: '"v1"', lastModified: dateIn(-100), date: dateIn(0), status: 206 }

function join(
  a: readonly [number, number, number],
  b: readonly [number, number, number],
  ofA: Partial<Validators> = {},
  ofB: Partial<Validators> = {},
): string {
  const part = ([first, last, length]: readonly [number, number, number], changes: Partial<Validators>) => ({
    first,
    last,
    length,
    validators: { ...validators, ...changes },
  })
  const run = combineParts(part(a, ofA), part(b, ofB), NOW)
  const back = combineParts(part(b, ofB), part(a, ofA), NOW)
  expect(back).toEqual(run)
  return run === null ? "no" : `${run.first}-${run.last}/${run.length}`
}

test("parts that touch make one run (section 3.4)", () => {
  expect(join([0, 4, 10], [5, 9, 10])).toBe("0-9/10")
  expect(join([0, 6, 10], [5, 9, 10])).toBe("0-9/10")
  expect(join([0, 9, 10], [2, 3, 10])).toBe("0-9/10")
  expect(join([0, 4, -1], [5, 9, 10])).toBe("0-9/10")
  expect(join([0, 4, -1], [5, 9, -1])).toBe("0-9/-1")
  expect(join([0, 3, 10], [5, 9, 10])).toBe("no")
  expect(join([0, 4, 10], [5, 9, 11])).toBe("no")
})

test("only parts of the same representation: the same strong validator", () => {
  const joined = (ofA: Partial<Validators>, ofB: Partial<Validators>): string => join([0, 4, 10], [5, 9, 10], ofA, ofB)
  expect(joined({}, { etag: '"v2"' })).toBe("no")
  expect(joined({ etag: 'W/"v1"' }, { etag: 'W/"v1"' })).toBe("no")
  expect(joined({ etag: "v1" }, { etag: "v1" })).toBe("no")
  expect(joined({ etag: "" }, {})).toBe("no")
  expect(joined({ etag: "" }, { etag: "" })).toBe("0-9/10")
  expect(joined({ etag: "" }, { etag: "", lastModified: dateIn(-99) })).toBe("no")
  expect(joined({ etag: "", lastModified: "" }, { etag: "", lastModified: "" })).toBe("no")
  expect(joined({ etag: "", lastModified: dateIn(0) }, { etag: "", lastModified: dateIn(0) })).toBe("no")
  expect(joined({ etag: "", date: "" }, { etag: "" })).toBe("no")
})
