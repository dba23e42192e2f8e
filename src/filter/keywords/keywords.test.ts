import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import keywords from "./keywords.ts"
import { PhraseCount, PhraseTable, readPhrase, readPhrases, wordsOf } from "./phrases.ts"
import { ReadBody } from "./read-body.ts"

const table = new PhraseTable(readPhrases("casino\nfree spins = 60 # often\n\naddiction help = -100\nGlücksspiel\nистория = 5\n", 100))

function score(text: string): number {
  const found = new PhraseCount(table)
  found.take(wordsOf(text))
  return found.score
}

describe("phrases", () => {
  test.each([
    ["the CASINO is open, the casino", 100],
    ["casinos and occasinos", 0],
    ["Free  Spins!", 60],
    ["free for all spins", 0],
    ["casino: get addiction help", 0],
    ["GLÜCKSSPIEL", 100],
    ["glu\u0308cksspiel", 100],
    ["История", 5],
    ["casino free spins", 160],
  ])("%s counts %d", (text, expected) => expect(score(text)).toBe(expected))

  test("lines that make no sense", () => {
    expect(() => readPhrases("ok\n---\n", 1)).toThrow('line 2: "---" has no word in it')
    expect(() => readPhrase("a b c d e f g h i", 1, "phrase")).toThrow("at most 8 words")
  })
})

function read(parts: readonly (string | Uint8Array)[], more: object = {}) {
  const told: string[] = []
  const body = new ReadBody({
    table,
    limit: 100,
    bytesMax: 1000,
    holds: true,
    html: true,
    charset: "utf-8",
    reached: phrase => told.push(phrase),
    ...more,
  })
  let out = Buffer.alloc(0)
  for (const part of parts) {
    const given = body.push(typeof part === "string" ? Buffer.from(part) : part)
    if (given === null) return { out: null, told }
    out = Buffer.concat([out, given])
  }
  const last = body.end("")
  return { out: last === null ? null : Buffer.concat([out, last]).toString(), told }
}

describe("bodies", () => {
  test("a page is held until it is read, and blocked or let go whole", () => {
    expect(read(["<p>hello</p>"])).toEqual({ out: "<p>hello</p>", told: [] })
    expect(read(["<p>the ca", "si", "no</p>"])).toEqual({ out: null, told: ["casino"] })
    expect(read(['<a href="casino.html">fine</a>'])).toEqual({ out: '<a href="casino.html">fine</a>', told: [] })
    expect(read(["<b>ca</b>sino!"])).toEqual({ out: null, told: ["casino"] })
    expect(read(["casino", "x".repeat(2000), " addiction help"]).out).not.toBeNull()
    expect(read(["casino ", "x ".repeat(600), " addiction help"])).toEqual({ out: null, told: ["casino"] })
    expect(read(["x ".repeat(600), "casino"])).toEqual({ out: `${"x ".repeat(600)}casino`, told: [] })
  })

  test("only told: nothing waits, and it is told once", () => {
    expect(read(["casino ", "casino ", "more"], { holds: false })).toEqual({ out: "casino casino more", told: ["casino"] })
  })

  test("wherever chunks cut it", () => {
    const octets = Buffer.from("<p>Das große <i>Glücksspiel</i>: история</p>")
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), cuts => {
        const parts: Uint8Array[] = []
        for (let at = 0, i = 0; at < octets.length; i++) {
          const next = at + cuts[i % cuts.length]!
          parts.push(octets.subarray(at, next))
          at = next
        }
        expect(read(parts)).toEqual({ out: null, told: ["glücksspiel"] })
        expect(read(parts, { limit: 1000 }).out).toBe(octets.toString())
      }),
      { seed: 5, numRuns: 100 },
    )
  })

  test("another charset", () => {
    expect(read([Buffer.from("Gl\xfccksspiel", "latin1")], { charset: "iso-8859-1" }).told).toEqual(["glücksspiel"])
    expect(read(["casino"], { charset: "no-such" }).told).toEqual(["casino"])
  })
})

describe("the filter", () => {
  test("URLs; a file that changes", () => {
    const deps = new FakeDeps({ "/etc/words": "casino\n" })
    const filter = keywords.build(keywords.options.parse({ files: ["words"] }), deps)
    const ask = (of: Partial<Exchange>) => {
      const x = Object.assign(new Exchange(), { host: "a.test", ...of })
      return [filter.access!(x), x.fault?.code, x.notes?.rule]
    }
    expect(ask({ path: "/online%20casino/" })).toEqual([FAULT_VERDICT, "proxy.content-blocked", "keywords: casino"])
    expect(ask({ host: "casino.test", path: "/" })).toEqual([FAULT_VERDICT, "proxy.content-blocked", "keywords: casino"])
    expect(ask({ path: "/%ff?q=a+b" })).toEqual([NEXT, undefined, undefined])
    deps.change("/etc/words", "bingo")
    expect(ask({ path: "/casino" })[0]).toBe(NEXT)
    expect(filter.describe!()).toBe("1 phrases, block from 100 on")
    expect(keywords.options.safeParse({}).success).toBe(false)
  })
})
