import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Answer, readAnswer } from "./dns-answer.ts"
import { type DnsMessage, decodeMessage, encodeQuery, TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_SOA } from "./dns-message.ts"
import { encodeAnswer, encodeName, encodeRecord } from "./dns-server.fixture.ts"

const query = encodeQuery(0xbeef, "www.A.test", TYPE_A, true)

function decoded(bytes: Uint8Array): DnsMessage {
  const message = decodeMessage(bytes)
  if (typeof message === "string") throw new Error(message)
  return message
}

function response(answers: Uint8Array[], authorities: Uint8Array[] = [], flags = 0x8180): Uint8Array {
  return encodeAnswer(query, { flags, answers, authorities })
}

const pointerToQuestion = [0xc0, 12]

describe("encodeQuery", () => {
  test("octet by octet (RFC 1035 section 4.1, RFC 6891 section 6.1.2)", () => {
    expect(Buffer.from(encodeQuery(0x1234, "a.bc.", TYPE_AAAA, true)).toString("hex")).toBe(
      "123401000001000000000001" + "0161026263" + "00001c0001" + "00002904d0000000000000",
    )
    expect(Buffer.from(encodeQuery(0, "a", TYPE_A, false)).toString("hex")).toBe("000001000001000000000000" + "0161" + "0000010001")
  })

  test("is read back", () => {
    expect(decoded(query)).toMatchObject({
      id: 0xbeef,
      response: false,
      opcode: 0,
      rcode: 0,
      questions: [{ name: "www.a.test", type: TYPE_A }],
      answers: [],
      authorities: [],
    })
  })
})

describe("decodeMessage", () => {
  test("reads addresses, aliases and compressed names", () => {
    const compressed = Uint8Array.of(...pointerToQuestion, 0, 5, 0, 1, 0, 0, 0, 7, 0, 6, 3, 119, 101, 98, 0xc0, 16)
    const bytes = response([
      compressed,
      encodeRecord("web.a.test", TYPE_A, 60, Uint8Array.of(192, 0, 2, 1)),
      encodeRecord("web.a.test", TYPE_AAAA, 2 ** 31, Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...new Uint8Array(11), 1])),
    ])
    expect(decoded(bytes).answers).toEqual([
      { name: "www.a.test", type: TYPE_CNAME, ttl: 7, value: "web.a.test", minimum: 0, https: null },
      { name: "web.a.test", type: TYPE_A, ttl: 60, value: "192.0.2.1", minimum: 0, https: null },
      { name: "web.a.test", type: TYPE_AAAA, ttl: 0, value: "2001:db8::1", minimum: 0, https: null },
    ])
  })

  test("an IPv4-mapped AAAA is the IPv4 address that it means", () => {
    const mapped = Uint8Array.from([...new Uint8Array(10), 255, 255, 127, 0, 0, 1])
    expect(decoded(response([encodeRecord("a", TYPE_AAAA, 1, mapped)])).answers[0]!.value).toBe("127.0.0.1")
  })

  test("odd octets in names are written so that no two names look alike", () => {
    const odd = Uint8Array.of(5, 97, 46, 98, 92, 0, 1, 0xe4, 0)
    const record = Uint8Array.of(...odd, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4)
    expect(decoded(response([record])).answers[0]!.name).toBe("a\\046b\\092\\000.\\228")
  })

  test("flags, SOA and the upper bits of the response code", () => {
    const soa = encodeRecord(
      "test",
      TYPE_SOA,
      900,
      Uint8Array.of(...encodeName("ns.test"), ...encodeName("admin.test"), ...new Uint8Array(16), 0, 0, 0, 30),
    )
    const message = response([], [soa], 0x8403)
    const withOpt = Uint8Array.of(...message, 0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0)
    withOpt[11] = 1
    expect(decoded(withOpt)).toMatchObject({
      response: true,
      authoritative: true,
      recursionAvailable: false,
      rcode: 19,
      authorities: [{ name: "test", ttl: 900, minimum: 30 }],
    })
  })

  test("records of other classes and types are passed over", () => {
    const chaos = Uint8Array.of(...pointerToQuestion, 0, 1, 0, 3, 0, 0, 0, 9, 0, 2, 1, 2)
    const text = encodeRecord("www.a.test", 16, 5, Uint8Array.of(3, 97, 98, 99))
    expect(decoded(response([chaos, text])).answers).toEqual([{ name: "www.a.test", type: 16, ttl: 5, value: "", minimum: 0, https: null }])
  })

  test("of a truncated message only the questions are read", () => {
    const cut = response([encodeRecord("www.a.test", TYPE_A, 1, Uint8Array.of(1, 2, 3, 4))], [], 0x8380)
    expect(decoded(cut.subarray(0, cut.length - 3))).toMatchObject({
      truncated: true,
      answers: [],
      questions: [{ name: "www.a.test", type: TYPE_A }],
    })
  })

  const name = (octets: number[]) => Uint8Array.of(...octets, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4)
  const here = query.indexOf(0, 12) + 5
  const faults: [what: string, bytes: Uint8Array, fault: string][] = [
    ["nothing", new Uint8Array(0), "it ends too early"],
    ["a pointer to itself", response([name([0xc0, here])]), "does not point back"],
    ["a pointer forward", response([name([0xc0, here + 4])]), "does not point back"],
    ["a pointer behind the end", response([name([0xff, 0xff])]), "does not point back"],
    ["two pointers to each other", response([name([1, 97, 0xc0, here + 4, 0xc0, here])]), "does not point back"],
    ["a label that runs into its own pointer", response([name([1, 97, 0xc0, here])]), "does not point back"],
    ["half a pointer", response([Uint8Array.of(0xc0)]), "does not point back"],
    ["a label of 64 octets", response([name([64, ...new Array<number>(64).fill(97), 0])]), "unknown type"],
    ["an extended label", response([name([0x80, 1])]), "unknown type"],
    [
      "a name of 256 octets",
      response([name([...new Array<number[]>(4).fill([62, ...new Array<number>(62).fill(97)]).flat(), 2, 97, 97, 0])]),
      "longer than 255",
    ],
    ["an A of 3 octets", response([encodeRecord("a", TYPE_A, 1, Uint8Array.of(1, 2, 3))]), "3 octets instead of 4"],
    ["an AAAA of 4 octets", response([encodeRecord("a", TYPE_AAAA, 1, Uint8Array.of(1, 2, 3, 4))]), "4 octets instead of 16"],
    ["an alias longer than its record", response([Uint8Array.of(0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 1, 1, 97, 0)]), "longer than it says"],
    ["a record that ends behind the message", response([Uint8Array.of(0, 0, 16, 0, 1, 0, 0, 0, 1, 0, 9, 1)]), "ends too early"],
    ["more records than there are", response([]).map((octet, at) => (at === 7 ? 9 : octet)), "ends too early"],
    ["a question of another class", query.map((octet, at) => (at === here - 1 ? 3 : octet)), "not of class IN"],
  ]
  for (const [what, bytes, fault] of faults) test(`refuses ${what}`, () => expect(decodeMessage(bytes)).toContain(fault))

  test("a name of 255 octets and pointers over pointers are good", () => {
    const longest = [...new Array<number[]>(3).fill([63, ...new Array<number>(63).fill(97)]).flat(), 61, ...new Array<number>(61).fill(98), 0]
    expect(longest.length).toBe(255)
    const chain = response([name(longest), name([1, 99, 0xc0, here + 64]), name([0xc1, here + 255 + 14 - 256])])
    expect(decoded(chain).answers.map(record => record.name.length)).toEqual([253, 191, 191])
  })

  test("refuses a message that is cut anywhere", () => {
    const soa = encodeRecord("test", TYPE_SOA, 9, Uint8Array.of(0, 0, ...new Uint8Array(20)))
    const whole = response(
      [encodeRecord("www.a.test", TYPE_CNAME, 5, encodeName("b.test")), encodeRecord("b.test", TYPE_A, 5, Uint8Array.of(1, 2, 3, 4))],
      [soa],
    )
    expect(typeof decodeMessage(whole)).toBe("object")
    for (let end = 0; end < whole.length; end++) expect(typeof decodeMessage(whole.subarray(0, end))).toBe("string")
  })

  test("no octets make it throw or hang: noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => void decodeMessage(bytes)),
      { seed: 11, numRuns: 3000 },
    )
  })

  test("no octets make it throw or hang: good messages with changes", () => {
    const good = response([
      Uint8Array.of(...pointerToQuestion, 0, 5, 0, 1, 0, 0, 0, 7, 0, 6, 3, 119, 101, 98, 0xc0, 16),
      encodeRecord("web.a.test", TYPE_A, 60, Uint8Array.of(192, 0, 2, 1)),
    ])
    const change = fc.tuple(fc.nat(good.length - 1), fc.oneof(fc.constantFrom(0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff, 12), fc.nat(255)))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), changes => {
        const bytes = good.slice()
        for (const [at, octet] of changes) bytes[at] = octet
        const message = decodeMessage(bytes)
        if (typeof message !== "string") expect(readAnswer(message, "www.a.test", TYPE_A).addresses.length).toBeLessThanOrEqual(2)
      }),
      { seed: 12, numRuns: 5000 },
    )
  })

  test("a message full of pointers is read in no time", () => {
    // 64 KB, each record's name a chain over all names before it.
    const records: number[] = []
    let count = 0
    for (let at = 12; at < 65_000; at += 14, count++)
      records.push(
        1,
        97,
        ...(at < 30 ? [0] : [0xc0 | ((Math.min(at, 16_300) - 14) >> 8), (Math.min(at, 16_300) - 14) & 255]),
        0,
        1,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
      )
    const bytes = Uint8Array.of(0, 0, 0x81, 0x80, 0, 0, count >> 8, count & 255, 0, 0, 0, 0, ...records)
    const started = performance.now()
    decodeMessage(bytes)
    expect(performance.now() - started).toBeLessThan(200)
  })
})

describe("readAnswer", () => {
  const address = (name: string, last: number, ttl = 60) => encodeRecord(name, TYPE_A, ttl, Uint8Array.of(192, 0, 2, last))
  const alias = (name: string, target: string, ttl = 60) => encodeRecord(name, TYPE_CNAME, ttl, encodeName(target))
  const soa = (ttl: number, minimum: number) => encodeRecord("test", TYPE_SOA, ttl, Uint8Array.of(0, 0, ...new Uint8Array(19), minimum))
  const read = (answers: Uint8Array[], authorities: Uint8Array[] = [], flags?: number): Answer =>
    readAnswer(decoded(response(answers, authorities, flags)), "www.a.test", TYPE_A)

  test("follows aliases in any order and takes the shortest lifetime", () => {
    expect(read([address("c.test", 1, 50), alias("b.test", "c.test", 20), alias("www.a.test", "b.test", 30), address("c.test", 2, 40)])).toEqual({
      kind: "found",
      addresses: ["192.0.2.1", "192.0.2.2"],
      services: [],
      owner: "c.test",
      ttl: 20,
      detail: "",
    })
  })

  test("takes no address that the chain does not lead to", () => {
    expect(read([address("bank.test", 66), address("www.a.test", 1), alias("bank.test", "www.a.test")])).toMatchObject({
      kind: "found",
      addresses: ["192.0.2.1"],
    })
    expect(read([address("bank.test", 66)], [soa(60, 60)])).toMatchObject({ kind: "no-data", addresses: [] })
  })

  test("names each address once, and no more than 128", () => {
    expect(read([address("www.a.test", 1), address("www.a.test", 1)]).addresses).toEqual(["192.0.2.1"])
    expect(read(Array.from({ length: 200 }, (_, i) => address("www.a.test", i))).addresses.length).toBe(128)
  })

  test("a loop or an endless chain of aliases is a failure", () => {
    expect(read([alias("www.a.test", "b.test"), alias("b.test", "www.a.test")]).kind).toBe("failed")
    const chain = Array.from({ length: 30 }, (_, i) => alias(i === 0 ? "www.a.test" : `n${i}.test`, `n${i + 1}.test`))
    expect(read([...chain, address("n30.test", 1)]).kind).toBe("failed")
  })

  test("nothing found: for how long is said by the SOA (RFC 2308)", () => {
    expect(read([], [soa(60, 30)])).toMatchObject({ kind: "no-data", ttl: 30 })
    expect(read([], [soa(20, 30)], 0x8183)).toMatchObject({ kind: "no-name", ttl: 20 })
    expect(read([], [], 0x8183)).toMatchObject({ kind: "no-name", ttl: -1 })
    expect(read([alias("www.a.test", "b.test")], [soa(60, 60)])).toMatchObject({ kind: "no-data", ttl: 60 })
  })

  test("a server's trouble is a failure, an answer without recursion too", () => {
    expect(read([], [], 0x8182)).toMatchObject({ kind: "failed", detail: "SERVFAIL" })
    expect(read([], [], 0x8185)).toMatchObject({ kind: "failed", detail: "REFUSED" })
    expect(read([], [], 0x818b)).toMatchObject({ kind: "failed", detail: "response code 11" })
    expect(read([], [], 0x8100).kind).toBe("failed")
    expect(read([], [], 0x8500).kind).toBe("no-data")
  })
})
