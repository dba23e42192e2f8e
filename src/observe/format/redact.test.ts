import { describe, expect, test } from "bun:test"
import { compileRedact, redactOption } from "./redact.ts"

const redact = compileRedact(true)

describe("redact", () => {
  test.each([
    ["?token=abc", "?token=***"],
    ["?a=1&access_token=abc&b=2", "?a=1&access_token=***&b=2"],
    ["?apiKey=k;x=1", "?apiKey=***;x=1"],
    ["?user[password]=p&user[name]=n", "?user[password]=***&user[name]=n"],
    ["?p%61ssword=p", "?p%61ssword=***"],
    ["?%70%61%73%73%77%6F%72%64=p", "?%70%61%73%73%77%6F%72%64=***"],
    ["?X-Amz-Signature=0a&X-Amz-Date=1", "?X-Amz-Signature=***&X-Amz-Date=1"],
    ["?key=a=b&key=", "?key=***&key=***"],
    ["?SID=1", "?SID=***"],
    ["?jwt=e&", "?jwt=***&"],
  ])("hides %s", (query, expected) => {
    expect(redact.query(query)).toBe(expected)
  })

  test.each(["", "?", "?page=2", "?monkey=1&keyboard=2", "?token", "?side=1&author=x", "?&&;=", "?q=token=1x"])("leaves %s", query => {
    expect(redact.query(query)).toBe(query)
  })

  test("a URL loses its secrets and its user information, not its path", () => {
    expect(redact.url("https://me:pw@a.test/key/b?token=1")).toBe("https://***@a.test/key/b?token=***")
    expect(redact.url("https://me@a.test")).toBe("https://***@a.test")
    expect(redact.url("https://a.test/@me?x=1")).toBe("https://a.test/@me?x=1")
    expect(redact.url("about:blank")).toBe("about:blank")
  })

  test("further names", () => {
    const further = compileRedact(["session-hint"])
    expect(further.query("?session_hint=1&a=2&token=3")).toBe("?session_hint=***&a=2&token=***")
  })

  test("off", () => {
    expect(compileRedact(false).query("?token=1")).toBe("?token=1")
    expect(compileRedact(false).url("http://u:p@h/?token=1")).toBe("http://u:p@h/?token=1")
  })

  test("the option takes true, false or names", () => {
    expect(redactOption.safeParse(["a"]).success).toBe(true)
    expect(redactOption.safeParse("a").success).toBe(false)
  })
})
