import { expect, test } from "bun:test"
import { payloadAt, targetOf } from "./udp-header.ts"

const header = (text: string): Buffer => Buffer.from(text, "latin1")

test("a header says where its payload begins, and whom it is for in the form of a template", () => {
  const rows: [string, number, string][] = [
    ["\0\0\0\x01\x7f\0\0\x01\0\x35abc", 10, "127.0.0.1/53"],
    [`\0\0\0\x04\x20\x01\x0d\xb8${"\0".repeat(11)}\x01\0\x35`, 22, "2001%3adb8%3a%3a1/53"],
    // IPv4 in the clothes of IPv6 is IPv4.
    [`\0\0\0\x04${"\0".repeat(10)}\xff\xff\x0a\0\0\x01\0\x35`, 22, "10.0.0.1/53"],
    ["\0\0\0\x03\x06a.test\0\x35x", 13, "a.test/53"],
    ["\0\0\0\x03\x05a/b\r\n\xff\xff", 12, "a%2fb%0d%0a/65535"],
    ["\0\0\0\x03\0\0\x35", 7, "/53"],
  ]
  for (const [text, at, target] of rows) {
    expect(payloadAt(header(text))).toBe(at)
    expect(targetOf(header(text), at)).toBe(target)
  }
})

test("fragments, cut ones, reserved octets and other types are none", () => {
  const good = "\0\0\0\x03\x06a.test\0\x35"
  expect(payloadAt(header(good))).toBe(good.length)
  for (let length = 0; length < good.length; length++) expect(payloadAt(header(good.slice(0, length)))).toBe(0)
  for (const text of [`\x01${good.slice(1)}`, `\0\x01${good.slice(2)}`, `\0\0\x01${good.slice(3)}`, `\0\0\0\x02${good.slice(4)}`])
    expect(payloadAt(header(text))).toBe(0)
})
