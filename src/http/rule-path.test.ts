import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { forwardPath, rulePath, rulePathResult } from "./rule-path.ts"

const refused = "(refused)"

/** [as it came, rule form or refused, what is sent, encoded slash]. */
type Row = readonly [string, string, string?, boolean?]

function check([path, rule, forward = path, encodedSlash = false]: Row): void {
  const seen = rulePath(path)
  expect({ path, rule: rulePathResult.refused ? refused : seen }).toEqual({ path, rule })
  expect(rulePathResult.reason === "").toBe(rule !== refused)
  if (rule === refused) return
  expect({ path, forward: rulePathResult.forwardPath }).toEqual({ path, forward })
  expect(forwardPath(path)).toBe(forward)
  expect(rulePathResult.dotSegments).toBe(forward !== path)
  expect({ path, encodedSlash: rulePathResult.encodedSlash }).toEqual({ path, encodedSlash })
}

describe("paths that applications need octet for octet (FIELD-CASES O-17)", () => {
  const rows: Row[] = [
    ["/a%2Fb", "/a%2Fb", "/a%2Fb", true],
    ["/a%2fb", "/a%2Fb", "/a%2fb", true],
    ["//host.test/x", "/host.test/x"],
    ["/x//y/", "/x/y/"],
    ["/w/https%3A%2F%2Fh%2Fp%3Ft%3D1%26u%3D0/ws", "/w/https:%2F%2Fh%2Fp%3Ft=1&u=0/ws", undefined, true],
    ["/s%20p", "/s%20p"],
    ["/%E4%BD%A0", "/%E4%BD%A0"],
    ["/v;a=1/b", "/v/b"],
    ["/a", "/a"],
    ["/%7Euser", "/~user"],
    ["/{x}|y", "/{x}|y"],
  ]
  for (const row of rows) test(row[0], () => check(row))
})

describe("paths that walk around rules (FIELD-CASES O-18)", () => {
  const rows: Row[] = [
    ["/pub/../admin", "/admin", "/admin"],
    ["/pub/%2e%2e/admin", "/admin", "/admin"],
    ["/pub/.%2E/admin", "/admin", "/admin"],
    ["/pub/..%2fadmin", refused],
    ["/pub/..%5cadmin", refused],
    ["//admin", "/admin"],
    ["/./admin", "/admin", "/admin"],
    ["/admin/", "/admin/"],
    ["/admin%2fusers", "/admin%2Fusers", undefined, true],
    ["/%61dmin", "/admin"],
    ["/admin;x=1", "/admin"],
    ["/pub/..;/admin", refused],
    ["/pub/%252e%252e/admin", "/pub/%252e%252e/admin"],
    ["/admin\t", refused],
    ["/admin%00", refused],
  ]
  for (const row of rows) test(JSON.stringify(row[0]), () => check(row))
})

describe("dot segments", () => {
  const rows: Row[] = [
    ["/..", "/", "/"],
    ["/.", "/", "/"],
    ["/../../x", "/x", "/x"],
    ["/a/b/.", "/a/b/", "/a/b/"],
    ["/a/b/..", "/a/", "/a/"],
    ["/a/./b/../c", "/a/c", "/a/c"],
    ["/a/../../b", "/b", "/b"],
    ["/a/b/../../c", "/c", "/c"],
    ["/a/b/c/%2e%2e/.././../d/", "/d/", "/d/"],
    // Empty segments count while dots are resolved; rule form and forwarded path start from the same result.
    ["/x//../y", "/x/y", "/x/y"],
    ["//..//admin", "/admin", "//admin"],
    ["/a;x/../b;y", "/b", "/b;y"],
    ["/%61/../%62", "/b", "/%62"],
    ["/...", "/..."],
    ["/.well-known/x", "/.well-known/x"],
    ["/a/..b/.c./d..", "/a/..b/.c./d.."],
    ["/..%41", "/..A"],
    ["/.;x", refused],
    ["/%2e;x/a", refused],
    ["/..%3b/admin", refused],
    ["/a%2f..", refused],
    ["/a%2f../b", refused],
    ["/a%5C%2e%2fb", refused],
    ["/a/%2e%2e%2f", refused],
    ["/a%2F/../b", "/b", "/b", true],
    ["/a%2F..b", "/a%2F..b", undefined, true],
  ]
  for (const row of rows) test(row[0], () => check(row))
})

describe("one spelling for what servers read alike", () => {
  const rows: Row[] = [
    ["", ""],
    ["*", "*"],
    ["/", "/"],
    ["//", "/"],
    ["/%40admin", "/@admin"],
    ["/a%2A%7B", "/a*{"],
    ["/a%3bx=%2f/b", "/a/b", undefined, true],
    ["/;x/admin", "/admin"],
    ["/admin/;x", "/admin/"],
    ["/%e4%bd%a0", "/%E4%BD%A0"],
    ["/\xe4\xbd\xa0", "/%E4%BD%A0"],
    ["/%0e%B8%81".replace("%0e", "%E0"), "/%E0%B8%81"],
    ["/%2525", "/%2525"],
    ["/%25", "/%25"],
    ["/100%", "/100%25"],
    ["/%%361dmin", "/%2561dmin"],
    ["/%zz%2", "/%25zz%252"],
    ["/a%5Cb", "/a%5Cb", undefined, true],
  ]
  for (const row of rows) test(JSON.stringify(row[0]), () => check(row))

  for (const path of [
    "admin",
    "http://a.test/",
    "/a\\b",
    "/a#b",
    "/a\x7f",
    "/a\0",
    "/a%0d%0a",
    "/a%7f",
    "/a%1F",
    "/%u0061dmin",
    "/%U002e",
    "/\u{2025}",
  ])
    test(`${JSON.stringify(path)} is refused`, () => check([path, refused]))
  for (const path of ["/%c0%ae%c0%ae/admin", "/a%C0%AFb", "/%e0%80%ae", "/%F0%80%80%ae", "/\xc0\xae", "/%C1\x9c"])
    test(`${JSON.stringify(path)} has overlong UTF-8`, () => check([path, refused]))
})

test("nothing is left of one path when the next is looked at", () => {
  rulePath("/a/../%2f..")
  expect(rulePathResult.refused).toBe(true)
  expect(rulePath("/plain")).toBe("/plain")
  expect(rulePathResult).toEqual({ encodedSlash: false, dotSegments: false, forwardPath: "/plain", refused: false, reason: "" })
})

test("a path of the largest target costs about its length, whatever it is made of", () => {
  const paths = ["/..", "/%2e", "/a/..", "//", ";", "%61", "%", "%2F", "/a;", "%25"].map(unit => `/${unit.repeat(60_000 / unit.length)}`)
  const started = performance.now()
  for (const path of paths) {
    rulePath(path)
    forwardPath(path)
  }
  expect(performance.now() - started).toBeLessThan(500)
})

// Everything that parsers of paths disagree about, in pieces.
const pieces = [
  "/",
  "/",
  "/",
  ".",
  "..",
  "%2e",
  "%2E",
  "%2f",
  "%2F",
  "%5c",
  ";",
  "%3b",
  "%",
  "%25",
  "%61",
  "%zz",
  "%7e",
  "%e4%bd%a0",
  "\xe9",
  "a",
  "b",
  "admin",
  "pub",
  "x=1",
  "%u0061",
  "\\",
  "%00",
  "%0a",
  "#",
  "%20",
  "%c0%ae",
  "%40",
  "A",
  "%4",
]
const loose = fc.array(fc.constantFrom(...pieces), { maxLength: 9 }).map(parts => `/${parts.join("")}`)
const segments = fc
  .array(fc.constantFrom("", "a", "b", ".", "..", "..", "%2e%2E", "a;b", "%41", "%e4"), { maxLength: 12 })
  .map(parts => `/${parts.join("/")}`)
const anyPath = fc.oneof(loose, segments)
const runs = { seed: 20_261_125, numRuns: 4000 }

describe("properties", () => {
  test("agrees with the plain reading of the documentation", () => {
    fc.assert(
      fc.property(anyPath, path => {
        const seen = rulePath(path)
        const plain = plainly(path)
        expect({ path, refused: rulePathResult.refused }).toEqual({ path, refused: plain === null })
        if (plain === null) return
        expect({ path, seen, forward: rulePathResult.forwardPath }).toEqual({ path, seen: plain.rule, forward: plain.forward })
        expect(rulePathResult.encodedSlash).toBe(/%2f|%5c/i.test(path))
      }),
      runs,
    )
  })

  test("the rule form is its own rule form, and is returned as the same text", () => {
    fc.assert(
      fc.property(anyPath, path => {
        const seen = rulePath(path)
        if (rulePathResult.refused) return
        expect(rulePath(seen)).toBe(seen)
        expect([rulePathResult.refused, rulePathResult.dotSegments]).toEqual([false, false])
      }),
      runs,
    )
  })

  test("what is forwarded has the same rule form as what came, and is forwarded again unchanged", () => {
    fc.assert(
      fc.property(anyPath, path => {
        const seen = rulePath(path)
        if (rulePathResult.refused) return
        const forward = rulePathResult.forwardPath
        expect(forwardPath(path)).toBe(forward)
        expect(rulePath(forward)).toBe(seen)
        expect(rulePathResult.forwardPath).toBe(forward)
      }),
      runs,
    )
  })

  test("no server that decodes once reads /admin where the rules do not", () => {
    const adminSpelled = fc
      .tuple(...[..."admin"].map(letter => fc.constantFrom(letter, letter, `%${letter.charCodeAt(0).toString(16)}`)))
      .map(letters => letters.join(""))
    const gaps = fc.array(fc.constantFrom("/", "/", ".", "%2e", ";", "%3b", "x", "%", "%2F", "pub"), { maxLength: 5 }).map(parts => parts.join(""))
    let reached = 0
    fc.assert(
      fc.property(gaps, adminSpelled, gaps, (before, admin, after) => {
        const path = `/${before}/${admin}${after}`
        const seen = rulePath(path)
        if (rulePathResult.refused || rulePathResult.encodedSlash) return
        for (const server of servers) {
          if (!isAdmin(server(rulePathResult.forwardPath))) continue
          reached++
          expect({ path, seen, caught: isAdmin(seen) }).toEqual({ path, seen, caught: true })
        }
      }),
      { ...runs, numRuns: 6000 },
    )
    expect(reached).toBeGreaterThan(2000)
  })
})

function isAdmin(path: string): boolean {
  return path === "/admin" || path.startsWith("/admin/")
}

type Server = (path: string) => string
const decodeOnce: Server = path => path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
const cut: Server = path => path.replace(/;[^/]*/g, "")
const merge: Server = path => path.replace(/\/+/g, "/")
const windows: Server = path => path.replaceAll("\\", "/")
const chain =
  (...steps: Server[]): Server =>
  path =>
    steps.reduce((text, step) => step(text), path)
const servers: Server[] = [
  decodeOnce,
  chain(resolve, decodeOnce),
  chain(decodeOnce, resolve),
  chain(decodeOnce, windows, merge, resolve),
  chain(cut, decodeOnce, resolve, merge),
  chain(decodeOnce, cut, merge, resolve),
  chain(merge, resolve, cut, decodeOnce),
]

/** RFC 3986 section 5.2.4, written as the RFC writes it. */
function resolve(path: string): string {
  let input = path
  let output = ""
  while (input !== "") {
    if (input.startsWith("/./")) input = input.slice(2)
    else if (input === "/.") input = "/"
    else if (input.startsWith("/../") || input === "/..") {
      input = `/${input.slice(4)}`
      output = output.slice(0, Math.max(0, output.lastIndexOf("/")))
    } else {
      const next = input.indexOf("/", 1)
      const segment = next < 0 ? input : input.slice(0, next)
      output += segment
      input = input.slice(segment.length)
    }
  }
  return output
}

/** The documentation of rulePath in replacements over the whole text; null = refused. */
function plainly(path: string): { forward: string; rule: string } | null {
  if (/[\x00-\x1f\x7f\\#\u0100-\uffff]|%[01][0-9a-f]|%7f|%u[0-9a-f]{4}/i.test(path)) return null
  if (/(?:%c0|%c1|\xc0|\xc1)(?:%[89ab]|[\x80-\xbf])/i.test(path)) return null
  if (/(?:^|\/|%2f|%5c)(?:\.|%2e){1,2}(?:;|%3b|%2f|%5c)/i.test(path) || /(?:%2f|%5c)(?:\.|%2e){1,2}(?:\/|$)/i.test(path)) return null
  const dotted = path.split("/").map(segment => (/^(?:\.|%2e){1,2}$/i.test(segment) ? segment.replace(/%2e/gi, ".") : segment))
  const hasDots = dotted.some(segment => segment === "." || segment === "..")
  const forward = hasDots ? resolve(dotted.join("/")) : path
  const rule = forward
    .split("/")
    .map(segment => segment.replace(/(?:;|%3b).*$/i, "").replace(/%[0-9a-f]{2}|[^\x21-\x7e]|[%?]/gi, respell))
    .join("/")
    .replace(/\/+/g, "/")
  return { forward, rule }
}

function respell(token: string): string {
  const octet = token.length === 3 ? Number.parseInt(token.slice(1), 16) : token.charCodeAt(0)
  const character = String.fromCharCode(octet)
  return /[\x21-\x7e]/.test(character) && !"%/\\?#;".includes(character) ? character : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`
}
