import { describe, expect, test } from "bun:test"
import { AndFilter, EqualityFilter, FilterParser } from "ldapts"
import { resultOf } from "./directory-socket.ts"
import { ldapOptions } from "./ldap-options.ts"
import { dnValue, fillDn, fillFilter, filterProblem, filterValue, firstValue } from "./ldap-text.ts"

const hostile = [
  "*",
  "ann*",
  "*)(uid=*",
  "ann)(|(uid=*",
  "\\2a",
  "\0",
  "a\\",
  "(",
  ")",
  "&",
  "ann))%00",
  "jörg*",
  "ａｎｎ",
  "a:dn:=b",
  "\u{1f600})",
  "|(a=b)",
  "~=",
  "a\nb",
]

describe("RFC 4515", () => {
  test("a name is one value of the filter, whatever stands in it", () => {
    for (const user of hostile) {
      const filter = FilterParser.parseString(fillFilter("(&(objectClass=person)(uid={user}))", { user }))
      expect(filter).toBeInstanceOf(AndFilter)
      const { filters } = filter as AndFilter
      expect(filters).toHaveLength(2)
      expect(filters[1]).toBeInstanceOf(EqualityFilter)
      expect((filters[1] as EqualityFilter).value).toBe(user)
    }
  })

  test("at random", () => {
    const letters = "*()\\|&!=<>~:\0\n aé\u{1f600}{user}"
    for (let i = 0; i < 2000; i++) {
      const user = Array.from({ length: 1 + (i % 12) }, (_, k) => [...letters][(i * 31 + k * 17 + i * k) % [...letters].length]).join("")
      expect((FilterParser.parseString(fillFilter("(uid={user})", { user })) as EqualityFilter).value).toBe(user)
    }
  })

  test("what stands in one value is not filled again", () => {
    expect(fillFilter("(|(member={dn})(uid={user}))", { dn: "cn={user}", user: "x" })).toBe("(|(member=cn\\3d{user})(uid=x))")
  })

  test("escapes as the section says", () => expect(filterValue("a*b(c)d\\e\0f")).toBe("a\\2ab\\28c\\29d\\5ce\\00f"))
})

describe("RFC 4514", () => {
  test("a name is one value of the distinguished name", () => {
    expect(dnValue('a,ou=x+b="c"<d>;e\\f#')).toBe("a\\2cou\\3dx\\2bb\\3d\\22c\\22\\3cd\\3e\\3be\\5cf\\23")
    expect(dnValue(" a b ")).toBe("\\20a b\\20")
    expect(fillDn("uid={user},ou=people", "ann,ou=admins")).toBe("uid=ann\\2cou\\3dadmins,ou=people")
  })

  test("the first value of a name", () => {
    expect(firstValue("cn=staff,ou=groups,dc=example")).toBe("staff")
    expect(firstValue("CN=a\\, b\\2c c\\c3\\a9+x=y,dc=e")).toBe("a, b, cé")
    for (const none of ["", "staff", "=x", "\\=x"]) expect(firstValue(none)).toBe("")
  })
})

describe("options", () => {
  const base = { servers: "ldaps://d.example", search: { base: "dc=example" } }

  test("defaults", () => {
    expect(ldapOptions.parse(base)).toMatchObject({ servers: ["ldaps://d.example"], startTls: true, user: "uid", groups: "memberOf", timeout: 5000 })
  })

  test.each([
    [{ ...base, dn: "uid={user},dc=example" }, "expected search or dn"],
    [{ servers: "ldap://x" }, "expected search or dn"],
    [{ servers: "ldap://x", dn: "uid=ann,dc=example" }, "expected a name with {user}"],
    [{ ...base, search: { base: "x", filter: "(uid=ann)" } }, "expected a filter with {user}"],
    [{ ...base, search: { base: "x", filter: "(uid={user}" } }, "expected a filter such as"],
    [{ ...base, search: { base: "x", filter: "(&(uid={user})(x={name}))" } }, "there is no {name} here"],
    [{ ...base, search: { base: "x", filter: "({user}=x)" } }, "as a value, not as an attribute"],
    [{ ...base, user: "u*d" }, "expected the name of an attribute"],
  ])("refuses %j", (options, message) => {
    const read = ldapOptions.safeParse(options)
    expect(read.success ? "" : read.error.issues.map(issue => issue.message).join(" ")).toContain(message)
  })

  test("addresses of servers", () => {
    const takes = (server: string) => ldapOptions.safeParse({ ...base, servers: server }).success
    expect(["ldap://x", "ldaps://x:1636", "ldap://[::1]:389/", "LDAP://x"].map(takes)).toEqual([true, true, true, true])
    expect(["http://x", "ldap://u:p@x", "ldap://x/dc=example??sub", "ldap://", "ldap://x:99999", "x"].map(takes)).toEqual(Array(6).fill(false))
  })

  test("what passes is read by the library, and what it cannot read does not pass", () => {
    const pieces = ["(", ")", "&", "|", "!", "a", "=", "*", "{user}", "\\2a", "\\", ":", "~=", "1.2", "dn"]
    let seed = 4515
    let good = 0
    for (let i = 0; i < 20_000; i++) {
      let filter = ""
      for (let k = 0; k < 1 + (i % 9); k++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
        filter += pieces[(seed >>> 10) % pieces.length]
      }
      filter = i % 2 === 0 ? filter : `(&(uid={user})(${filter}))`
      if (filterProblem(filter, ["user"]) !== "") continue
      good++
      expect(() => FilterParser.parseString(fillFilter(filter, { user: "x" }))).not.toThrow()
    }
    expect(good).toBeGreaterThan(10)
  })

  test("filters that are good", () => {
    for (const filter of [
      "(uid={user})",
      "(&(objectClass=person)(|(uid={user})(mail={user}@x.example)))",
      "(memberUid={user})",
      "(!(|(uid={user})(cn=a*b*)))",
      "(cn~={user})",
      "(cn:dn:2.4.6:={user})",
      "(:dn:2.4.6:={user})",
      "(a=\\2a{user})",
      "(member:1.2.840.113556.1.4.1941:={dn})",
    ])
      expect(filterProblem(filter, ["user", "dn"])).toBe("")
  })
})

describe("the answer to StartTLS", () => {
  const good = Buffer.from("300c02010178070a010004000400", "hex")

  test("is taken whole and alone", () => {
    expect(resultOf(good)).toBe(0)
    expect(resultOf(Buffer.from("308400000010020101788400000007" + "0a010004000400", "hex"))).toBe(0)
    expect(resultOf(Buffer.from("300c02010178070a013404000400", "hex"))).toBe(52)
    for (let i = 0; i < good.length; i++) expect(resultOf(good.subarray(0, i))).toBeNull()
  })

  test("what comes behind it without TLS spoils it", () => expect(resultOf(Buffer.concat([good, Buffer.from([0x30])]))).toBe(-1))

  test("anything else is none", () => {
    for (const hex of ["300c02010278070a010004000400", "300c02010161070a010004000400", "48545450", "3080", `30820fff${"00".repeat(4200)}`])
      expect(resultOf(Buffer.from(hex, "hex"))).toBe(-1)
  })
})
