import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"

const [deny, allow, open] = (await freePorts(3)) as [number, number, number]
const upstream = await recorder()
const refusal = { respond: { status: 403, body: "no" } }
const proxy = await startBothways({
  listeners: { deny: { bind: `127.0.0.1:${deny}` }, allow: { bind: `127.0.0.1:${allow}` }, open: { bind: `127.0.0.1:${open}` } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { match: { listener: "deny", path: ["/admin", "/admin/*"] }, to: refusal },
    { match: { listener: "deny" }, to: { cluster: "a" } },
    { match: { listener: "allow", path: "/pub/*" }, to: { cluster: "a" } },
    { match: { listener: "allow" }, to: refusal },
    { match: { listener: "open", path: ["/admin", "/admin/*"] }, encodedSlashes: "allow", to: refusal },
    { match: { listener: "open" }, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

async function get(port: number, target: string): Promise<{ status: number; sent: string | undefined }> {
  upstream.requests.length = 0
  using client = await rawClient(port)
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  const { status } = await client.response()
  return { status, sent: upstream.requests[0]?.start.split(" ")[1] }
}

/** How a server may read a path: it decodes once or not at all, takes backslashes for slashes or not, cuts parameters or not, and resolves dots at last. */
function readings(target: string): string[] {
  const path = target.split("?")[0]!
  const decoded = decodeURIComponent(path)
  const found = [path, decoded, decoded.replaceAll("\\", "/")]
  return [...found, ...found.map(text => text.replace(/;[^/]*/g, ""))].map(withoutDots)
}

function withoutDots(path: string): string {
  const out: string[] = []
  for (const segment of path.split("/").filter(part => part !== "" && part !== ".")) {
    if (segment === "..") out.pop()
    else out.push(segment)
  }
  return `/${out.join("/")}`
}

const listed = [
  "/pub/../admin",
  "/pub/%2e%2e/admin",
  "/pub/.%2E/admin",
  "/pub/..%2fadmin",
  "/pub/..%5cadmin",
  "//admin",
  "/./admin",
  "/admin/",
  "/admin%2fusers",
  "/%61dmin",
  "/admin;x=1",
  "/pub/..;/admin",
  "/admin\t",
  "/admin%00",
]

describe('O-18: no spelling walks around "deny /admin" or "allow /pub"', () => {
  for (const target of listed) {
    test(JSON.stringify(target), async () => {
      for (const port of [deny, allow]) {
        const { status, sent } = await get(port, target)
        expect([400, 403]).toContain(status)
        expect(sent).toBeUndefined()
      }
    })
  }
  test("a doubly encoded dot is data: passed as it came, and no server that decodes once reads it as /admin", async () => {
    for (const port of [deny, allow]) {
      const { sent } = await get(port, "/pub/%252e%252e/admin")
      expect(sent).toBe("/pub/%252e%252e/admin")
      for (const reading of readings(sent!)) expect(reading).toMatch(/^\/pub\//)
    }
  })
  test("dot segments that stay within the rule are resolved before they are sent", async () => {
    expect(await get(allow, "/pub/x/../y?q=/../z")).toEqual({ status: 200, sent: "/pub/y?q=/../z" })
    expect(await get(allow, "/x/%2e%2E/pub/./y")).toEqual({ status: 200, sent: "/pub/y" })
  })
  test("control octets are 400 everywhere", async () => {
    for (const port of [deny, allow, open])
      for (const target of ["/x%00", "/x%0a", "/x%0D%0Ay", "/x%7f", "/x\x01"]) expect((await get(port, target)).status).toBe(400)
  })
  test("encoded slashes can be allowed by the route: they are then data, and denied all the same where the rule is meant", async () => {
    expect(await get(open, "/w/a%2Fb")).toEqual({ status: 200, sent: "/w/a%2Fb" })
    expect((await get(open, "/admin/a%2Fb")).status).toBe(403)
  })
  test("overlong UTF-8 and %u escapes are refused", async () => {
    for (const target of ["/pub/%c0%ae%c0%ae/admin", "/%c0%af/admin", "/pub/%u002e%u002e/admin", "/pub/%e0%80%ae./admin"]) {
      for (const port of [deny, allow]) expect((await get(port, target)).status).toBe(400)
    }
  })
  test("a rule that matches in no reading of what reaches the upstream: generated paths", async () => {
    const parts = ["pub", "admin", "..", ".", "%2e%2e", ".%2e", "%2f", "%5c", ";x", "..;", "%61dmin", "", "%252e"]
    let state = 12345
    const next = (n: number): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n
    let passed = 0
    for (let i = 0; i < 300; i++) {
      const target = `/${Array.from({ length: 1 + next(5) }, () => parts[next(parts.length)]).join(next(4) === 0 ? "" : "/")}`
      const { sent } = await get(deny, target)
      if (sent === undefined) continue
      passed++
      for (const reading of readings(sent))
        expect({ target, sent, reading }).not.toMatchObject({ reading: expect.stringMatching(/^\/admin(?:\/|$)/) })
    }
    expect(passed).toBeGreaterThan(50)
  })
})
