import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../../base/index.ts"
import { Fields } from "../../../http/index.ts"
import { sampleExchange } from "../sample-exchange.fixture.ts"
import template, { templateFormatter } from "./template.ts"

const clock = new FakeClock(0, Date.UTC(2026, 10, 26, 1, 7, 46, 5))

function messageOf(options: unknown): string {
  const result = template.options.safeParse(options)
  return result.success ? "" : JSON.stringify(result.error.issues)
}

describe("template", () => {
  test("text and variables", () => {
    const format = templateFormatter(
      template.options.parse("$client ${status} $$5 $durationMs $peer ${requestField:X-Id}|${responseField:server}|$user"),
      clock,
    )
    const x = sampleExchange({ response: Fields.of([["Server", 's"1']]) }, [["X-Id", "7"]])
    expect(format(x)).toBe("192.0.2.17 200 $5 3.1 127.0.0.1:9001 7|s\\x221|-\n")
  })

  test("every fact can be named", () => {
    const words = [
      "time",
      "listener",
      "client",
      "user",
      "method",
      "scheme",
      "host",
      "target",
      "version",
      "status",
      "fault",
      "route",
      "cluster",
      "peer",
      "attempts",
    ]
    words.push(
      "durationMs",
      "connectMs",
      "waitMs",
      "requestBytes",
      "responseBytes",
      "userAgent",
      "referer",
      "requestId",
      "peerAddress",
      "timeLocal",
      "request",
      "authority",
      "port",
    )
    for (const word of words) expect(messageOf(`$${word}`)).toBe("")
    const line = templateFormatter(
      template.options.parse(
        words
          .slice(0, 24)
          .map(word => `$${word}`)
          .join(" "),
      ),
      clock,
    )(sampleExchange())
    expect(line).toBe(
      "2026-11-26T01:07:46.005Z web 192.0.2.17 - GET http shop.example /a/b?page=2 1.1 200 - shop stock 127.0.0.1:9001 1 3.1 0.25 2.26 0 1234 - - - 198.51.100.9\n",
    )
  })

  test("escape: json makes values fit into JSON", () => {
    const options = template.options.parse({ text: '{"u":"$user","a":"$userAgent","w":$waitMs}', escape: "json" })
    const line = templateFormatter(options, clock)(sampleExchange({ headAt: 0 }, [["User-Agent", '"\n\xff']]))
    expect(JSON.parse(line)).toEqual({ u: "", a: '"\n\xff', w: null })
  })

  test.each([
    ["$clinet", "did you mean $client? Valid are $time, $listener, $client"],
    ["$ x", "a dollar sign alone is written $$"],
    ["a\nb", "expected one line without control characters"],
    ["${requestField:Authorization}", "holds credentials"],
    ["${requestField:proxy-authorization}", "holds credentials"],
    ["${requestField:Cookie}", "holds credentials"],
    ["${responseField:Set-Cookie}", "holds credentials"],
  ])("refuses %j", (text, message) => {
    expect(messageOf(text)).toContain(message)
    expect(messageOf({ text })).toContain(message)
  })
})
