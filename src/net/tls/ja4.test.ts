import { expect, test } from "bun:test"
import { ja4Of } from "./ja4.ts"

interface Hello {
  readonly ciphers: readonly number[]
  /** Types and contents, in order. */
  readonly extensions: readonly (readonly [number, Buffer])[]
}

function words(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 2)
  for (const [i, value] of values.entries()) out.writeUInt16BE(value, i * 2)
  return out
}

function lead(content: Buffer, octets: 1 | 2 | 3): Buffer {
  const head = Buffer.alloc(octets)
  head.writeUIntBE(content.length, 0, octets)
  return Buffer.concat([head, content])
}

function helloOf({ ciphers, extensions }: Hello): Buffer {
  const listed = Buffer.concat(extensions.map(([type, content]) => Buffer.concat([words(type), lead(content, 2)])))
  const body = Buffer.concat([words(0x0303), Buffer.alloc(32), Buffer.from([0]), lead(words(...ciphers), 2), Buffer.from([1, 0]), lead(listed, 2)])
  return Buffer.concat([Buffer.from([22, 3, 1]), lead(Buffer.concat([Buffer.from([1]), lead(body, 3)]), 2)])
}

const numbers = (text: string): number[] => text.split(",").map(word => Number.parseInt(word, 16))
const alpn = (...names: string[]): Buffer => lead(Buffer.concat(names.map(name => lead(Buffer.from(name, "latin1"), 1))), 2)
const contents: Record<number, Buffer> = {
  0: lead(Buffer.concat([Buffer.from([0]), lead(Buffer.from("a.test"), 2)]), 2),
  13: lead(words(...numbers("0403,0804,0401,0503,0805,0501,0806,0601")), 2),
  16: alpn("h2", "http/1.1"),
  43: lead(words(0x6a6a, 0x0304, 0x0303), 1),
}

function browser(extensions: string, change: Record<number, Buffer> = {}): Hello {
  const ciphers = [0x0a0a, ...numbers("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035")]
  const types = [0x1a1a, ...numbers(extensions), 0xfafa]
  return { ciphers, extensions: types.map(type => [type, change[type] ?? contents[type] ?? Buffer.alloc(0)] as const) }
}

test("fingerprints that the definition and others publish, whatever the order and the greasing", () => {
  // The definition's own example, and what browserleaks.com tells Chrome 143.
  const older = "0000,0017,ff01,000a,000b,0023,0010,0005,000d,0012,0033,002d,002b,001b,4469,0015"
  expect(ja4Of(helloOf(browser(older)))).toBe("t13d1516h2_8daaf6152771_e5627efa2ab1")
  expect(ja4Of(helloOf(browser(older.split(",").reverse().join(","))))).toBe("t13d1516h2_8daaf6152771_e5627efa2ab1")
  const newer = "002d,0033,0010,fe0d,0017,44cd,0000,000b,000a,002b,ff01,0023,0012,0005,000d,001b"
  expect(ja4Of(helloOf(browser(newer)))).toBe("t13d1516h2_8daaf6152771_d8a2da3f94cd")
})

test("without a name, without extensions, with strange protocols", () => {
  expect(ja4Of(helloOf({ ciphers: [], extensions: [] }))).toBe("t12i000000_000000000000_000000000000")
  expect(ja4Of(helloOf(browser("0010", { 16: alpn("\xab\xcd") }))).slice(0, 10)).toBe("t12i1501ad")
  expect(ja4Of(helloOf(browser("0010", { 16: alpn("i") }))).slice(0, 10)).toBe("t12i1501ii")
})

test("what is no hello has none, and damage ends the search", () => {
  const whole = helloOf(browser("0000,0010,000d,002b"))
  expect([ja4Of(Buffer.from("GET / HTTP/1.1\r\n\r\n")), ja4Of(whole.subarray(0, 60))]).toEqual(["", ""])
  for (let at = 43; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] = 0xff
    expect(typeof ja4Of(damaged)).toBe("string")
  }
})
