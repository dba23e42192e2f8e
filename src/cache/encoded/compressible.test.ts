import { describe, expect, test } from "bun:test"
import { StoredResponse } from "../stored.ts"
import { ENCODED_BYTES_MAX, ENCODED_BYTES_MIN, isCompressible } from "./compressible.ts"
import { storedWith } from "./encoder.fixture.ts"

describe("responses that may be sent in another coding", () => {
  const of = (lines: string, length = 1000): boolean => isCompressible(storedWith(lines), length)
  test("plain text of a size that is worth it", () => {
    expect([of(""), of("", ENCODED_BYTES_MIN), of("", ENCODED_BYTES_MAX), of("", -1)]).toEqual([true, true, true, true])
    expect([of("", ENCODED_BYTES_MIN - 1), of("", ENCODED_BYTES_MAX + 1), of("", 0)]).toEqual([false, false, false])
  })
  test("not what is encoded already, whatever with", () => {
    for (const coding of ["gzip", "br", "aes128gcm", "identity"]) expect(of(`Content-Encoding: ${coding}\r\n`)).toBe(false)
  })
  test("not with no-transform (RFC 9111 section 5.2.2.6)", () => {
    expect(of("Cache-Control: max-age=60, No-Transform\r\n")).toBe(false)
    expect(of("Cache-Control: max-age=60\r\nCache-Control: no-transform\r\n")).toBe(false)
    expect(of('Cache-Control: max-age=60, x="no-transform"\r\n')).toBe(true)
  })
  test("not without a type", () => {
    expect(isCompressible(new StoredResponse(storedWith(""), "Date: x\r\n"), 1000)).toBe(false)
  })
})
