import { describe, expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { clientKey } from "./client-key.ts"
import { compileKey, keySchema } from "./limit-key.ts"

function keyOf(text: string, change: Partial<Exchange> = {}, fields: readonly (readonly [string, string])[] = []): string {
  const x = Object.assign(new Exchange(), { clientAddress: "192.0.2.7" }, change)
  x.request = Fields.of(fields)
  return compileKey(text).of(x)
}

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8:1:3::1", "2001:db8:1:3::/64"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["fe80::1%eth0", "fe80::/64"],
  ["unix", "unix"],
])("%s is the client %s", (address, key) => expect(clientKey(address)).toBe(key))

describe("keys", () => {
  test("words and variables", () => {
    expect(keyOf("client")).toBe("192.0.2.7")
    expect(keyOf("all")).toBe("all")
    expect(keyOf("user", { user: "ann" })).toBe("ann")
    expect(keyOf("${requestField:x-api-key}", {}, [["X-Api-Key", "k1"]])).toBe("k1")
    expect(keyOf("$client$path", { clientAddress: "2001:db8::1", path: "/a" })).toBe("2001:db8::/64\0/a")
    expect(keyOf("a$host", { host: "bc" })).not.toBe(keyOf("ab$host", { host: "c" }))
  })

  test("half a key is none", () => {
    expect(keyOf("user")).toBe("")
    expect(keyOf("$client${cookie:sid}")).toBe("")
  })

  test.each([
    ["cleint", "did you mean client?"],
    ["x-api-key", "a text with variables"],
    ["$clinet", "did you mean $client?"],
    ["", "expected client"],
  ])("refuses %j", (text, message) => {
    const result = keySchema.safeParse(text)
    expect(result.success ? "" : result.error.issues[0]!.message).toContain(message)
  })
})
