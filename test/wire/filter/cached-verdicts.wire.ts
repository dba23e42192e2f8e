import { afterAll, beforeEach, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { type IcapQuestion, icapResponse, scriptedIcap, UNCHANGED } from "../../support/icap-server.ts"
import { freePort } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"

// What a cache keeps is what the origin said. Filters that judge answers stand behind it: they see a stored answer each time, small or large, and block it for the second client
// as for the first.
const small = "win at the casino"
const large = `${"word ".repeat(60_000)}casino`
let script: (question: IcapQuestion) => string = () => UNCHANGED
const scanner = await scriptedIcap(question => script(question))
const origin = await recorder(request => {
  const body = request.start.includes("/large") ? large : small
  return `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=600\r\nContent-Length: ${body.length}\r\n\r\n${body}`
})
const port = await freePort()
const cached = { cache: { store: "main" } }
const route = (path: string, ...filters: object[]) => ({ match: { path: `/${path}/*` }, filters: [...filters, cached], to: { origin: {} } })
const proxy = await startBothways({
  listeners: { egress: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow" } } },
  caches: { main: { memory: "16MB" } },
  routes: [
    route("keywords", { keywords: { phrases: ["casino"], in: ["response"], bytesMax: "1MB" } }),
    route("icap", { icap: { server: `icap://127.0.0.1:${scanner.port}`, response: "scan" } }),
    route("policy", { policy: { rules: [{ name: "no-pages", response: { type: "text/html" }, action: "block" }] } }),
    route("plain"),
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
  await scanner[Symbol.asyncDispose]()
})
beforeEach(() => {
  script = () => UNCHANGED
})

const status = async (path: string, ...args: string[]): Promise<string> =>
  (
    await run(
      "curl",
      "-s",
      ...args,
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "-x",
      `http://127.0.0.1:${port}`,
      `http://127.0.0.1:${origin.port}${path}`,
    )
  ).stdout

test.each(["keywords", "policy", "icap"])("%s: blocked from the cache as from the origin", async name => {
  script = () => icapResponse("HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\n", "virus", "X-Infection-Found: test\r\n")
  for (const size of ["small", "large"]) {
    const before = origin.requests.length
    const seen: string[] = []
    for (let i = 0; i < 4; i++) seen.push(await status(`/${name}/${size}`))
    expect([name, size, seen]).toEqual([name, size, ["403", "403", "403", "403"]])
    expect(origin.requests.length - before).toBeLessThan(4)
  }
})

test.each(["keywords", "icap"])("%s: a part of a body does not get around it", async name => {
  script = () => icapResponse("HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\n", "virus", "X-Infection-Found: test\r\n")
  expect(await status(`/${name}/part`, "-r", "0-2")).toBe("403")
  expect(origin.requests.at(-1)!.fields["range"]).toBeUndefined()
})

test("what is let through stays in the cache", async () => {
  const before = origin.requests.length
  for (let i = 0; i < 3; i++) expect(await status("/icap/clean")).toBe("200")
  expect(origin.requests.length - before).toBe(1)
  expect(scanner.questions.filter(({ message }) => message.includes("/icap/clean")).length).toBe(3)
})
