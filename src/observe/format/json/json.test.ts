import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FAULT, FakeClock } from "../../../base/index.ts"
import { Fields } from "../../../http/index.ts"
import { sampleExchange } from "../sample-exchange.fixture.ts"
import json, { jsonFormatter } from "./json.ts"

const format = jsonFormatter({ redact: true }, new FakeClock(0, Date.UTC(2026, 10, 26, 1, 7, 46, 5)))

describe("json", () => {
  test("a full line, key by key", () => {
    const x = sampleExchange({ user: "ann", fault: FAULT.truncated }, [
      ["User-Agent", "curl/8"],
      ["Referer", "https://ref.test/?token=1"],
      ["X-Request-Id", "r-1"],
    ])
    const line =
      '{"time":"2026-11-26T01:07:46.005Z","listener":"web","client":"192.0.2.17","user":"ann","method":"GET","scheme":"http",' +
      '"host":"shop.example","port":8080,"target":"/a/b?page=2","version":"1.1","status":200,"fault":"upstream.truncated","route":"shop","cluster":"stock",' +
      '"peer":"127.0.0.1:9001","attempts":1,"durationMs":3.1,"connectMs":0.25,"waitMs":2.26,"requestBytes":0,"responseBytes":1234,' +
      '"userAgent":"curl/8","referer":"https://ref.test/?token=***","requestId":"r-1"}\n'
    expect(format(x)).toBe(line)
  })

  test("fields that do not apply are left out", () => {
    const x = sampleExchange({
      plan: null,
      listener: null,
      method: "",
      authority: "",
      host: "",
      path: "",
      query: "",
      status: 400,
      fault: FAULT.malformed,
      peerName: "",
      attempts: 0,
    })
    expect(format(x)).toBe(
      '{"time":"2026-11-26T01:07:46.005Z","client":"192.0.2.17","status":400,"fault":"client.malformed","durationMs":3.1,"requestBytes":0,"responseBytes":1234}\n',
    )
  })

  test("a client that left before it got an answer has the status of its fault", () => {
    expect(JSON.parse(format(sampleExchange({ status: 0, fault: FAULT.aborted })))).toMatchObject({ status: 499, fault: "client.aborted" })
  })

  test("CONNECT shows the authority as the target", () => {
    const x = sampleExchange({ method: "CONNECT", path: "", query: "", host: "app.test", authority: "app.test:443", forwardForm: true })
    x.sentAt = 0
    expect(JSON.parse(format(x))).not.toHaveProperty("waitMs")
    expect(JSON.parse(format(x))).toMatchObject({ method: "CONNECT", host: "app.test", target: "app.test:443" })
  })

  test("the scheme's own port is not told", () => {
    expect(format(sampleExchange({ port: 80 }))).not.toContain('"port"')
    expect(format(sampleExchange({ port: 443, scheme: "https" }))).not.toContain('"port"')
    expect(format(sampleExchange({ port: 443 }))).toContain('"port":443,')
  })

  test("credentials are in no line", () => {
    const x = sampleExchange({ query: "?api_key=zecret" }, [
      ["Authorization", "Bearer zecret"],
      ["Proxy-Authorization", "Basic zecret"],
      ["Cookie", "a=zecret"],
    ])
    x.response = Fields.of([["Set-Cookie", "a=zecret"]])
    expect(format(x)).not.toContain("zecret")
  })

  test("whatever a client sends is one line of JSON that gives it back octet for octet", () => {
    const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)), maxLength: 40 })
    fc.assert(
      fc.property(octets, octets, octets, fc.string({ unit: "binary", maxLength: 20 }), (agent, path, id, user) => {
        const x = sampleExchange({ path: `/${path}`, query: "", user }, [
          ["User-Agent", `a${agent}`],
          ["X-Request-Id", `i${id}`],
        ])
        const line = format(x)
        expect(line.indexOf("\n")).toBe(line.length - 1)
        expect(JSON.parse(line)).toMatchObject({ target: `/${path}`, userAgent: `a${agent}`, requestId: `i${id}` })
        expect(JSON.parse(line).user ?? "").toBe(user)
      }),
      { seed: 11, numRuns: 200 },
    )
  })

  test("the word alone is a valid format", () => {
    expect(json.options.parse(undefined)).toEqual({ redact: true })
    expect(json.options.safeParse({ redakt: true }).success).toBe(false)
    expect(json.compile({ redact: false })(sampleExchange({ query: "?token=1" }))).toContain("?token=1")
  })
})
