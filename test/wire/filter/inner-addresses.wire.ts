import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { ResponseMessage } from "../../support/message.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

const port = await freePort()
// Answers with the lines that the request's X-Say asks for, separated by bars; @ stands for its own address.
const upstream = await recorder(request => {
  const lines = request.fields["x-say"]!.replaceAll("@", upstream.address).split("|")
  return ["HTTP/1.1 302 Found", ...lines, "Content-Length: 0", "\r\n"].join("\r\n")
})
const proxy = await startBothways(reverseConfig(port, upstream.address, { listener: { trustedHops: ["127.0.0.2"] } }))
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

async function say(lines: string, extra = "", from = "127.0.0.1"): Promise<ResponseMessage> {
  using client = await rawClient(port, { from })
  client.send(`GET / HTTP/1.1\r\nHost: shop.test:8080\r\nX-Say: ${lines}\r\n${extra}\r\n`)
  return await client.response()
}

describe("Location", () => {
  const cases: [string, string][] = [
    ["http://@/a?b#c", "http://shop.test:8080/a?b#c"],
    ["http://@", "http://shop.test:8080"],
    ["HTTP://@/a", "http://shop.test:8080/a"],
    ["https://@/a", "http://shop.test:8080/a"],
    ["/relative", "/relative"],
    ["http://other.test/a", "http://other.test/a"],
    ["http://@.evil.test/a", "http://@.evil.test/a"],
    ["http://u:p@127.0.0.1/a", "http://u:p@127.0.0.1/a"],
    ["http://other.test/?next=http://@/", "http://other.test/?next=http://@/"],
  ]
  for (const [inner, outer] of cases) {
    test(inner, async () => {
      const marked = inner.replace("u:p@", "u:p%40")
      expect((await say(`Location: ${marked}`)).fields.location).toBe(outer.replace("u:p@", "u:p%40").replaceAll("@", upstream.address))
    })
  }
  test("behind a trusted hop it is the scheme and host that the hop saw", async () => {
    const forwarded = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.test\r\n"
    expect((await say("Location: http://@/a", forwarded, "127.0.0.2")).fields.location).toBe("https://public.test/a")
    expect((await say("Location: http://@/a", forwarded, "127.0.0.1")).fields.location).toBe("http://shop.test:8080/a")
    const broken = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: javascript\r\nX-Forwarded-Host: a.test/x\r\n"
    expect((await say("Location: http://@/a", broken, "127.0.0.2")).fields.location).toBe("http://shop.test:8080/a")
  })
  test("Content-Location that names the peer, too", async () => {
    expect((await say("Content-Location: http://@/a")).fields["content-location"]).toBe("http://shop.test:8080/a")
  })
})

describe("Set-Cookie", () => {
  test("a Domain of the peer's own is taken off; other cookies stay as they are", async () => {
    const { head } = await say(
      "Set-Cookie: a=1; Domain=127.0.0.1; Path=/|Set-Cookie: b=2; Path=/; domain=.127.0.0.1|Set-Cookie: c=3; Domain=shop.test|Set-Cookie: d=4",
    )
    const cookies = head.match(/^Set-Cookie: .*$/gm)!.map(line => line.slice(12))
    expect(cookies.sort()).toEqual(["a=1; Path=/", "b=2; Path=/", "c=3; Domain=shop.test", "d=4"])
  })
  test("a cookie whose value looks like an attribute is left alone", async () => {
    expect((await say("Set-Cookie: domain=127.0.0.1; Path=/")).fields["set-cookie"]).toBe("domain=127.0.0.1; Path=/")
  })
})

test("who the servers are stays inside", async () => {
  const { fields } = await say('Server: Apache/2.4.1 (Debian)|Server: two|X-Powered-By: PHP/8|X-Powered-By: more|Alt-Svc: h3=":443"|X-Stay: 1')
  expect([fields.server, fields["x-powered-by"], fields["alt-svc"], fields["x-stay"]]).toEqual([undefined, undefined, undefined, "1"])
})
