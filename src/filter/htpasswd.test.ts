import { describe, expect, test } from "bun:test"
import { parseHtpasswd } from "./htpasswd.ts"

const bcrypt = "$2y$04$8.M7xLzIWI31aiVhZLwGBOL7bJBAdURTbbVsVEZVvLjF4b.3FZzUe"
const sha = "{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI="

describe("parseHtpasswd", () => {
  test("users, comments, empty lines and the line ends of every system", () => {
    const { users } = parseHtpasswd(`\uFEFF# staff\n\nann:${bcrypt}\r\njosé:${bcrypt}:comment: more\nbob:${sha}  \n`, "f")
    expect([...users.keys()]).toEqual(["ann", "josé", "bob"])
    expect(users.get("bob")!.scheme).toBe("sha1")
  })

  test("as many users as there may be, and one more", () => {
    const lines = Array.from({ length: 20_001 }, (_, i) => `user${i}:${sha}\n`)
    expect(parseHtpasswd(lines.slice(1).join(""), "f").users.size).toBe(20_000)
    expect(() => parseHtpasswd(lines.join(""), "f")).toThrow("f: line 20001: expected at most 20000 users")
  })

  test("the decoy is the dearest of the most common scheme", () => {
    const dear = bcrypt.replace("$04$", "$12$")
    const file = `a:${sha}\nb:${bcrypt}\nc:${dear}\nd:${bcrypt}\n`
    expect(parseHtpasswd(file, "f").decoy).toMatchObject({ scheme: "bcrypt", cost: 12 })
    expect(parseHtpasswd(`a:${bcrypt}\nb:${sha}\nc:${sha}\n`, "f").decoy).toMatchObject({ scheme: "sha1" })
  })

  test.each([
    [`ann:${bcrypt}\nann:${sha}`, 'passwords: line 2: the user "ann" stands in the file already'],
    [`# x\n\nann:hunter2`, 'passwords: line 3: user "ann" has no hash; a plain password is not accepted; expected bcrypt'],
    ["ann", "passwords: line 1: expected user:hash"],
    ["", "passwords names no user; expected lines of the form user:hash"],
    ["\n# nobody\n", "passwords names no user; expected lines of the form user:hash"],
    [`:${bcrypt}`, "passwords: line 1: expected user:hash"],
    [`a\x00:${bcrypt}`, "passwords: line 1: expected a user without control characters"],
  ])("refuses %j", (content, message) => {
    expect(() => parseHtpasswd(content, "passwords")).toThrow(message)
    expect(() => parseHtpasswd(content, "passwords")).not.toThrow("hunter2")
  })
})
