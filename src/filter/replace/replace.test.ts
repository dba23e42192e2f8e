import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import { LiteralStage } from "./literal-stage.ts"
import { PatternStage } from "./pattern-stage.ts"
import { ReplacedBody, type Stage } from "./replaced-body.ts"
import { parseReplacement } from "./replacement.ts"
import replace from "./replace.ts"
import { RE2JS } from "re2js"
import { requiredLiteral } from "../../base/index.ts"

function pattern(source: string, by: string, matchBytesMax = 8, times = Number.POSITIVE_INFINITY): Stage {
  const regex = RE2JS.compile(source)
  const parts = parseReplacement(by, regex.groupCount(), regex.namedGroups())
  return new PatternStage({ regex, literal: requiredLiteral(source), by: parts, times, matchBytesMax })
}

/** What a stage makes of a text in pieces of these sizes; no sizes = in one. */
function through(stage: Stage, text: string, sizes: readonly number[] = []): string {
  const body = new ReplacedBody([stage])
  const octets = Buffer.from(text, "latin1")
  const out: Buffer[] = []
  for (let at = 0, i = 0; at < octets.length; i++) {
    const lent = Buffer.from(octets.subarray(at, (at += sizes.length === 0 ? octets.length : sizes[i % sizes.length]!)))
    out.push(Buffer.from(body.push(lent)))
    lent.fill(0xee)
  }
  return Buffer.concat([...out, body.end("")]).toString("latin1")
}

const texts = fc.array(fc.constantFrom("a", "b", "ab", "aab", "\n", "c", "aaaaaaaa", " "), { maxLength: 60 }).map(parts => parts.join(""))
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })
const every = Number.POSITIVE_INFINITY

describe("texts", () => {
  test.each(["ab", "aab", "a", "abab", "aaa"])("%s: as over the whole, whatever the chunks", find => {
    fc.assert(
      fc.property(texts, sizes, (text, lengths) => {
        expect(through(new LiteralStage(find, "<>", every), text, lengths)).toBe(text.replaceAll(find, "<>"))
        expect(through(new LiteralStage(find, "<>", 1), text, lengths)).toBe(text.replace(find, "<>"))
      }),
    )
  })
  test("nothing more is held back than what may go on", () => {
    const stage = new LiteralStage("needle", "x", every)
    expect([stage.push("hay nee"), stage.push("hay need"), stage.push("le"), stage.end("n")]).toEqual(["hay ", "neehay ", "x", "n"])
  })
})

describe("patterns", () => {
  test.each(["a+b", "(?:ab)+c?", "^a", "b$", "\\bc", "a.*b"])("%s: as over the whole, whatever the chunks", source => {
    fc.assert(
      fc.property(texts, sizes, (text, lengths) => {
        const whole = through(pattern(source, "<$0>"), text)
        expect(through(pattern(source, "<$0>"), text, lengths)).toBe(whole)
        expect(through(pattern(source, "<$0>"), text, [1])).toBe(whole)
        // Nothing is lost or made up.
        expect(whole.replaceAll(/[<>]/g, "")).toBe(text)
        expect(through(pattern(source, "!", 8, 1), text, lengths)).toBe(through(pattern(source, "!", 8, 1), text))
      }),
    )
  })
  test.each([
    ["^a", /^a/gm],
    ["b$", /b$/gm],
    ["\\bc", /\bc/g],
    ["a{1,3}b", /a{1,3}b/g],
  ] as const)("%s with room for every match: what a program with all of the text makes of it", (source, plain) => {
    fc.assert(
      fc.property(texts, sizes, (text, lengths) => {
        expect(through(pattern(source, "<$0>", 32), text, lengths)).toBe(text.replaceAll(plain, "<$&>"))
      }),
    )
  })
  test("a match may be as long as the limit, and no longer", () => {
    expect(through(pattern("x[a-z]+y", "!", 8), "xabcdefy xabcdefgy xy xay")).toBe("! xabcdefgy xy !")
    expect(through(pattern("a+", "!", 8), "a".repeat(8))).toBe("!")
    expect(through(pattern("a+", "!", 8), "a".repeat(9))).toBe("a".repeat(9))
  })
  test("a line whose end has come goes on at once, a long one but for its end", () => {
    const stage = pattern("a+b", "!")
    expect(stage.push("data: aab\n\n")).toBe("data: !\n\n")
    expect(stage.push("x".repeat(100)).length).toBeGreaterThan(60)
  })
  test("groups", () => {
    expect(through(pattern("v(?P<major>[0-9]+)\\.([0-9]+)", "${major}-$2$$", 32), "v12.7")).toBe("12-7$")
    expect(through(pattern("\\xc3\\xa9", "e"), Buffer.from("né").toString("latin1"))).toBe("ne")
  })
})

describe("which answers", () => {
  const answered = (answer: string, options: object = { body: [{ find: "reached", with: "é" }] }, method = "GET") =>
    new FilterRun(replace.build(replace.options.parse(options), new FakeDeps()), answer).send(
      `${method} / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n`,
    )
  test("text, with fields that are true of it", () => {
    const reply = answered('Content-Type: text/plain\r\nETag: "v"\r\nContent-MD5: x\r\nAccept-Ranges: bytes\r\n')
    expect(Buffer.from(reply, "latin1").toString()).toContain("\r\n\r\n3\r\né\n\r\n0\r\n\r\n")
    expect(reply).toContain('ETag: W/"v"\r\n')
    expect(reply).not.toMatch(/content-md5|content-length|accept-ranges/i)
  })
  test.each([
    "Content-Type: image/png\r\n",
    "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n",
    "Content-Type: text/plain\r\nCache-Control: no-transform\r\n",
    "",
  ])("not %j", fields => expect(answered(fields)).toEndWith("\r\n\r\nreached\n"))
  test("the peer is asked for plain octets, unless told otherwise", () => {
    const run = (more: object) => new FilterRun(replace.build(replace.options.parse({ body: [{ find: "a", with: "b" }], ...more }), new FakeDeps()))
    for (const [more, said] of [
      [{}, "identity"],
      [{ askPlain: false }, "br"],
    ] as const) {
      const filter = run(more)
      filter.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n")
      expect(filter.seen.sent[0]).toContain(`Accept-Encoding: ${said}\r\n`)
    }
  })
  test("a rule has its own types", () => {
    const options = { body: [{ find: "reached", with: "x", types: ["text/html"] }] }
    expect(answered("Content-Type: text/plain\r\n", options)).toContain("reached")
    expect(answered("Content-Type: text/html\r\n", options)).not.toContain("reached")
  })
})

test.each([
  [{ find: "", with: "x" }, "1 to 4096 octets"],
  [{ find: { pattern: "(?=a)" }, with: "x" }, "look-around"],
  [{ find: { pattern: "a*" }, with: "x" }, "matches nothing at all"],
  [{ find: { pattern: "é" }, with: "x" }, "ASCII only"],
  [{ find: { pattern: "a(b)" }, with: "$2" }, "no group 2; it has 1 to 1"],
  [{ find: { pattern: "a(?P<n>b)" }, with: "${m}" }, "and n"],
  [{ find: { pattern: "ab" }, with: "$ 5" }, "is a dollar sign"],
  [{ find: { pattern: "ab", matchBytesMax: "1MB" }, with: "" }, "at most 64KB"],
])("refuses %j", (rule, said) => {
  const result = replace.options.safeParse({ body: [rule] })
  expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(said)
})
