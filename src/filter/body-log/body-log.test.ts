import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import bodyLog from "./body-log.ts"
import { Capture } from "./capture.ts"
import { hidePatterns } from "./hide-patterns.ts"
import { compileRedaction } from "./redaction.ts"

const redaction = compileRedaction({ names: ["pet_name"], patterns: ["zz-[0-9]+"] })
const json = "application/json"
const form = "application/x-www-form-urlencoded"

describe("secrets in bodies", () => {
  // Each hides every "hidden" and keeps every "shown".
  const cases: readonly (readonly [string, string])[] = [
    [json, '{"user":"shown","password":"hidden"}'],
    [json, '{ "a" : [ { "accessToken" : [ "hidden", { "x": "hidden" } ], "n": "shown" } ] }'],
    [json, '{"secret":{"a":{"b":"hidden","c":["hidden"]}},"name":"shown"}'],
    [json, '{"pass\\u0077ord":"hidden","client-secret":"hid\\"hidden","API_KEY" : "hidden"}'],
    [json, '["shown",{"pet-name":"hidden"},"shown"]'],
    [json, '{"query":"mutation { login(password: \\"hidden\\", name: \\"shown\\") }"}'],
    [json, '{"inner":"{\\"token\\":\\"hidden\\",\\"b\\":\\"shown\\"}"}'],
    [json, '{"inner":"{\\"more\\":\\"{\\\\\\"token\\\\\\":\\\\\\"hidden\\\\\\"}\\"}"}'],
    [json, '{"name":"shown","token":"hidden and cut'],
    [json, '{"name":"shown","secret":{"a":"hidden"'],
    [json, '{"note":"Bearer hidden","next":"shown"}'],
    ["application/problem+json", '{"password":"hidden"}'],
    ["text/plain", '{"password":"hidden"}'],
    ["application/x-ndjson", '{"token":"hidden"}\n{"a":"shown","token":"hidden"}\n'],
    [form, "a=shown&password=hidden&b=shown"],
    [form, "user%5Bpass%77ord%5D=hidden&keys[0][token]=hidden&password[1]=hidden&page=shown"],
    [form, "json=%7B%22token%22%3A%22hidden%22%2C%22a%22%3A%22shown%22%7D"],
    [form, "auth=hidden+hidden&note=Bearer+hidden&q=shown"],
    [json, '{"text":"shown\\npin=hidden\\np\\u0061ss: hidden"}'],
    ["text/plain", "user shown\nPassword: hidden hidden\nname: shown"],
    ["text/plain", "Authorization: Custom hidden\r\nX-Api-Key: hidden\r\nAccept: shown"],
    ["text/plain", "run --password=hidden --name=shown"],
    ["text/plain", "export API_TOKEN='hidden' HOME=shown zz-1"],
    ["text/plain", "https://user:hidden@shown.example/path"],
    ["application/xml", '<a><password>hidden</password><n:token id="1">hidden</n:token><b api-key="hidden">shown</b></a>'],
    [
      "multipart/form-data; boundary=XX",
      '--XX\r\nContent-Disposition: form-data; name="password"\r\n\r\nhidden\r\n--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nshown\r\n--XX--',
    ],
    ["multipart/form-data; boundary=XX", '--XX\r\nContent-Disposition: form-data; name="f"; filename="shown.txt"\r\n\r\nhidden hidden\r\n--XX--'],
    ["text/plain", "eyJhbGciOiJIUzI1NiJ9.hidden.hidden shown"],
    ["text/plain", "-----BEGIN RSA PRIVATE KEY-----\nhidden\nhidden"],
  ]
  test.each(cases)("%s %j", (type, text) => {
    const clean = redaction.body(type, text, false)
    expect(clean).not.toContain("hidden")
    expect(clean.match(/shown/g)?.length ?? 0).toBe(text.match(/shown/g)?.length ?? 0)
  })

  test.each([
    ["4111111111111111", "***"],
    ["4111 1111 1111 1111", "***"],
    ["card 4111-1111-1111-1111, 12 pieces", "card ***, 12 pieces"],
    ["12 4111 1111 1111 1111 99", "12 *** 99"],
    ["378282246310005", "***"],
    ["3782 822463 10005", "***"],
    ["5555.5555.5555.4444", "***"],
    ["4111111111111112", "4111111111111112"],
    ["41111111111111111111111", "41111111111111111111111"],
    ["order 1234567890123", "order 1234567890123"],
    ["2024-01-02 10:11:12", "2024-01-02 10:11:12"],
  ])("cards: %s", (text, clean) => {
    expect(hidePatterns(text)).toBe(clean)
  })

  test("cards in JSON, forms and numbers", () => {
    expect(redaction.body(json, '{"n":4111111111111111,"s":"4111 1111 1111 1111"}', false)).not.toContain("1111")
    for (const value of ["4111+1111+1111+1111", "4111%201111%201111%201111", "4111-1111-1111-1111"])
      expect(redaction.body(form, `card=${value}&a=1`, false)).toBe("card=***&a=1")
  })

  test("what is cut within a number is hidden: the rest may make it a card", () => {
    expect(redaction.body("text/plain", "pay with 4111 1111 11", true)).toBe("pay with ***")
    expect(redaction.body("text/plain", "pay with 4111 1111 11", false)).toBe("pay with 4111 1111 11")
    const whole = '{"a":"x","password":"hunter2hunter2","card":"4111 1111 1111 1111","b":"y"}'
    for (let cut = 1; cut < whole.length; cut++) {
      const clean = redaction.body(json, whole.slice(0, cut), true)
      expect(clean).not.toMatch(/hunter|4111 11/)
    }
  })

  test("hostile texts take linear time, and hide what they must all the same", () => {
    const secret = ' password="hidden" 4111111111111111'
    for (const piece of [
      "1",
      "1 ",
      "a",
      "a-",
      "a.b",
      '"',
      "\\",
      '\\"',
      "'",
      "{",
      '{"a":',
      "password",
      "password=",
      "<a ",
      "<a>",
      "&",
      "=",
      "a://",
      "eyJa.",
      "-----BEGIN ",
      "bearer ",
    ])
      for (const type of [json, form, "text/plain"]) {
        const text = piece.repeat(Math.floor(60_000 / piece.length))
        const startedAt = performance.now()
        redaction.body(type, text, true)
        expect(performance.now() - startedAt).toBeLessThan(2000)
        if (!/["'\\=:<]/.test(piece)) expect(redaction.body("text/plain", `${text}x${secret}`, false)).not.toMatch(/hidden|4111111111111111$/)
      }
  }, 60_000)

  test("whatever the text, it ends; other text stays", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('"', "\\", "{", "}", "[", ":", ",", "a", "password", "=", "&", "<", ">", " ", "1", "\n", "'") }),
        text => {
          for (const type of [json, form, "text/plain", "multipart/form-data; boundary=a"]) redaction.body(type, text, true)
        },
      ),
    )
    for (const text of ['{"a":[1,2,{"b":null}],"c":"basic information"}', "token", "a=1&b=2", "the tokens: used", "<p>text</p>"])
      expect(redaction.body("text/plain", text, false)).toBe(text)
  })
})

test("fields and queries", () => {
  const field = (name: string, value: string) => redaction.field(name, value)
  expect(field("cookie", "a=b; c=d")).toBe("a=***; c=***")
  expect(field("set-cookie", "sid=x; Path=/; HttpOnly")).toBe("sid=***; Path=/; HttpOnly")
  expect(field("authorization", "Bearer abc")).toBe("Bearer ***")
  expect(field("x-api-key", "abc")).toBe("***")
  expect(field("referer", "https://a/?token=x&b=1#f")).toBe("https://a/?token=***&b=1#f")
  expect(field("accept", "text/html;q=0.9")).toBe("text/html;q=0.9")
  expect(redaction.query("?a=1&token=x&q=4111111111111111&pet_name=rex")).toBe("?a=1&token=***&q=***&pet_name=***")
  expect(compileRedaction(false).query("?token=x")).toBe("?token=x")
})

test("a capture keeps the beginning, whatever the chunks, and hands on all", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.integer({ min: 1, max: 40 }), (chunks, max) => {
      const capture = new Capture(max, "", "")
      for (const chunk of chunks) {
        const lent = Buffer.from(chunk.map(octet => octet & 127))
        expect(capture.push(lent)).toBe(lent)
        lent.fill(0xee)
      }
      const all = Buffer.concat(chunks).map(octet => octet & 127)
      expect([capture.text(), capture.bytes, capture.isCut]).toEqual([Buffer.from(all.subarray(0, max)).toString(), all.length, all.length > max])
    }),
  )
  const cut = new Capture(3, "", "")
  cut.push(Buffer.from("né!"))
  expect(cut.text()).toBe("né")
  const half = new Capture(2, "", "")
  half.push(Buffer.from("né"))
  expect(half.text()).toBe("n")
})

test("the length of a body that is only looked at stays", () => {
  const run = new FilterRun(bodyLog.build(bodyLog.options.parse({}), new FakeDeps()))
  const reply = run.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
  expect(run.seen.sent[0]).toContain("Content-Length: 3\r\n")
  expect(reply).toMatch(/content-length: 8\r\n/i)
})

test("says what it does", () => {
  const said = (options: unknown) => bodyLog.build(bodyLog.options.parse(options), new FakeDeps()).describe!()
  expect(said({})).toBe("all to stdout, bodies up to 4KB and 4KB")
  expect(said({ to: { file: "b.log" }, sample: "10%", responseBody: 0, redact: false })).toBe(
    "10 % to b.log, bodies up to 4KB and 0B, secrets not hidden",
  )
})

test.each([
  [{ sample: 2 }, "from 0 to 1"],
  [{ redact: { patterns: ["(?=a)"] } }, "look-around"],
  [{ to: "stderr" }, "to"],
  [{ requestBody: "2MB" }, "at most 1MB"],
])("refuses %j", (given, message) => {
  const result = bodyLog.options.safeParse(given)
  expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(message)
})
