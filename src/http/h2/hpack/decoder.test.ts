import { describe, expect, test } from "bun:test"
import { NAME } from "../../names.ts"
import { decodeEntries, decodeHex } from "./block.fixture.ts"
import { HpackDecoder } from "./decoder.ts"
import { HeaderEntry } from "./entry.ts"

const bytesOf = (decoder: HpackDecoder): number => decoder["table"].bytes

/** Blocks of one decoder in order: octets, fields, size of the table afterwards. */
function expectStory(blocks: readonly (readonly [string, readonly string[], number])[], tableBytes = 4096): void {
  const decoder = new HpackDecoder()
  decoder["table"].resize(tableBytes)
  for (const [hex, fields, bytes] of blocks) {
    expect(decodeHex(decoder, hex)).toEqual([...fields])
    expect(bytesOf(decoder)).toBe(bytes)
  }
}

const first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
const requests = [first, [...first, "cache-control: no-cache"]]
requests.push([":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"])
const [date21, date22] = ["date: Mon, 21 Oct 2013 20:13:21 GMT", "date: Mon, 21 Oct 2013 20:13:22 GMT"]
const place = "location: https://www.example.com"
const responses = [
  [":status: 302", "cache-control: private", date21, place],
  [":status: 307", "cache-control: private", date21, place],
  [
    ":status: 200",
    "cache-control: private",
    date22,
    place,
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
]

describe("examples of RFC 7541 appendix C", () => {
  test("C.2: the four representations", () => {
    expectStory([["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", ["custom-key: custom-header"], 55]])
    expectStory([["040c 2f73 616d 706c 652f 7061 7468", [":path: /sample/path"], 0]])
    expectStory([["1008 7061 7373 776f 7264 0673 6563 7265 74", ["password: secret"], 0]])
    expectStory([["82", [":method: GET"], 0]])
  })
  test("C.3: requests without Huffman coding", () => {
    expectStory([
      ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", requests[0]!, 57],
      ["8286 84be 5808 6e6f 2d63 6163 6865", requests[1]!, 110],
      ["8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", requests[2]!, 164],
    ])
  })
  test("C.4: requests with Huffman coding", () => {
    expectStory([
      ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", requests[0]!, 57],
      ["8286 84be 5886 a8eb 1064 9cbf", requests[1]!, 110],
      ["8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", requests[2]!, 164],
    ])
  })
  test("C.5: responses without Huffman coding, a table of 256 octets", () => {
    const one = `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
      546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`
    const three = `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
      6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`
    const blocks = [[one, responses[0]!, 222] as const, ["4803 3330 37c1 c0bf", responses[1]!, 222] as const, [three, responses[2]!, 215] as const]
    expectStory(blocks, 256)
  })
  test("C.6: responses with Huffman coding, a table of 256 octets", () => {
    const one = `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
      8f0b 97c8 e9ae 82ae 43d3`
    const three = `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
      dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`
    expectStory([[one, responses[0]!, 222] as const, ["4883 640e ffc1 c0bf", responses[1]!, 222] as const, [three, responses[2]!, 215] as const], 256)
  })
})

describe("what must not be decoded", () => {
  const broken: Record<string, string> = {
    "index 0": "80",
    "index behind the static table with nothing there": "be",
    "a name of an index that is not there": "7e 01 61",
    "an index whose integer is too large": "ffff ffff ff7f",
    "an index that is cut off": "ff",
    "a name that is cut off": "40 05 6162",
    "a literal that ends before its name": "40",
    "a literal that ends before its value": "44",
    "a value that is cut off": "44 03 2f61",
    "a length that is cut off": "44 7f",
    "a length far beyond the block": "44 7f ff ff ff 7f 61",
    "a length whose integer is too large": "44 7f ff ff ff ff 7f 61",
    "Huffman code that is padded with zeros": "44 81 18",
    "Huffman code with eight bits of padding": "44 82 1fff",
    "Huffman code with EOS": "44 84 ffff ffff",
    "a size beyond our setting": "3fe2 1f",
    "a size that is cut off": "3f",
    "a size behind a field": "82 20",
    "a size behind a literal": "04 01 61 20",
    "a name's index whose integer is too large": `04 01 61 0f ff ff ff ff ff 01 ${"00".repeat(31)}`,
    "three sizes": "20 20 3fe1 1f 82",
  }
  for (const [what, hex] of Object.entries(broken)) test(what, () => expect(decodeHex(new HpackDecoder(), hex)).toBe(false))

  test("the octets behind the end are not looked at", () => {
    const octets = Buffer.from("44022f61", "hex")
    const none = { onField: () => {} }
    for (let end = 1; end < 4; end++) expect(new HpackDecoder().decode(octets, 0, end, none)).toBe(false)
    expect(new HpackDecoder().decode(octets, 0, 4, none)).toBe(true)
    // Those that follow would be an empty name and an empty value.
    const empty = Buffer.from("40000000", "hex")
    expect([1, 2, 3].map(end => new HpackDecoder().decode(empty, 0, end, none))).toEqual([false, false, true])
  })
})

describe("the dynamic table", () => {
  const insert = (name: string, value: string): string =>
    `40${Buffer.from([name.length]).toString("hex")}${Buffer.from(name).toString("hex")}${Buffer.from([value.length]).toString("hex")}${Buffer.from(value).toString("hex")}`

  test("nothing is there until a field enters", () => {
    const decoder = new HpackDecoder()
    expect(decodeHex(decoder, "8286 84 0401 61")).toEqual([":method: GET", ":scheme: http", ":path: /", ":path: a"])
    expect(decoder["table"]["ring"].length).toBe(0)
  })
  test("two sizes at the beginning: the lower one evicts", () => {
    const decoder = new HpackDecoder()
    decodeHex(decoder, insert("a", "1"))
    expect(decodeHex(decoder, "be")).toEqual(["a: 1"])
    expect(decodeHex(decoder, "20 3fe1 1f 82")).toEqual([":method: GET"])
    expect(decodeHex(decoder, "be")).toBe(false)
  })
  test("a field that is larger than the table empties it and is heard", () => {
    const decoder = new HpackDecoder()
    expect(decodeHex(decoder, `3f09 ${insert("a", "1")}`)).toEqual(["a: 1"])
    expect(decodeHex(decoder, insert("a", "1234567890"))).toEqual(["a: 1234567890"])
    expect(bytesOf(decoder)).toBe(0)
    expect(decodeHex(decoder, "be")).toBe(false)
  })
  test("a name may be of the entry that makes room for it", () => {
    const decoder = new HpackDecoder()
    expect(decodeHex(decoder, `3f03 ${insert("a", "1")}`)).toEqual(["a: 1"])
    expect(decodeHex(decoder, "7e 01 32")).toEqual(["a: 2"])
    expect(decodeHex(decoder, "be")).toEqual(["a: 2"])
  })
  test("a setting above 4096 counts when the peer makes use of it", () => {
    const decoder = new HpackDecoder(16384)
    const many = Array.from({ length: 200 }, (_, i) => insert("a", `${i}`.padStart(3, "0"))).join("")
    expect(decodeHex(decoder, many)).toHaveLength(200)
    expect(decoder["table"].count).toBe(Math.floor(4096 / 36))
    expect(decodeHex(decoder, `3fe1 7f ${many}`)).toHaveLength(200)
    expect(decoder["table"].count).toBe(200 + Math.floor(4096 / 36))
    expect(decodeHex(decoder, "ff49")).toEqual(["a: 061"])
  })
  test("a setting of 0: until the peer has heard it, its table is the default one", () => {
    const decoder = new HpackDecoder(0)
    expect(decodeHex(decoder, insert("a", "1"))).toEqual(["a: 1"])
    expect(decodeHex(decoder, "be")).toEqual(["a: 1"])
    expect(decodeHex(decoder, `20 ${insert("a", "1")}`)).toEqual(["a: 1"])
    expect(decodeHex(decoder, "be")).toBe(false)
    expect(decodeHex(new HpackDecoder(0), "21")).toBe(false)
  })
})

describe("entries", () => {
  const one = (hex: string): HeaderEntry => (decodeEntries(new HpackDecoder(), Buffer.from(hex.replaceAll(" ", ""), "hex")) as HeaderEntry[])[0]!

  test("the same object whenever it is named", () => {
    const decoder = new HpackDecoder()
    const block = (hex: string): HeaderEntry => (decodeEntries(decoder, Buffer.from(hex, "hex")) as HeaderEntry[])[0]!
    expect(block("4001610131")).toBe(block("be"))
    expect(block("82")).toBe(block("82"))
  })
  test("line, id, size and kind", () => {
    expect(one("5f02 6162")).toEqual(HeaderEntry.of("content-type", "ab"))
    const { name, value, line, id, size, pseudo, sound } = one("0f10 02 6162")
    expect({ name, value, line, id, size, pseudo, sound }).toEqual({
      name: "content-type",
      value: "ab",
      line: "content-type: ab\r\n",
      id: NAME.contentType,
      size: 46,
      pseudo: false,
      sound: true,
    })
    expect(one("82")).toMatchObject({ name: ":method", pseudo: true, sound: true, id: 0 })
    expect(one("00 04 686f7374 01 61")).toMatchObject({ name: "host", id: NAME.host })
  })
  test("sound by RFC 9113 section 8.2.1", () => {
    const sound = (name: string, value: string): boolean => HeaderEntry.of(name, value).sound
    for (const name of ["a", "x-y_z.1", "!#$%&'*+-.^_`|~09az", ":path"]) expect(sound(name, "v")).toBe(true)
    for (const name of ["", ":", "A", "aB", "a b", "a:b", "::a", "a\x7f", "a\xe4", "a\0", ":Path", " a"]) expect(sound(name, "v")).toBe(false)
    for (const value of ["", "v", "a b", "a\tb", "\xe4", '"'] as const) expect(sound("a", value)).toBe(true)
    for (const value of [" ", "\t", " v", "v ", "\tv", "v\t", "a\0b", "a\rb", "a\nb", "\x01", "\x7f"]) expect(sound("a", value)).toBe(false)
  })
  test("a decoded field says the same of itself, the name from a table or not", () => {
    expect(one("44 02 2061").sound).toBe(false)
    expect(one("40 02 4161 01 61").sound).toBe(false)
    const decoder = new HpackDecoder()
    const block = (hex: string): HeaderEntry => (decodeEntries(decoder, Buffer.from(hex, "hex")) as HeaderEntry[])[0]!
    expect(block("4001410131").sound).toBe(false)
    expect(block("7e0132").sound).toBe(false)
    expect(block("4001610120").sound).toBe(false)
    expect(block("7e0132")).toMatchObject({ name: "a", value: "2", sound: true })
  })
})
