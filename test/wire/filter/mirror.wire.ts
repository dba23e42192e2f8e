import { afterAll, describe, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"
import { Version } from "../split/split-world.ts"

// A copy of a request never shows to the client, whatever becomes of it; and what its answer says otherwise is noticed.

const [web, plain] = await freePorts(2)
const dead = await freePort()
const live = await Version.start("live")
const shadow = await Version.start("shadow")
const silent = await Version.start("silent")
silent.answer = () => {}

/** Bodies that came, with method and target. */
const bodies: Record<string, string[]> = { live: [], shadow: [] }
for (const version of [live, shadow]) {
  version.answer = (request, response) => {
    let body = ""
    request.on("data", chunk => (body += String(chunk)))
    request.on("end", () => {
      bodies[version.name]!.push(
        `${request.method} ${request.url} ${request.headers["content-length"] ?? request.headers["transfer-encoding"] ?? "-"} ${request.headers["x-bothways-mirror"] ?? "-"} ${request.headers.host} ${body}`,
      )
      answer(request.url!, version.name, response)
    })
  }
}

function answer(target: string, name: string, response: Parameters<typeof live.answer>[1]): void {
  const isShadow = name === "shadow"
  if (target === "/status" && isShadow) return void response.writeHead(500).end("broken")
  if (target === "/json")
    return void response
      .writeHead(200, { "Content-Type": "application/json" })
      .end(JSON.stringify({ price: 10, time: name, items: [{ id: name, n: 1 }] }))
  if (target === "/price")
    return void response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ price: isShadow ? 11 : 10, time: name }))
  if (target === "/gzip") {
    const text = "the same text ".repeat(50)
    return void (isShadow ? response.writeHead(200).end(text) : response.writeHead(200, { "Content-Encoding": "gzip" }).end(gzipSync(text)))
  }
  if (target === "/header") return void response.writeHead(200, { "X-Limit": isShadow ? "2" : "1" }).end("same")
  if (target === "/long") return void response.writeHead(200).end(name.repeat(20_000))
  response.writeHead(200, { "Content-Type": "text/plain", "X-Request-Id": name }).end("same")
}

const mirror = (to: string, more: object = {}) => ({ mirror: { to, ...more } })
const compare = { headers: { ignore: ["X-Request-Id"] }, body: { ignore: ["$.time", "$.items[*].id"] } }

const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${web}` }, plain: { bind: `127.0.0.1:${plain}` } },
  clusters: {
    live: { peers: [live.address] },
    shadow: { peers: [shadow.address] },
    dead: { peers: [`127.0.0.1:${dead}`] },
    silent: { peers: [silent.address] },
  },
  routes: [
    { match: { listener: "plain" }, to: { cluster: "live" } },
    { match: { host: "dead.test" }, filters: [mirror("dead", { compare })], to: { cluster: "live" } },
    { match: { host: "silent.test" }, filters: [mirror("silent", { inFlightMax: 4, timeout: "20s", compare })], to: { cluster: "live" } },
    { match: {}, filters: [mirror("shadow", { compare })], to: { cluster: "live" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  for (const version of [live, shadow, silent]) await version[Symbol.asyncDispose]()
})

async function ask(port: number, host: string, target: string, more = ""): Promise<string> {
  using client = await rawClient(port)
  client.send(more === "" ? `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n` : `POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}`)
  const { head, body } = await client.response()
  return `${head.replace(/^Date: .*\r\n/im, "").replace(/bothways-[0-9a-f]+-\d/, "ID")}${body}`
}

const counter = async (name: string): Promise<number> => (await scrape(proxy)).get(`bothways_mirror_${name}_total`) ?? 0
const before = async (name: string): Promise<() => Promise<number>> => {
  const was = await counter(name)
  return async () => (await counter(name)) - was
}

describe("what the client sees", () => {
  test("is octet for octet what it would see without a mirror: shadow well, wrong, dead and silent", async () => {
    for (const target of ["/", "/status", "/json", "/gzip", "/long"]) {
      const wanted = await ask(plain!, "a.test", target)
      for (const host of ["a.test", "dead.test", "silent.test"]) expect([host, target, await ask(web!, host, target)]).toEqual([host, target, wanted])
    }
  })

  test("and it does not wait: a shadow that says nothing holds up none, and is sent no more than the limit", async () => {
    const dropped = await before("dropped")
    const had = silent.requests
    const began = performance.now()
    for (let i = 0; i < 10; i++) await ask(web!, "silent.test", "/")
    expect(performance.now() - began).toBeLessThan(5000)
    expect(silent.requests - had).toBeLessThanOrEqual(4)
    expect(await until(dropped)).toBeGreaterThanOrEqual(6)
  })
})

describe("the copy", () => {
  test("has the body, however it is framed, and the client's host; the peer sees the framing that came", async () => {
    for (const list of Object.values(bodies)) list.length = 0
    await ask(web!, "a.test", "/p", "Content-Length: 5\r\n\r\nhello")
    await ask(web!, "a.test", "/p", "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
    await until(() => bodies["shadow"]!.length === 2)
    expect(bodies["live"]).toEqual(["POST /p 5 - a.test hello", "POST /p chunked - a.test hello"])
    expect(bodies["shadow"]).toEqual(["POST /p 5 1 a.test hello", "POST /p 5 1 a.test hello"])
  })

  test("is not made of long bodies, which arrive all the same", async () => {
    const tooLong = await before("too_long")
    const had = bodies["shadow"]!.length
    const long = "x".repeat(70_000)
    await ask(web!, "a.test", "/p", `Content-Length: ${long.length}\r\n\r\n${long}`)
    await ask(web!, "a.test", "/p", `Transfer-Encoding: chunked\r\n\r\n${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`)
    expect(bodies["live"]!.slice(-2).every(line => line.endsWith(long))).toBe(true)
    expect([bodies["shadow"]!.length - had, await until(tooLong)]).toEqual([0, 2])
  })
})

describe("comparing", () => {
  test("finds what was planted, says where and not what, and lets pass what is ignored", async () => {
    const [compared, differs] = [await before("compared"), await before("mismatches")]
    for (const target of ["/", "/json", "/gzip"]) await ask(web!, "a.test", target)
    await until(async () => (await compared()) === 3)
    expect(await differs()).toBe(0)
    for (const target of ["/price", "/status", "/header"]) await ask(web!, "a.test", `${target}`)
    await until(async () => (await compared()) === 6)
    expect(await differs()).toBe(3)
    const told = await until(() => {
      const lines = proxy.program.stderr.split("\n").filter(line => line.includes("the answer to a mirrored request differs"))
      return lines.some(line => line.includes("/header")) ? lines : null
    })
    expect(told.find(line => line.includes("/price"))).toMatch(/cluster=shadow method=GET path=\/price body=\$\.price/)
    expect(told.find(line => line.includes("path=/status"))).toContain("status=200/500")
    expect(told.find(line => line.includes("/header"))).toContain("headers=x-limit")
  })

  test("a client that leaves in the middle, and answers that are too long, are nobody's mismatch", async () => {
    const differs = await before("mismatches")
    await ask(web!, "a.test", "/long")
    using client = await rawClient(web!)
    client.send("GET /long HTTP/1.1\r\nHost: a.test\r\n\r\n")
    client.destroy()
    await ask(web!, "a.test", "/")
    expect(await differs()).toBe(0)
  })
})
