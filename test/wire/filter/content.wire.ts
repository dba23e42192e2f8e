import { afterAll, describe, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"

const page = (text: string): string => `<!doctype html><p>${text}</p>`
const pages: Record<string, string> = {
  "/bad": page("win at the casino today"),
  "/help": page("the casino harms: addiction help"),
  "/good": page("nothing of the kind"),
  "/long": page(`${"word ".repeat(200_000)}`),
}
const origin = await recorder(request => {
  const path = request.start.split(" ")[1]!.split("?")[0]!
  const text = pages[path.replace(/^\/gzip/, "")] ?? "ok"
  if (!path.startsWith("/gzip")) return `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${text.length}\r\n\r\n${text}`
  const packed = gzipSync(text).toString("latin1")
  return `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n${packed}`
})
const port = await freePort()
const proxy = await startBothways({
  listeners: { egress: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow" } } },
  routes: [
    { match: { path: "/block/*" }, filters: [{ "sensitive-data": { action: "block" } }], to: { origin: {} } },
    { match: { path: "/mask/*" }, filters: [{ "sensitive-data": { find: ["cards", "emails"] } }], to: { origin: {} } },
    {
      filters: [
        { decompress: { response: "always" } },
        { keywords: { phrases: ["casino", "addiction help = -100"], in: ["response"], bytesMax: "64KB" } },
        { compress: { minBytes: 1 } },
      ],
      to: { origin: {} },
    },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

const site = `http://127.0.0.1:${origin.port}`
const curl = (...args: string[]) => run("curl", "-s", "--compressed", "-w", "\n%{http_code}", "-x", `http://127.0.0.1:${port}`, ...args)

describe("words in pages", () => {
  test("a page is blocked by its words, and speaks for itself; packed ones are opened, read and packed again", async () => {
    for (const [path, status] of [
      ["/bad", 403],
      ["/gzip/bad", 403],
      ["/good", 200],
      ["/gzip/good", 200],
      ["/help", 200],
      ["/gzip/help", 200],
    ] as const) {
      const { stdout } = await curl(site + path)
      expect([path, stdout.slice(-3)]).toEqual([path, String(status)])
      if (status === 403) expect(stdout).toContain("proxy.content-blocked")
      else expect(stdout).toContain(pages[path.replace("/gzip", "")]!)
    }
    await until(() => proxy.log().some(line => line.rule === "keywords: casino" && line.action === "block" && line.status === 403))
  })

  test("a long page comes whole", async () => {
    expect((await curl(`${site}/long`)).stdout).toBe(`${pages["/long"]}\n200`)
  })
})

describe("what should not leave", () => {
  test("masked on its way, with the same length", async () => {
    const before = origin.requests.length
    await curl("-d", "card=4111 1111 1111 1111&mail=ann@shop.example&x=1", `${site}/mask/form?to=bob@shop.example`)
    const request = origin.requests[before]!
    expect(request.start).toBe("POST /mask/form?to=***@****.******* HTTP/1.1")
    expect(request.body).toBe("card=**** **** **** ****&mail=***@****.*******&x=1")
    expect(request.fields["content-length"]).toBe(String(request.body.length))
  })

  test("blocked before anything leaves, also a body that comes slowly", async () => {
    const before = origin.requests.length
    expect((await curl("-d", `x=${"y".repeat(3000)}&card=4111111111111111`, `${site}/block/form`)).stdout).toEndWith("403")
    using client = await rawClient(port)
    client.send(`POST ${site}/block/slow HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\nContent-Length: 18\r\n\r\nc=41111111`)
    client.send("11111111")
    expect((await client.response()).status).toBe(403)
    expect(origin.requests.length).toBe(before)
    expect((await curl("-d", "plain=1", `${site}/block/form`)).stdout).toEndWith("200")
    expect(origin.requests.length).toBe(before + 1)
  })
})
