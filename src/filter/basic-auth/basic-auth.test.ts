import { describe, expect, test } from "bun:test"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import basicAuth from "./basic-auth.ts"

const file = "bob:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\n" // open
const get = (fields = "") => `GET /a HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`

function start(options: Record<string, unknown> = {}) {
  const deps = new FakeDeps({ "/etc/users": file })
  return new FilterRun(basicAuth.build(basicAuth.options.parse({ htpasswd: "users", ...options }), deps))
}

describe("basic-auth", () => {
  test("asks with 401, then lets in and says who it is", () => {
    const run = start({ realm: "staff" })
    const reply = run.send(get())
    expect(reply).toStartWith("HTTP/1.1 401 Unauthorized\r\n")
    expect(reply).toContain('\r\nWWW-Authenticate: Basic realm="staff", charset="UTF-8"\r\n')
    expect(reply).not.toContain("Proxy-Authenticate")
    expect(run.send(get(basic("bob:x")))).toStartWith("HTTP/1.1 401 ")
    expect(run.send(get(basic("bob:open")))).toStartWith("HTTP/1.1 404 ")
    expect(run.seen.faults).toEqual(["proxy.login-required", "proxy.login-required", ""])
    expect(run.seen.users).toEqual(["", "", "bob"])
  })

  test("Authorization stays here unless the option says otherwise", () => {
    const fields = basic("bob:open")
    const strips = start()
    strips.send(get(fields))
    expect(strips.seen.sent).toEqual(["Host: a.test\r\n"])
    const keeps = start({ keepAuthorization: true })
    keeps.send(get(fields))
    expect(keeps.seen.sent).toEqual([`Host: a.test\r\n${fields}`])
  })

  test("proxy credentials are not credentials of the site", () => {
    const run = start()
    expect(run.send(get(`Proxy-${basic("bob:open")}`))).toStartWith("HTTP/1.1 401 ")
  })

  test("the fifth wrong attempt closes the connection", () => {
    const run = start()
    for (let i = 0; i < 5; i++) run.send(get(basic("bob:x")))
    expect(run.seen.faults.at(-1)).toBe("proxy.login-repeated")
  })
})
