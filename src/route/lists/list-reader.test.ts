import { describe, expect, test } from "bun:test"
import { NameSet, NameSetBuilder } from "../../base/index.ts"
import { listEntryTrouble, ListReader, type ListRules } from "./list-reader.ts"

function read(text: string, rules: Partial<ListRules> = {}, pieceLength = Infinity) {
  const builder = new NameSetBuilder()
  const reader = new ListReader(builder, { format: "auto", thirdParty: false, ...rules })
  for (let i = 0; i < text.length; i += pieceLength) reader.feed(text.slice(i, i + pieceLength))
  reader.end()
  return { counts: reader.counts, set: new NameSet(builder.build()) }
}

/** What a list of this one line does: which of name, below, neither is held; or why it is left out. */
function meaning(line: string, rules: Partial<ListRules> = {}, name = "shop.example"): string {
  const { counts, set } = read(line, rules)
  if (counts.rules === 0) return "comment"
  if (counts.malformed > 0) return "malformed"
  if (counts.taken === 0) return Object.keys(counts.skipped)[0]!
  const held = [set.has(name) ? "name" : "", set.has(`a.b.${name}`) ? "below" : ""].filter(word => word !== "")
  return held.join(" and ") || "neither"
}

describe("a line on its own", () => {
  const lines: [string, string][] = [
    ["shop.example", "name and below"],
    ["  SHOP.Example.  ", "name and below"],
    ["shop.example # why", "name and below"],
    ["shop.example\r", "name and below"],
    [".shop.example", "name and below"],
    ["*.shop.example", "below"],
    ["0.0.0.0 shop.example", "name"],
    ["127.0.0.1\tother.example shop.example # both", "name"],
    [":: shop.example", "name"],
    ["::1 localhost", "local"],
    ["127.0.0.1 localhost.localdomain", "local"],
    ["192.0.2.7 shop.example", "answer"],
    ["||shop.example^", "name and below"],
    ["||SHOP.example^|", "name and below"],
    ["||*.shop.example^", "below"],
    ["||shop.example^$important", "name and below"],
    ["||shop.example^$all", "name and below"],
    ["||shop.example^$third-party", "third-party"],
    ["||shop.example^$3p,important", "third-party"],
    ["||shop.example^$third-party,script", "options"],
    ["||shop.example^$domain=a.test|b.test", "options"],
    ["||shop.example^$dnsrewrite=192.0.2.1", "options"],
    ["||shop.example^$badfilter", "options"],
    ["||shop.example", "pattern"],
    ["||shop.*^", "pattern"],
    ["|https://shop.example^", "url"],
    ["||shop.example/ads/", "url"],
    ["||shop.example^ads", "pattern"],
    ["/banner\\d+/", "pattern"],
    ["@@||shop.example^", "neither"],
    ["shop.example##.advert", "page"],
    ["shop.example#@#.advert", "page"],
    ["shop.example#?#div:has(a)", "page"],
    ["##.advert", "comment"],
    ["! title", "comment"],
    ["[Adblock Plus 2.0]", "comment"],
    ["# comment", "comment"],
    ["; comment", "comment"],
    ["", "comment"],
    ["address=/shop.example/0.0.0.0", "name and below"],
    ["address=/other.example/shop.example/#", "name and below"],
    ["local=/shop.example/", "name and below"],
    ["server=/shop.example/10.0.0.1", "answer"],
    ["com", "top-level"],
    ["||shop^", "neither"],
    ["https://shop.example/", "url"],
    ["just some words", "malformed"],
    ["shop..example", "malformed"],
    ["-", "top-level"],
    ["shop.example:443", "malformed"],
    [`${"a".repeat(64)}.example`, "malformed"],
    [`${"a.".repeat(130)}example`, "malformed"],
    ["a".repeat(5000), "malformed"],
    ["127.1", "malformed"],
    ["1.2.3.999", "malformed"],
    ["\u0000\u0001", "malformed"],
  ]
  for (const [line, wanted] of lines) test(JSON.stringify(line).slice(0, 60), () => expect(meaning(line)).toBe(wanted))
})

test("a format of its own reads nothing else", () => {
  expect(meaning("shop.example", { format: "hosts" })).toBe("malformed")
  expect(meaning("0.0.0.0 shop.example", { format: "hosts" })).toBe("name")
  expect(meaning("0.0.0.0 shop.example", { format: "plain" })).toBe("malformed")
  expect(meaning("||shop.example^", { format: "plain" })).toBe("malformed")
  // In this syntax a bare word is a part of a URL.
  expect(meaning("shop.example", { format: "adblock" })).toBe("pattern")
  expect(meaning("address=/shop.example/", { format: "dnsmasq" })).toBe("name and below")
  expect(meaning("domain-needed", { format: "dnsmasq" })).toBe("options")
  expect(meaning("shop.example", { format: "dnsmasq" })).toBe("malformed")
})

test("third-party rules are taken where that is wanted", () => {
  expect(meaning("||shop.example^$third-party", { thirdParty: true })).toBe("name and below")
  expect(meaning("||shop.example^$third-party,image", { thirdParty: true })).toBe("options")
})

test("international names become A-labels, addresses their one spelling", () => {
  expect(meaning("bücher.example", {}, "xn--bcher-kva.example")).toBe("name and below")
  expect(meaning("||BÜCHER.example^", {}, "xn--bcher-kva.example")).toBe("name and below")
  expect(meaning("192.0.2.7", {}, "192.0.2.7")).toBe("name")
  expect(meaning("2001:DB8:0::1", {}, "2001:db8::1")).toBe("name")
})

test("an exception holds wherever it stands, important ones hold against it", () => {
  const { set } = read("@@||ok.shop.example^\n||shop.example^\n||bad.ok.shop.example^$important\n")
  expect(["shop.example", "ok.shop.example", "a.ok.shop.example", "bad.ok.shop.example"].map(host => set.has(host))).toEqual([
    true,
    false,
    false,
    true,
  ])
})

test("pieces of any length read the same, and the last line needs no end", () => {
  const text = "\ufeff# list\r\na.example\r\n||b.example^\n0.0.0.0 c.example\nnot a line\n*.d.example\nend.example"
  const whole = read(text.slice(1))
  for (const length of [1, 2, 7, 13]) {
    const { counts, set } = read(text.slice(1), {}, length)
    expect(counts).toEqual(whole.counts)
    expect(["x.a.example", "b.example", "c.example", "x.d.example", "end.example"].every(host => set.has(host))).toBe(true)
  }
  expect(whole.counts).toEqual({ rules: 6, taken: 5, skipped: {}, malformed: 1, firstMalformed: "not a line", firstMalformedLine: 5 })
})

test("a line without end takes no memory, and the next one is read", () => {
  const { counts, set } = read(`a.example\n${"x".repeat(20_000)}\nb.example\n`, {}, 1000)
  expect([counts.taken, counts.malformed, set.has("b.example")]).toEqual([2, 1, true])
})

test("entries of a config are names, or told in words", () => {
  for (const entry of ["shop.example", "*.shop.example", ".zip", "bücher.example", "192.0.2.1", "::1"]) expect(listEntryTrouble(entry)).toBe("")
  expect(listEntryTrouble("com")).toMatch(/one label; for a whole top level domain write ".com"/)
  for (const entry of ["", "# x", "a b", "http://a.example", "a.example:80", "||a.example^", "a.example\nb.example"])
    expect(listEntryTrouble(entry)).toMatch(/is no name; expected "shop.example"/)
})
