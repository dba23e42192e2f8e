import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { startBothways } from "../../../support/bothways.ts"
import { rawH2Client } from "../../../support/h2/raw-h2-client.ts"
import { rawH3Client } from "../../../support/h3/raw-h3-client.ts"
import { secureListener } from "../../../support/h3/secure-config.ts"
import type { Message } from "../../../support/message.ts"
import { freePorts } from "../../../support/ports.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { scriptedServer } from "../../../support/scripted-server.ts"
import { pause, until } from "../../../support/wait.ts"
import { answer, targetOf } from "../cached-origin.ts"

// RFC 8297: what a page will need is said before the page is there.
const link = "</a.css>; rel=preload; as=style"
const pages: Record<string, readonly string[]> = {
  // Stored, and asked about each time.
  "/checked": ["Cache-Control: no-cache", 'ETag: "1"', `Link: ${link}, </next>; rel=next`],
  "/fresh": ["Cache-Control: max-age=600", `Link: ${link}`],
  "/by-language": ["Cache-Control: no-cache", 'ETag: "1"', "Vary: Accept-Language"],
  // Not stored: larger than the route stores.
  "/large": ["Cache-Control: max-age=600", `Link: ${link}`],
  "/large-for-cookies": ["Cache-Control: max-age=600", `Link: ${link}`],
  "/private": ["Cache-Control: private", `Link: ${link}`],
  "/sets": ["Cache-Control: no-cache", `Link: ${link}`, "Set-Cookie: a=1"],
  "/plain": ["Cache-Control: no-cache", 'ETag: "1"'],
}

/** Answers wait for the test to open the gate. */
let gate = Promise.withResolvers<void>()
let waiting = 0
function close(): void {
  gate = Promise.withResolvers()
  waiting = 0
}

function answerTo(request: Message): string {
  const path = targetOf(request).split("?")[0]!
  const fields = pages[path]!
  const own = path === "/by-language" ? [`Link: </${request.fields["accept-language"] ?? ""}.css>; rel=preload`] : []
  if (request.fields["if-none-match"] === '"1"') return ["HTTP/1.1 304 Not Modified", ...fields, ...own, "", ""].join("\r\n")
  return answer((path.startsWith("/large") ? "x" : "").padEnd(path.startsWith("/large") ? 3000 : 5, "."), [...fields, ...own])
}

const origin = await scriptedServer(async connection => {
  while (true) {
    const request = await connection.request(60_000)
    waiting++
    if (targetOf(request).includes("?early")) connection.send("HTTP/1.1 103 Early Hints\r\nLink: </own.css>; rel=preload\r\n\r\n")
    await gate.promise
    connection.send(answerTo(request))
  }
})
const [port, securePort, offPort] = (await freePorts(3)) as [number, number, number]
const cache = (more: object): object[] => [{ cache: { store: "main", bodyMax: "2KB", ...more } }]
const proxy = await startBothways({
  listeners: {
    web: { bind: `127.0.0.1:${port}` },
    secure: { bind: `127.0.0.1:${securePort}`, ...secureListener() },
    off: { bind: `127.0.0.1:${offPort}` },
  },
  clusters: { a: { peers: [origin.address] } },
  caches: { main: { memory: "16MB" } },
  routes: [
    { match: { listener: "off" }, filters: cache({}), to: { cluster: "a" } },
    { match: {}, filters: cache({ earlyHints: true, key: { query: "ignore" } }), to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  gate.resolve()
  await proxy.stop()
  await origin.close().catch(() => {})
})
beforeEach(() => gate.resolve())

interface Seen {
  /** Links of each 103 that came before the origin answered. */
  readonly early: readonly (string | undefined)[]
  readonly links: readonly (string | undefined)[]
  readonly status: number
  readonly link: string | undefined
}

/** Asks over HTTP/2; the origin answers when the hints have had time to come. */
async function ask(path: string, fields: Record<string, string> = {}, at = port): Promise<Seen> {
  close()
  using client = await rawH2Client(at)
  const id = client.request({ ":path": path, ...fields })
  await until(() => waiting > 0 || client.stream(id).isOver)
  await pause(40)
  const early = client.stream(id).informational.map(each => each.link)
  gate.resolve()
  const { status, headers, informational } = await client.response(id)
  return { early, links: informational.map(each => each.link), status, link: headers.link }
}

describe("a page that is stored and has to be asked about", () => {
  test("nothing is known of it; then its links come before the origin has answered, those that can be of use, once", async () => {
    expect((await ask("/checked")).links).toEqual([])
    const seen = await ask("/checked")
    expect([seen.early, seen.links, seen.status]).toEqual([[link], [link], 200])
    expect(seen.link).toContain("rel=next")
  })
  test("over HTTP/3", async () => {
    using client = await rawH3Client(securePort)
    for (const expected of [0, 1]) {
      const stream = client.request({ ":path": "/checked?secure" })
      expect((await stream.response()).status).toBe(200)
      const links = stream.interim.map(fields => fields.find(([name]) => name === "link")?.[1])
      expect(links).toEqual(expected === 0 ? [] : [link])
    }
  })
  test("never to HTTP/1.1, and not where it is not asked for", async () => {
    await ask("/checked")
    using client = await rawClient(port)
    client.send("GET /checked HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response()).status).toBe(200)
    for (let round = 0; round < 2; round++) expect((await ask("/checked", {}, offPort)).links).toEqual([])
  })
  test("not for what is no page, a range, or HEAD", async () => {
    await ask("/checked")
    for (const fields of [{ "sec-fetch-mode": "no-cors" }, { range: "bytes=0-1" }, { ":method": "HEAD" }] as Record<string, string>[])
      expect((await ask("/checked", fields)).links).toEqual([])
    expect((await ask("/checked", { "sec-fetch-mode": "navigate" })).links).toEqual([link])
  })
  test("the origin's own go on as ever, behind them", async () => {
    await ask("/checked")
    expect((await ask("/checked?early")).links).toEqual([link, "</own.css>; rel=preload"])
  })
  test("a variant's are its own", async () => {
    for (const language of ["en", "de"]) expect((await ask("/by-language", { "accept-language": language })).links).toEqual([])
    for (const language of ["de", "en"])
      expect((await ask("/by-language", { "accept-language": language })).early).toEqual([`</${language}.css>; rel=preload`])
  })
  test("each of those who wait for one fetch gets them", async () => {
    await ask("/checked")
    close()
    using client = await rawH2Client(port)
    const ids = [0, 1, 2].map(() => client.request({ ":path": "/checked" }))
    await until(() => waiting > 0)
    await pause(40)
    expect([waiting, ids.map(id => client.stream(id).informational.length)]).toEqual([1, [1, 1, 1]])
    gate.resolve()
    for (const id of ids) expect(await client.response(id)).toMatchObject({ status: 200, informational: [{ link }] })
  })
  test("one without links brings none", async () => {
    for (let round = 0; round < 2; round++) expect((await ask("/plain")).links).toEqual([])
  })
})

describe("a page that comes from the store", () => {
  test("has no hints: it is there", async () => {
    await ask("/fresh")
    expect((await ask("/fresh")).links).toEqual([])
  })
  test("once it has been removed its links are still known", async () => {
    await ask("/fresh")
    expect((await proxy.ask("/cache/purge?url=http://a.test/fresh", { method: "POST", headers: { "x-bothways": "1" } })).status).toBe(200)
    expect((await ask("/fresh")).early).toEqual([link])
  })
  test("until it has none any more", async () => {
    const purge = () => proxy.ask("/cache/purge?url=http://a.test/changes", { method: "POST", headers: { "x-bothways": "1" } })
    for (const [linked, before] of [
      [true, []],
      [false, [link]],
      [false, []],
    ] as const) {
      pages["/changes"] = ["Cache-Control: max-age=600", ...(linked ? [`Link: ${link}`] : [])]
      expect((await ask("/changes")).links).toEqual([...before])
      expect((await purge()).status).toBe(200)
    }
  })
})

describe("a page that is not stored", () => {
  test("its links are remembered", async () => {
    expect((await ask("/large")).links).toEqual([])
    for (let round = 0; round < 2; round++) expect((await ask("/large")).early).toEqual([link])
  })
  test("not those that somebody with cookies or credentials got, nor those of an answer that is private or sets a cookie", async () => {
    for (const [path, fields] of [
      ["/large-for-cookies", { cookie: "a=1" }],
      ["/large-for-cookies", { authorization: "Basic YTpi" }],
      ["/private", {}],
      ["/sets", {}],
    ] as const) {
      await ask(path, fields)
      expect((await ask(path, fields)).links).toEqual([])
    }
    expect((await ask("/large-for-cookies")).links).toEqual([])
  })
})
