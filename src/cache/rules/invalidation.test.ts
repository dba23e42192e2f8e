import { expect, test } from "bun:test"
import { invalidatedTargets, isSafe, referenceLengthMax } from "./invalidation.ts"

const target = "http://a.example:8080/dir/page?q=1"

function targets(location: string, contentLocation = "", method = "POST", status = 200): readonly string[] {
  return invalidatedTargets(method, target, { status, location, contentLocation })
}

test("methods that change nothing, and all others", () => {
  for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"])
    expect(`${method} ${isSafe(method)}`).toBe(`${method} true`)
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get", "Get", "FOO", "", "CONNECT"])
    expect(`${method} ${isSafe(method)}`).toBe(`${method} false`)
})

test("a success makes the target invalid, a failure nothing (section 4.4)", () => {
  for (const status of [200, 201, 204, 299, 301, 303, 399]) expect(targets("", "", "M-SEARCH", status)).toEqual([target])
  for (const status of [100, 199, 400, 404, 500, 599]) expect(targets("/x", "/y", "POST", status)).toEqual([])
  expect(targets("/x", "/y", "GET")).toEqual([])
})

test("Location and Content-Location of the same origin, too", () => {
  expect(targets("location_target", "/content?x#part")).toEqual([
    target,
    "http://a.example:8080/dir/location_target",
    "http://a.example:8080/content?x",
  ])
  expect(targets("HTTP://A.example:8080/x", "//a.example:8080/x")).toEqual([target, "http://a.example:8080/x"])
  expect(targets("?q=1", "")).toEqual([target])
})

test("never what belongs to others", () => {
  for (const reference of [
    "http://b.example:8080/x",
    "http://a.example/x",
    "https://a.example:8080/x",
    "//b.example/x",
    "http://a.example:8080@b.example/x",
    "javascript:1",
    "data:,x",
    "http://[",
    "http://a.example:99999/",
    "file:///x",
    "http://a.example:8080.b.example/",
    "/x".repeat(referenceLengthMax),
  ]) {
    expect({ reference, is: targets(reference, reference) }).toEqual({ reference, is: [target] })
  }
})
