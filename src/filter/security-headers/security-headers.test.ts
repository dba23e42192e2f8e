import { describe, expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import securityHeaders from "./security-headers.ts"

function answer(options: unknown, fields: readonly (readonly [string, string])[] = [], scheme = "https", extra = ""): string {
  const x = new Exchange()
  x.scheme = scheme
  x.response = Fields.of(fields)
  x.response.extra = extra
  securityHeaders.build(securityHeaders.options.parse(options), new FakeDeps()).response!(x)
  return x.response.render()
}

const sane =
  "X-Content-Type-Options: nosniff\r\nReferrer-Policy: strict-origin-when-cross-origin\r\nX-Frame-Options: SAMEORIGIN\r\n" +
  "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\nCross-Origin-Opener-Policy: same-origin\r\n"

describe("security-headers", () => {
  test("the word alone is a sane set; HSTS on HTTPS only (RFC 6797 section 7.2)", () => {
    expect(answer(undefined)).toBe(`Strict-Transport-Security: max-age=31536000\r\n${sane}`)
    expect(answer(undefined, [], "http")).toBe(sane)
  })

  test("what the peer, or a filter before, said stays; override replaces it", () => {
    const off = { hsts: false, contentTypeOptions: false, permissionsPolicy: false, openerPolicy: false, referrerPolicy: false }
    const peer = [["x-frame-options", "DENY"]] as const
    expect(answer(off, peer)).toBe("x-frame-options: DENY\r\n")
    expect(answer(off, [], "https", "X-Frame-Options: DENY\r\n")).toBe("X-Frame-Options: DENY\r\n")
    expect(answer({ ...off, override: true }, [...peer, ["A", "b"]], "https", "X-frame-options: x\r\n")).toBe(
      "A: b\r\nX-Frame-Options: SAMEORIGIN\r\n",
    )
  })

  test("policies of one's own, and fields that tell too much", () => {
    const options = { csp: "default-src 'self'", frameOptions: false, remove: ["X-AspNet-Version"] }
    const said = answer(options, [["X-ASPNET-Version", "4"]])
    expect(said).toContain("\r\nContent-Security-Policy: default-src 'self'\r\n")
    expect(said).not.toContain("X-ASPNET")
    expect(said).not.toContain("X-Frame-Options")
  })

  test.each([{ csp: "a\r\nSet-Cookie: b" }, { hsts: true }, { csp: "" }, { frames: "DENY" }, { remove: ["Connection"] }])("refuses %j", options =>
    expect(securityHeaders.options.safeParse(options).success).toBe(false),
  )
})
