import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { CODES, EOS, LENGTHS } from "./huffman-code.ts"
import { decodeHuffman, huffmanDecodedMax } from "./huffman-decode.ts"
import { encodeHuffman, huffmanLength } from "./huffman-encode.ts"

function decode(octets: Uint8Array): string | false {
  const out = Buffer.alloc(huffmanDecodedMax(octets.length))
  const count = decodeHuffman(octets, 0, octets.length, out)
  return count < 0 ? false : out.latin1Slice(0, count)
}

function encode(text: string): Buffer {
  const out = Buffer.alloc(text.length * 4 + 4)
  return out.subarray(0, encodeHuffman(text, out, 0))
}

/** Octets of bits given as text, padded with ones. */
function ofBits(bits: string): Uint8Array {
  const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1")
  return Uint8Array.from(whole.match(/.{8}/g) ?? [], octet => Number.parseInt(octet, 2))
}

const bitsOf = (symbol: number): string => CODES[symbol]!.toString(2).padStart(LENGTHS[symbol]!, "0")
const latin1 = fc.array(fc.nat(255)).map(octets => Buffer.from(octets).latin1Slice())

describe("Huffman code of RFC 7541", () => {
  test("some codes of appendix B", () => {
    expect([bitsOf(48), bitsOf(32), bitsOf(0), bitsOf(92), bitsOf(249)]).toEqual([
      "00000",
      "010100",
      "1111111111000",
      "1111111111111110000",
      "1111111111111111111111111110",
    ])
    expect([bitsOf(10), bitsOf(EOS)]).toEqual(["111111111111111111111111111100", "1".repeat(30)])
  })
  test("strings of appendix C", () => {
    const strings = {
      "www.example.com": "f1e3c2e5f23a6ba0ab90f4ff",
      "no-cache": "a8eb10649cbf",
      "custom-key": "25a849e95ba97d7f",
      "Mon, 21 Oct 2013 20:13:21 GMT": "d07abe941054d444a8200595040b8166e082a62d1bff",
      "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1":
        "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    }
    for (const [text, hex] of Object.entries(strings)) {
      expect(encode(text).toString("hex")).toBe(hex)
      expect(decode(Buffer.from(hex, "hex"))).toBe(text)
    }
  })
  test("any octets come back, and the length is known before", () => {
    fc.assert(fc.property(latin1, text => decode(encode(text)) === text && encode(text).length === huffmanLength(text)))
    for (let symbol = 0; symbol < 256; symbol++) expect(decode(encode(String.fromCharCode(symbol)))).toBe(String.fromCharCode(symbol))
  })
  test("padding is ones, fewer than eight", () => {
    expect(decode(ofBits(`${bitsOf(97)}111`))).toBe("a")
    expect(decode(ofBits(`${bitsOf(97)}110`))).toBe(false)
    expect(decode(ofBits(`${bitsOf(97)}${"1".repeat(11)}`))).toBe(false)
    expect(decode(ofBits(`${bitsOf(38)}${"1".repeat(8)}`))).toBe(false)
    expect(decode(ofBits("1".repeat(8)))).toBe(false)
    // The longest that may be: one bit of a code in the last octet.
    expect(decode(ofBits(`${bitsOf(39)}${bitsOf(97)}${bitsOf(48)}${bitsOf(32)}${bitsOf(32)}`))).toBe("'a0  ")
    expect((11 + 5 + 5 + 6 + 6) % 8).toBe(1)
  })
  test("EOS is an error wherever it comes", () => {
    expect(decode(ofBits(bitsOf(EOS)))).toBe(false)
    expect(decode(ofBits(bitsOf(97) + bitsOf(EOS) + bitsOf(97)))).toBe(false)
    expect(decode(ofBits(`${bitsOf(EOS)}00${"0".repeat(40)}`))).toBe(false)
  })
  test("what decodes at all is what encoding gives", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), octets => {
        const text = decode(octets)
        return text === false || encode(text).equals(octets)
      }),
    )
  })
})
