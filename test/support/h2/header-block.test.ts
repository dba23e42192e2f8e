import { describe, expect, test } from "bun:test"
import { HeaderDecoder, headerBlock, huffmanOctets, indexedField, integer, literalField, stringLiteral, tableSizeUpdate } from "./header-block.ts"
import { endOfString, huffmanCodes, staticTable } from "./hpack-tables.ts"

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")
const pairs = (decoder: HeaderDecoder, block: Buffer): string[] => decoder.decode(block).map(({ name, value }) => `${name}: ${value}`)

describe("tables", () => {
  test("the static one has 61 entries, in the places that everyone knows", () => {
    expect(staticTable.length).toBe(61)
    expect([staticTable[1], staticTable[27], staticTable[57], staticTable[60]]).toEqual([
      [":method", "GET"],
      ["content-length", ""],
      ["user-agent", ""],
      ["www-authenticate", ""],
    ])
  })

  test("Huffman codes are a whole tree: no code begins another, none is missing", () => {
    expect(huffmanCodes.reduce((sum, code) => sum + 2 ** -code.length, 0)).toBe(1)
    expect(huffmanCodes["a".charCodeAt(0)]).toBe("00011")
    expect(huffmanCodes[endOfString]).toBe("1".repeat(30))
  })
})

describe("the examples of RFC 7541 appendix C", () => {
  test("C.1: integers", () => {
    expect([integer(10, 5), integer(1337, 5), integer(42, 8)]).toEqual([hex("0a"), hex("1f9a0a"), hex("2a")])
  })

  test("C.4: requests with Huffman code, one after the other", () => {
    const decoder = new HeaderDecoder()
    const common = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
    expect(pairs(decoder, hex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))).toEqual(common)
    expect(pairs(decoder, hex("828684be5886a8eb10649cbf"))).toEqual([...common, "cache-control: no-cache"])
    expect(pairs(decoder, hex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"))).toEqual([
      ":method: GET",
      ":scheme: https",
      ":path: /index.html",
      ":authority: www.example.com",
      "custom-key: custom-value",
    ])
    expect(decoder.table.length).toBe(3)
  })

  test("C.6: responses that push each other out of a table of 256 octets", () => {
    const decoder = new HeaderDecoder(256)
    const first = "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    expect(pairs(decoder, hex(first))).toContain("location: https://www.example.com")
    expect(pairs(decoder, hex("4883640effc1c0bf"))).toEqual([
      ":status: 307",
      "cache-control: private",
      "date: Mon, 21 Oct 2013 20:13:21 GMT",
      "location: https://www.example.com",
    ])
    expect(decoder.table.length).toBe(4)
  })
})

describe("there and back", () => {
  const fields = [
    [":status", "200"],
    ["x-a", "\x00\xff all octets: " + String.fromCharCode(...Array(256).keys())],
    ["x-a", "again"],
  ] as const

  for (const as of ["plain", "added", "never"] as const)
    for (const huffman of [false, true])
      test(`${as}, ${huffman ? "with" : "without"} Huffman`, () => {
        const decoder = new HeaderDecoder()
        const decoded = decoder.decode(headerBlock(fields, { as, huffman }))
        expect(decoded.map(({ name, value }) => [name, value] as const)).toEqual([...fields])
        expect(decoded.every(field => field.as === as)).toBe(true)
        expect(decoder.table.length).toBe(as === "added" ? 3 : 0)
      })

  test("indexed names and fields", () => {
    const decoder = new HeaderDecoder()
    const block = Buffer.concat([tableSizeUpdate(100), literalField(58, "me", { as: "added" }), indexedField(62), indexedField(2)])
    expect(pairs(decoder, block)).toEqual(["user-agent: me", "user-agent: me", ":method: GET"])
    expect(decoder.size).toBe(100)
  })
})

describe("a decoding error is one", () => {
  const broken: readonly [what: string, block: Buffer][] = [
    ["index 0", indexedField(0)],
    ["an index beyond the tables", indexedField(62)],
    ["a size update that is too large", tableSizeUpdate(4097)],
    ["a size update after a field", Buffer.concat([indexedField(2), tableSizeUpdate(0)])],
    ["a string that ends early", hex("00 05 61")],
    ["EOS", Buffer.concat([hex("00 01 61 84"), huffmanOctets([endOfString])])],
    ["padding of eight bits", hex("00 01 61 82 1f ff")],
    ["padding of zeros", hex("00 01 61 81 18")],
    ["a literal without a value", Buffer.concat([hex("00"), stringLiteral("a")])],
    ["an integer without an end", hex("ff ff ff ff ff ff ff ff")],
  ]
  for (const [what, block] of broken) test(what, () => expect(() => new HeaderDecoder().decode(block)).toThrow())
})
