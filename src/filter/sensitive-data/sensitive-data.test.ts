import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import { findAll, kinds, masked, patternFind } from "./find.ts"
import { SearchedBody } from "./searched-body.ts"
import sensitive from "./sensitive-data.ts"

const all = Object.entries(kinds)
const hidden = (text: string): string => masked(text, findAll(text, all))

describe("what is found", () => {
  test.each([
    ["card=4111111111111111&x=1", "card=****************&x=1"],
    ["4111 1111 1111 1111", "**** **** **** ****"],
    ["4111+1111+1111+1112 is none", "4111+1111+1111+1112 is none"],
    ['{"mail":"ann.smith@shop.example"}', '{"mail":"***.*****@****.*******"}'],
    ["mail=ann%40shop.example", "mail=***%******.*******"],
    ["no mail: ann@localhost, @home, a@b", "no mail: ann@localhost, @home, a@b"],
    ["t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_", "t=********************.***************.***-_"],
    ["AKIAIOSFODNN7EXAMPLE", "********************"],
    ["DE89 3704 0044 0532 0130 00 please", "**** **** **** **** **** ** please"],
    ["DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"],
    ["-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "-----***** ******* ***-----\n****\n-----*** ******* ***-----"],
    ["plain words, 12345 and a date 2026-11-26", "plain words, 12345 and a date 2026-11-26"],
  ])("%s", (text, expected) => {
    expect(hidden(text)).toBe(expected)
    expect(hidden(text).length).toBe(text.length)
  })

  test("a pattern of the operator's own", () => {
    expect(masked("staff 00123 and 456", findAll("staff 00123 and 456", [["staff", patternFind("\\b\\d{5}\\b")]]))).toBe("staff ***** and 456")
  })
})

describe("bodies", () => {
  const secrets = ["4111111111111111", "ann@shop.example", "AKIAIOSFODNN7EXAMPLE", "DE89370400440532013000"]

  test("wherever chunks cut it, what is masked is the same, and as long", () => {
    const piece = fc.oneof(fc.constantFrom(...secrets), fc.string({ unit: fc.constantFrom(..." abc,\n&=.-"), maxLength: 700 }))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 20 }), (pieces, cuts) => {
        const text = pieces.join(" ; ")
        const body = new SearchedBody({ finds: all, action: "mask", found: () => {} })
        let out = ""
        let at = 0
        for (let i = 0; at < text.length; i++) {
          const next = Math.min(text.length, at + cuts[i % cuts.length]!)
          out += Buffer.from(body.push(Buffer.from(text.slice(at, next)))!).toString()
          at = next
        }
        out += Buffer.from(body.end("")!).toString()
        expect(out.length).toBe(text.length)
        for (const secret of secrets) expect(out).not.toContain(secret)
      }),
      { seed: 7, numRuns: 150 },
    )
  })

  test("a token that is longer than what is kept back is masked to its end", () => {
    const token = `eyJ${"aB3_".repeat(1000)}`
    const body = new SearchedBody({ finds: all, action: "mask", found: () => {} })
    let out = ""
    for (const part of `x=${token}&y=plain`.match(/[\s\S]{1,300}/g)!) out += Buffer.from(body.push(Buffer.from(part))!).toString()
    out += Buffer.from(body.end("")!).toString()
    expect(out).toMatch(/^x=[*_]+&y=plain$/)
  })

  test("block gives nothing out; log tells each once and changes nothing", () => {
    const blocked = new SearchedBody({ finds: all, action: "block", found: () => {} })
    expect(blocked.push(Buffer.from(`${"x".repeat(100)} 4111111111111111 `))).not.toBeNull()
    expect(blocked.push(Buffer.from(" ".repeat(600)))).toBeNull()
    const told: string[] = []
    const logged = new SearchedBody({ finds: all, action: "log", found: ({ kind }) => void told.push(kind) })
    const text = `ann@shop.example ${" ".repeat(2000)} 4111111111111111`
    let out = ""
    for (const part of text.match(/[\s\S]{1,100}/g)!) out += Buffer.from(logged.push(Buffer.from(part))!).toString()
    out += Buffer.from(logged.end("")!).toString()
    expect([out === text, told]).toEqual([true, ["emails", "cards"]])
  })
})

function asked(of: Partial<Exchange>, pairs: [string, string][] = []): Exchange {
  return Object.assign(new Exchange(), { method: "GET", request: Fields.of([["Host", "a.test"], ...pairs]), ...of })
}

describe("the filter", () => {
  const build = (options: object) => sensitive.build(sensitive.options.parse({ find: ["cards", "emails", "tokens"], ...options }), new FakeDeps())

  test("query and fields are masked; credentials for the site stay", () => {
    const x = asked({ query: "?mail=ann@shop.example" }, [
      ["X-Card", "4111111111111111"],
      ["Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"],
    ])
    expect(build({}).request!(x)).toBe(NEXT)
    expect(x.query).toBe("?mail=***@****.*******")
    expect(x.request.render()).toContain("X-Card: ****************\r\n")
    expect(x.request.render()).toContain("Authorization: Bearer eyJ")
    expect([x.notes!.action, x.notes!.rule]).toEqual(["mask", "sensitive-data: cards"])
  })

  test("block refuses before anything leaves; elsewhere than told nothing is looked for", () => {
    const x = asked({ query: "?c=4111111111111111" })
    expect([build({ action: "block" }).request!(x), x.fault?.code]).toEqual([FAULT_VERDICT, "proxy.content-blocked"])
    expect(build({ action: "block", in: ["body"] }).request!(asked({ query: "?c=4111111111111111" }))).toBe(NEXT)
    expect(build({ action: "log" }).request!(asked({ query: "?c=4111111111111111" }))).toBe(NEXT)
  })

  test("options", () => {
    expect(sensitive.options.safeParse({ patterns: { a: "(" } }).success).toBe(false)
    expect(sensitive.options.safeParse({ find: ["card"] }).success).toBe(false)
  })
})
