import { expect, test } from "bun:test"
import fc from "fast-check"
import { RE2JS } from "re2js"
import { requiredLiteral } from "./required-literal.ts"
import { patternTrouble, TextPattern } from "./text-pattern.ts"

test("finds the longest run that every match must hold", () => {
  const cases: [string, string, boolean?][] = [
    ["^/api/v[0-9]+/users/", "/users/"],
    ["^{2}a", ""],
    ["^/admin", "/admin", true],
    ["^/ab?c", "/a", true],
    ["^ab+cd", "ab", true],
    ["\\.php$", ".php"],
    ["a{2}bcd", "bcd"],
    ["x(?:a|b)yz", "yz"],
    ["(?P<id>a)bc", "bc"],
    ["[]a]bc", "bc"],
    ["[[:alpha:]]bc", "bc"],
    ["[^/]+\\.git\\/x", ".git/x"],
    ["ab|cd", ""],
    ["(?i)admin", ""],
    ["a*", ""],
    ["\\Qa.b\\E", ""],
    ["\\x41bc", ""],
    ["é", ""],
    ["", ""],
    ["abc+?de", "abc"],
    ["ab{x", "ab{x"],
  ]
  for (const [pattern, text, atStart = false] of cases) expect({ pattern, ...requiredLiteral(pattern) }).toEqual({ pattern, text, atStart })
})

test("never rules out a text that the pattern matches", () => {
  const atom = fc.constantFrom(
    "a",
    "b",
    "/",
    ".",
    "\\.",
    "[ab]",
    "[^a]",
    "[]b]",
    "(?:ab|b)",
    "(a)",
    "(b|)",
    "\\d",
    "\\/",
    "^",
    "$",
    "\\b",
    "(?:a[)]b)",
    "(?i:a)",
    "{",
    "|",
  )
  const quantifier = fc.constantFrom("", "", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "+?", "*?", "{0}")
  const pattern = fc.array(fc.tuple(atom, quantifier), { maxLength: 7 }).map(parts => parts.map(part => part.join("")).join(""))
  const text = fc.array(fc.constantFrom("a", "b", "ab", "/", ".", ")", "1", "{"), { maxLength: 9 }).map(parts => parts.join(""))
  let matched = 0
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 4, maxLength: 4 }), (source, texts) => {
      if (patternTrouble(source) !== "") return
      const plain = RE2JS.compile(source)
      const filtered = new TextPattern(source)
      for (const input of texts) {
        const wanted = plain.matcher(input).find()
        if (wanted && requiredLiteral(source).text !== "") matched++
        expect({ source, input, found: filtered.test(input) }).toEqual({ source, input, found: wanted })
      }
    }),
    { seed: 20_261_125, numRuns: 3000 },
  )
  expect(matched).toBeGreaterThan(300)
})
