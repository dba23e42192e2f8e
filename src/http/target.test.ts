import { describe, expect, test } from "bun:test"
import { FAULT } from "../base/index.ts"
import type { Message } from "./message.ts"
import { readTarget } from "./target.ts"

/** What the codec makes of a target, with the Host field that came along. */
function read(target: string, host = "", method = "GET") {
  const m = { method, scheme: "http", authority: host, host: "?", port: -1, path: "?", query: "?", forwardForm: false } as Message
  const fault = readTarget(m, target)
  return { fault: fault?.code ?? "", host: m.host, port: m.port, authority: m.authority, path: m.path, query: m.query, forward: m.forwardForm }
}

describe("an IPv6 host has one form, whatever its spelling", () => {
  const spellings: [authority: string, host: string][] = [
    ["[::1]", "::1"],
    ["[0:0:0:0:0:0:0:1]", "::1"],
    ["[0000:0000:0000:0000:0000:0000:0000:0001]", "::1"],
    ["[0::0.0.0.1]", "::1"],
    ["[2001:DB8:0:0:1:0:0:1]", "2001:db8::1:0:0:1"],
    ["[::ffff:127.0.0.1]", "127.0.0.1"],
    ["[::FFFF:7F00:1]", "127.0.0.1"],
    ["[0:0:0:0:0:ffff:10.0.0.1]", "10.0.0.1"],
  ]
  for (const [authority, host] of spellings) {
    test(authority, () => {
      expect(read("/", `${authority}:8080`)).toMatchObject({ fault: "", host, port: 8080, authority: `${authority}:8080` })
      expect(read(`http://${authority}/a?b`, "other.test")).toMatchObject({ fault: "", host, port: 80, authority, path: "/a", query: "?b" })
      expect(read(`${authority}:443`, "", "CONNECT")).toMatchObject({ fault: "", host, port: 443, forward: true })
      // the same one again comes from memory
      expect(read("/", authority)).toMatchObject({ fault: "", host, port: 80 })
      expect(read("/", authority)).toMatchObject({ fault: "", host, port: 80 })
    })
  }
})

test("brackets that hold no address are no host", () => {
  for (const authority of [
    "[abc]",
    "[1.2.3.4]",
    "[::1::]",
    "[:::]",
    "[1:2:3:4:5:6:7:8:9]",
    "[::12345]",
    "[::ffff:1.2.3.256]",
    "[::1",
    "[]",
    "[::1%25eth0]",
  ]) {
    expect([authority, read("/", authority).fault]).toEqual([authority, FAULT.badHost.code])
    expect([authority, read(`http://${authority}/`).fault]).toEqual([authority, FAULT.badHost.code])
    expect([authority, read(`${authority}:443`, "", "CONNECT").fault]).toEqual([authority, FAULT.badTarget.code])
    // what was refused is not remembered as good
    expect(read("/", authority).fault).toBe(FAULT.badHost.code)
  }
})

test("names: lower case, one trailing dot cut, no look at brackets", () => {
  expect(read("/", "A.Test.")).toMatchObject({ fault: "", host: "a.test", port: 80, authority: "A.Test." })
  expect(read("http://A.TEST:81", "")).toMatchObject({ fault: "", host: "a.test", port: 81, path: "/" })
  expect(read("/", "127.0.0.1:9")).toMatchObject({ fault: "", host: "127.0.0.1", port: 9 })
})
