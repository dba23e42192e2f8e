import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { parseBasic } from "./basic-credentials.ts"

const encode = (text: string) => `Basic ${Buffer.from(text, "utf8").toString("base64")}`

describe("parseBasic", () => {
  test.each([
    ["Basic dTpw", "u", "p"],
    ["bAsIc   dTpw ", "u", "p"],
    [encode("a:b:c"), "a", "b:c"],
    [encode(":"), "", ""],
    [encode("josé:pä ss"), "josé", "pä ss"],
    [`Basic ${Buffer.from("jos\xe9:p", "latin1").toString("base64")}`, "josé", "p"],
  ])("reads %s", (value, user, password) => {
    expect(parseBasic(value)).toEqual({ user, password })
  })

  test.each([
    "",
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic dTpw=",
    "Basic dTp",
    "Basic dTpw dTpw",
    "Basic dTpw,x",
    "Bearer dTpw",
    "BasicdTpw",
    "Basic\tdTpw",
    "Basic ====",
    encode("nocolon"),
    encode("a\nb:c"),
    encode("a:b\0c"),
    encode("a:b\x7f"),
    encode(`a:${"b".repeat(4096)}`),
  ])("refuses %j", value => {
    expect(parseBasic(value)).toBeNull()
  })

  test("whatever a client sends, it is credentials or null", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 }), (user, password) => {
        const read = parseBasic(encode(`${user}:${password}`))
        const clean = !/[\x00-\x1f\x7f]/.test(user + password) && (user + password).isWellFormed()
        if (clean && !user.includes(":")) expect(read).toEqual({ user, password })
        expect(() => parseBasic(user)).not.toThrow()
      }),
      { seed: 3, numRuns: 300 },
    )
  })
})
