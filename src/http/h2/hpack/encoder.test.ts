import { describe, expect, test } from "bun:test"
import { decodeOctets, encodeLines } from "./block.fixture.ts"
import { HpackDecoder } from "./decoder.ts"
import { HpackEncoder, hpackBytesMax } from "./encoder.ts"

const hex = (encoder: HpackEncoder, text: string): string => encodeLines(encoder, text).toString("hex")
const fieldsOf = (text: string): string[] | false => decodeOctets(new HpackDecoder(), encodeLines(new HpackEncoder(), text))

/** An encoder whose every line entered the table, so that each is one octet from then on. */
function warm(text: string, encoder = new HpackEncoder()): HpackEncoder {
  encodeLines(encoder, text)
  encodeLines(encoder, text)
  return encoder
}

function block(encoder: HpackEncoder, write: (out: Buffer, at: number) => number): string {
  const out = Buffer.alloc(hpackBytesMax(200))
  return out.subarray(0, write(out, encoder.begin(out, 0))).toString("hex")
}

describe("lines", () => {
  test("a line that came before enters the table, then it is its index", () => {
    const encoder = new HpackEncoder()
    expect(hex(encoder, "X-A1: b\r\n")).toBe("00 04 782d6131 01 62".replaceAll(" ", ""))
    expect(hex(encoder, "X-A1: b\r\n")).toStartWith("40")
    expect(hex(encoder, "X-A1: b\r\n")).toBe("be")
    // On another connection it came before as well.
    expect(hex(new HpackEncoder(), "X-A1: b\r\n")).toStartWith("40")
  })
  test("names of the static table, Huffman code where it is shorter", () => {
    const encoder = new HpackEncoder()
    encodeLines(encoder, "Cache-Control: no-cache\r\nServer: \xff\r\n")
    expect(hex(encoder, "Cache-Control: no-cache\r\nServer: \xff\r\n")).toBe("5886a8eb10649cbf7601ff")
    expect(hex(encoder, "Accept-Encoding: gzip, deflate\r\n")).toBe("90")
  })
  test("in whatever order: each line one octet", () => {
    const lines = ["server: order\r\n", "vary: order\r\n", "x-order: 1\r\n", "x-order: 2\r\n", "X-Order: 1\r\n"]
    const encoder = warm(lines.join(""))
    for (const order of [lines, [...lines].reverse(), [lines[2]!, lines[2]!, lines[0]!]])
      expect(encodeLines(encoder, order.join(""))).toHaveLength(order.length)
  })
  test("a line that begins as another one is not taken for it", () => {
    const encoder = warm("X-B: 1\r\nX-C: 1\r\n")
    const decoder = new HpackDecoder()
    const again = new HpackEncoder()
    for (const text of ["X-B: 1\r\nX-C: 1\r\n", "X-B: 1\r\nX-C: 12\r\n", "X-B: 1\r\nX-C: 1\r\n", "Agent: 1\r\nAge: 1\r\nAge: 2\r\nAgent: 1\r\n"]) {
      const expected = text.toLowerCase().split("\r\n").slice(0, -1)
      expect(decodeOctets(decoder, encodeLines(again, text))).toEqual(expected)
    }
    expect(hex(encoder, "X-B: 1\r\nX-C: 1\r\n")).toBe("bfbe")
  })
  test("fields of one connection are left out, whatever their case, time and again", () => {
    const text =
      "A: 1\r\nConnection: keep-alive\r\nKeep-Alive: x\r\nproxy-connection: x\r\nTRANSFER-ENCODING: chunked\r\nUpgrade: x\r\nHTTP2-Settings: x\r\nHost: x\r\nB: 2\r\n"
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    for (let i = 0; i < 4; i++) expect(decodeOctets(decoder, encodeLines(encoder, text))).toEqual(["a: 1", "b: 2"])
  })
  test("TE goes out as trailers, or not at all", () => {
    for (const te of ["trailers", "Trailers", "gzip, trailers", "trailers;q=0.5, trailers"])
      expect(fieldsOf(`TE: ${te}\r\n`)).toEqual(["te: trailers"])
    for (const te of ["gzip", "", "trailers;q=0.5", "x".repeat(2000)]) expect(fieldsOf(`TE: ${te}\r\nA: 1\r\n`)).toEqual(["a: 1"])
    expect(encodeLines(warm("te: trailers\r\n"), "te: trailers\r\n")).toHaveLength(1)
    expect(encodeLines(warm("te: deflate\r\n"), "te: deflate\r\n")).toHaveLength(0)
  })
  test("secrets are never-indexed literals, at every hop", () => {
    for (const name of ["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"]) {
      const text = `${name}: secret\r\n`
      const encoder = warm(text)
      expect(encodeLines(encoder, text)[0]! >> 4).toBe(1)
      expect(encoder["table"].inserted).toBe(0)
    }
  })
  test("what hardly comes twice does not enter the table", () => {
    const names =
      "Content-Length Content-Range ETag Last-Modified Location Age Range If-None-Match If-Modified-Since Referer X-Request-ID traceparent"
    const text = names
      .split(" ")
      .map(name => `${name}: 1\r\n`)
      .join("")
    const encoder = warm(text)
    expect(encoder["table"].inserted).toBe(0)
    expect(fieldsOf(text)).toEqual(text.toLowerCase().split("\r\n").slice(0, -1))
    expect(encodeLines(new HpackEncoder(), "Content-Length: 5\r\n").toString("hex")).toBe("0f0d0135")
  })
  test("a long value does not enter the table, nor a line that is long for the peer's", () => {
    expect(warm(`X-Long: ${"v".repeat(1000)}\r\n`)["table"].inserted).toBe(0)
    expect(warm(`X-Long: ${"v".repeat(900)}\r\n`)["table"].inserted).toBe(1)
    const small = new HpackEncoder()
    small.setTableBytesMax(200)
    expect(warm(`X-Long: ${"v".repeat(20)}\r\n`, small)["table"].inserted).toBe(0)
    expect(warm("X-Short: v\r\n", small)["table"].inserted).toBe(1)
  })
  test("blanks around a value go, octets of other alphabets stay", () => {
    expect(fieldsOf("A:b\r\nC: \t d \t \r\nE:\r\nF: \r\nG: \xa0\xe4\xa0\r\nEtag:  w \r\n")).toEqual([
      "a: b",
      "c: d",
      "e: ",
      "f: ",
      "g: \xa0\xe4\xa0",
      "etag: w",
    ])
  })
  test("nothing is allocated for a table before a line enters it", () => {
    const encoder = new HpackEncoder()
    encodeLines(encoder, "Content-Length: 5\r\nX-New-Here: 1\r\n")
    expect([encoder["table"]["ring"].length, encoder["table"]["steps"]]).toEqual([0, null])
  })
  test("the order of lines is remembered, but not what is evicted", () => {
    const encoder = warm("X-First: 1\r\nX-Second: 1\r\n")
    const first = encoder["start"].after!
    expect([first.text, first.after!.text]).toEqual(["X-First: 1\r\n", "X-Second: 1\r\n"])
    encoder.setTableBytesMax(0)
    expect([first.number, first.after]).toEqual([-1, null])
  })
  test("what is evicted is forgotten, and may come back", () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    for (let i = 0; i < 600; i++) {
      const text = `x-n: ${i % 150}\r\nx-m: ${i % 7}\r\n`
      expect(decodeOctets(decoder, encodeLines(encoder, text))).toEqual(text.split("\r\n").slice(0, -1))
    }
    const table = encoder["table"]
    expect(table["steps"]!.size).toBe(table.count)
    expect(table.bytes).toBe(decoder["table"].bytes)
    expect(table.bytes).toBeGreaterThan(3500)
  })
})

describe("status and pseudo fields", () => {
  test("status", () => {
    const encoder = new HpackEncoder()
    const of = (status: number): string => block(encoder, (out, at) => encoder.status(status, out, at))
    expect([200, 204, 206, 304, 400, 404, 500].map(of)).toEqual(["88", "89", "8a", "8b", "8c", "8d", "8e"])
    expect([100, 302, 999].map(of)).toEqual(["0803313030", "0803333032", "0803393939"])
  })
  test("what the static table has is one octet, a path is a literal, the rest as lines", () => {
    const encoder = new HpackEncoder()
    const of = (name: string, value: string): string => block(encoder, (out, at) => encoder.pseudo(name, value, out, at))
    const one = [of(":method", "GET"), of(":method", "POST"), of(":scheme", "http"), of(":scheme", "https"), of(":path", "/")]
    expect(one).toEqual(["82", "83", "86", "87", "84"])
    for (let i = 0; i < 3; i++) expect(of(":path", "/ab")).toBe("04032f6162")
    expect([of(":authority", "a.pseudo"), of(":authority", "a.pseudo").slice(0, 2), of(":authority", "a.pseudo")]).toEqual([
      "0108612e70736575646f",
      "41",
      "be",
    ])
    of(":protocol", "websocket")
    expect(of(":protocol", "websocket")).toStartWith("40")
    expect([of(":protocol", "websocket"), of(":authority", "a.pseudo")]).toEqual(["be", "bf"])
    expect([of(":authority", "b.pseudo"), of(":authority", "a.pseudo")]).toEqual(["0108622e70736575646f", "bf"])
    of(":method", "PUT")
    of(":method", "PUT")
    expect(of(":method", "PUT")).toBe("be")
  })
  test("an authority that is in the table no more is not named", () => {
    const encoder = new HpackEncoder()
    const of = (): string => block(encoder, (out, at) => encoder.pseudo(":authority", "gone.test", out, at))
    expect([of().slice(0, 2), of().slice(0, 2), of()]).toEqual(["01", "41", "be"])
    encoder.setTableBytesMax(0)
    expect(of()).toStartWith("2001")
  })
})

describe("the peer's table", () => {
  const begin = (encoder: HpackEncoder): string => block(encoder, (_out, at) => at)

  test("sizes are due once, the smallest and the last", () => {
    const encoder = new HpackEncoder()
    expect(begin(encoder)).toBe("")
    encoder.setTableBytesMax(4096)
    encoder.setTableBytesMax(65536)
    expect(begin(encoder)).toBe("")
    encoder.setTableBytesMax(100)
    expect([begin(encoder), begin(encoder)]).toEqual(["3f45", ""])
    encoder.setTableBytesMax(0)
    encoder.setTableBytesMax(50)
    encoder.setTableBytesMax(0xffffffff)
    expect([begin(encoder), begin(encoder)]).toEqual(["203fe11f", ""])
    encoder.setTableBytesMax(30)
    encoder.setTableBytesMax(10)
    expect(begin(encoder)).toBe("2a")
  })
  test("a table of 0 holds nothing", () => {
    const encoder = new HpackEncoder()
    encoder.setTableBytesMax(0)
    expect(hex(encoder, "X-Zero: 1\r\n")).toStartWith("20")
    expect(hex(warm("X-Zero: 1\r\n", encoder), "X-Zero: 1\r\n")).toStartWith("00")
  })
  test("what was there before it shrank for a moment is gone", () => {
    const encoder = warm("X-Gone: 1\r\n")
    encoder.setTableBytesMax(0)
    encoder.setTableBytesMax(4096)
    expect(hex(encoder, "X-Gone: 1\r\n")).toStartWith("203fe11f40")
  })
})

test("hpackBytesMax is enough for the worst lines", () => {
  for (const length of [0, 1, 126, 127, 128, 254, 255, 256, 16510, 16511, 70000]) {
    const line = `${"q".repeat(length + 1)}:${"\xff".repeat(length)}\r\n`
    const text = line.repeat(length > 300 ? 2 : 200) + "www-authenticate:\r\na:\r\n"
    const encoder = new HpackEncoder()
    // Too small for any line, so that each is a literal.
    encoder.setTableBytesMax(0)
    encoder.setTableBytesMax(100)
    const authority = "\xff".repeat(length)
    const out = Buffer.alloc(hpackBytesMax(text.length + authority.length + 5))
    let at = encoder.begin(out, 0)
    for (const [name, value] of [":method x", ":scheme x", ":path x", ":protocol xx"].map(row => row.split(" ")))
      at = encoder.pseudo(name!, value!, out, at)
    at = encoder.pseudo(":authority", authority, out, at)
    at = encoder.lines(text, out, encoder.status(999, out, at))
    expect(at).toBeLessThanOrEqual(out.length)
    expect(decodeOctets(new HpackDecoder(), out.subarray(0, at))).toHaveLength((length > 300 ? 2 : 200) + 8)
  }
})
