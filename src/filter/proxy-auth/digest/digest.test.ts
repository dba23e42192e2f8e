import { describe, expect, test } from "bun:test"
import { FakeDeps } from "../../filter-run.fixture.ts"
import { parseDigest, readParameters } from "./digest-credentials.ts"
import { digestOf, digestResponse } from "./digest-response.ts"
import { parseHtdigest } from "./htdigest.ts"
import { Nonces } from "./nonces.ts"

const octets = (text: string) => Buffer.from(text, "utf8").toString("latin1")

describe("RFC 7616 section 3.9", () => {
  const first = {
    nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    nc: "00000001",
    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    method: "GET",
    uri: "/dir/index.html",
  }
  test.each([
    ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
    ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
  ] as const)("3.9.1 %s", (algorithm, response) => {
    const ha1 = digestOf(algorithm, "Mufasa:http-auth@example.org:Circle of Life")
    expect(digestResponse({ ...first, algorithm, ha1 })).toBe(response)
  })

  // As erratum 4897 has it: the values in the text are those of an older draft of SHA-512/256.
  test("3.9.2 SHA-512-256, a name beyond ASCII", () => {
    const algorithm = "SHA-512-256"
    const user = octets("Jäsøn Doe")
    expect(digestOf(algorithm, `${user}:api@example.org`)).toBe("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")
    const facts = { nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc: "00000001", cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v" }
    const ha1 = digestOf(algorithm, `${user}:api@example.org:Secret, or not?`)
    expect(digestResponse({ ...facts, algorithm, ha1, method: "GET", uri: "/doe.json" })).toBe(
      "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
    )
  })
})

describe("credentials", () => {
  const whole = `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, nonce="abc", nc=00000001, cnonce="x", qop=auth, response="${"a".repeat(64)}", opaque="o"`

  test("as clients write them", () => {
    expect(parseDigest(whole)).toEqual({
      ...{ algorithm: "SHA-256", user: "Mufasa", hashed: false, realm: "http-auth@example.org", nonce: "abc", uri: "/dir/index.html" },
      ...{ response: "a".repeat(64), nc: "00000001", cnonce: "x" },
    })
    expect(parseDigest(whole.replace('username="Mufasa"', "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"))?.user).toBe("Jäsøn Doe")
    expect(parseDigest(whole.replace("Mufasa", String.raw`a\"b\\c`))?.user).toBe('a"b\\c')
    expect(parseDigest(whole.replace("Mufasa", octets("jörg")))?.user).toBe("jörg")
    expect(parseDigest(whole.replace("Mufasa", "j\xf6rg"))?.user).toBe("jörg")
    expect(parseDigest(whole.replaceAll(", ", ",").replace("qop=auth", 'QOP="auth"'))?.nc).toBe("00000001")
    expect(parseDigest(whole.replace("qop=auth", "qop=auth, userhash=true").replace("Mufasa", "ABCDEF"))).toMatchObject({
      hashed: true,
      user: "abcdef",
    })
  })

  test.each([
    ["", ""],
    ["no parameters", "Digest "],
    ["qop=auth-int", whole.replace("qop=auth", "qop=auth-int")],
    ["without qop, as RFC 2069", whole.replace("qop=auth, ", "")],
    ["an algorithm of a session", whole.replace("SHA-256", "SHA-256-sess")],
    ["a name twice", `${whole}, nonce="abc"`],
    ["both names", `${whole}, username*=UTF-8''x`],
    ["a count that is none", whole.replace("00000001", "1")],
    ["no cnonce", whole.replace('cnonce="x", ', "")],
    ["an open quote", `${whole}, x="`],
    ["another charset", whole.replace('username="Mufasa"', "username*=latin1''x")],
    ["a control character in the name", whole.replace("Mufasa", "a%00b").replace('username="a%00b"', "username*=UTF-8''a%00b")],
    ["more parameters than anybody needs", `${whole}, ${Array.from({ length: 30 }, (_, i) => `p${i}=1`).join(", ")}`],
    ["too long", `${whole}, x="${"y".repeat(9000)}"`],
    ["nothing between", whole.replace(", realm", " realm")],
  ])("are none: %s", (_, value) => expect(parseDigest(value)).toBeNull())

  test("a hostile list ends quickly", () => {
    const began = performance.now()
    for (const text of [`a="${"\\".repeat(8000)}`, `${"a=b,".repeat(2000)}`, ",".repeat(8000), `a=${'"'.repeat(8000)}`]) readParameters(text, 0)
    expect(performance.now() - began).toBeLessThan(200)
  })
})

describe("htdigest", () => {
  const realm = "office"
  const md5 = digestOf("MD5", `ann:${realm}:pw`)
  const sha = digestOf("SHA-256", `ann:${realm}:pw`)
  const long = digestOf("SHA-512-256", `ann:${realm}:pw`)

  test("the algorithm is told by the length, or said", () => {
    const users = parseHtdigest(
      `# users\nann:${realm}:${md5}\nann:${realm}:${sha.toUpperCase()}\nann:${realm}:{SHA-512-256}${long}\nbob:elsewhere:${md5}\n`,
      "f",
      realm,
    )
    expect(users.size).toBe(1)
    expect([users.find("ann", "MD5"), users.find("ann", "SHA-256"), users.find("ann", "SHA-512-256"), users.find("bob", "MD5")]).toEqual([
      md5,
      sha,
      long,
      null,
    ])
    expect(users.nameOf(digestOf("SHA-256", `ann:${realm}`), "SHA-256")).toBe("ann")
  })

  test.each([
    [`ann:${realm}:secret`, "f: line 1: expected user:realm:hash, the hash in hexadecimal"],
    [`\nann:${realm}:abc`, 'f: line 2: expected 32 digits (MD5) or 64 (SHA-256, SHA-512-256) for "ann"'],
    [`ann:${realm}:${md5}\nann:${realm}:${md5}`, 'f: line 2: the user "ann" stands in the file already with MD5'],
    [`ann:other:${md5}`, 'f names no user of the realm "office"; expected lines of the form user:realm:hash'],
  ])("refuses %j", (content, message) => expect(() => parseHtdigest(content, "f", realm)).toThrow(message))
})

describe("nonces", () => {
  const deps = new FakeDeps()
  const [one, other] = [new Nonces(1000, 1000, deps), new Nonces(1000, 1000, deps)]
  const now = 1_800_000_000_000

  test("are known by every worker, for their time", () => {
    const nonce = one.make(now)
    expect([other.ageOf(nonce, now), other.ageOf(nonce, now + 1000), other.ageOf(nonce, now + 1001)]).toEqual(["fresh", "fresh", "old"])
    const strange = new Nonces(1000, 1000, new FakeDeps())
    expect(strange.ageOf(nonce, now)).toBe("old")
    for (const wrong of ["", "x", `${nonce}=`, `${nonce}A`, nonce.slice(1), `B${nonce.slice(1)}`, nonce.replace(/.$/, "!")])
      expect(one.ageOf(wrong, now)).toBe("old")
  })

  test("no count is taken twice, whatever worker it comes to and in whatever order", () => {
    const nonce = one.make(now)
    expect([one.use(nonce, 1), other.use(nonce, 1), one.use(nonce, 1)]).toEqual([true, false, false])
    expect(other.ageOf(nonce, now)).toBe("known")
    for (const count of [5, 3, 2, 4, 40, 39]) expect([one.use(nonce, count), other.use(nonce, count)]).toEqual([true, false])
    expect([one.use(nonce, 0), one.use(nonce, 700), one.use(nonce, 253), one.use(nonce, 252), one.use(nonce, 400), one.use(nonce, 400)]).toEqual([
      ...[false, true, true, false, true, false],
    ])
  })

  test("every order of counts: each is taken once", () => {
    const nonce = one.make(now)
    one.use(nonce, 1)
    const counts = Array.from({ length: 300 }, (_, i) => i + 2)
    for (let i = counts.length - 1; i > 0; i--) {
      const j = (i * 7919) % (i + 1)
      ;[counts[i], counts[j]] = [counts[j]!, counts[i]!]
    }
    for (const count of counts) expect([count, (count % 2 ? one : other).use(nonce, count)]).toEqual([count, true])
    for (const count of counts) expect(one.use(nonce, count)).toBe(false)
  })

  test("a nonce whose record made room for others is used up", () => {
    const small = new Nonces(1000, 100, new FakeDeps())
    const nonce = small.make(now)
    expect([small.use(nonce, 1), small.use(nonce, 2)]).toEqual([true, true])
    for (let i = 0; i < 5000; i++) small.use(small.make(now), 1)
    expect(small.use(nonce, 3)).toBe(false)
  })
})
