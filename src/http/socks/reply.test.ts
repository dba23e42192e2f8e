import { describe, expect, test } from "bun:test"
import { FAULT, type Fault } from "../../base/index.ts"
import { replyCode, replyText } from "./reply.ts"

describe("replyCode", () => {
  const rows: readonly [Fault | null, number, number][] = [
    [FAULT.connectRefused, 502, 5],
    [FAULT.connectTimeout, 504, 6],
    [FAULT.requestTimeout, 504, 6],
    [FAULT.resolveFailed, 502, 4],
    [FAULT.connectFailed, 502, 4],
    [FAULT.socksCommand, 501, 7],
    [FAULT.forbidden, 403, 2],
    [FAULT.portForbidden, 403, 2],
    [FAULT.addressForbidden, 403, 2],
    [FAULT.authRequired, 407, 2],
    [FAULT.rateLimited, 429, 2],
    [FAULT.banned, 403, 2],
    [FAULT.noRoute, 404, 2],
    [FAULT.loop, 508, 2],
    [FAULT.badHost, 400, 1],
    [FAULT.headTimeout, 408, 1],
    [FAULT.draining, 503, 1],
    [FAULT.internal, 500, 1],
    // Answers of others, and pages of ours.
    [null, 200, 2],
    [null, 302, 2],
    [null, 403, 2],
    [null, 407, 2],
    [null, 502, 1],
    [null, 504, 6],
  ]
  test.each(rows)("%p with status %p", (fault, status, code) => expect(replyCode(fault, status)).toBe(code))
})

describe("replyText", () => {
  test("of SOCKS 5, with an address of either family, and with none", () => {
    expect(replyText(5, 0, "192.0.2.1", 443)).toBe("\x05\0\0\x01\xc0\0\x02\x01\x01\xbb")
    expect(replyText(5, 0, "2001:db8::1", 1)).toBe(`\x05\0\0\x04\x20\x01\x0d\xb8${"\0".repeat(11)}\x01\0\x01`)
    // Nothing of the address before.
    expect(replyText(5, 2, "", 0)).toBe("\x05\x02\0\x01\0\0\0\0\0\0")
  })

  test("of SOCKS 4, which knows IPv4 and two words", () => {
    expect(replyText(4, 0, "192.0.2.1", 443)).toBe("\0\x5a\x01\xbb\xc0\0\x02\x01")
    expect(replyText(4, 0, "2001:db8::1", 443)).toBe("\0\x5a\x01\xbb\0\0\0\0")
    for (const code of [1, 2, 5, 8]) expect(replyText(4, code, "", 0)).toBe("\0\x5b\0\0\0\0\0\0")
  })
})
