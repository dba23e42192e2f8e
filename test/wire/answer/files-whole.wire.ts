import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { openFiles } from "../../support/open-sockets.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

const root = temporaryFolder("whole-site")
const outside = temporaryFolder("outside")
const digits = "0123456789".repeat(100)
const large = Buffer.alloc(5_000_000, digits)
const write = (name: string, content: string | Buffer): void => writeFileSync(join(root, name), content)
mkdirSync(join(root, "docs", "deep"), { recursive: true })
mkdirSync(join(root, "plain"))
write("index.html", "<p>app")
write("404.html", "<p>no such page")
write("digits.txt", digits)
write("large.bin", large)
write("about.html", "<p>about")
write("page.css", "body{}".repeat(200))
write("page.css.br", brotliCompressSync("body{}".repeat(200)))
write("page.css.gz", gzipSync("body{}".repeat(200)))
write("old.css", "new content")
write("old.css.gz", gzipSync("old content"))
utimesSync(join(root, "old.css.gz"), 1, 1)
write("docs/a & b.txt", "ab")
write("docs/<i>.txt", "i")
write("docs/.hidden", "h")
write("app.frag", "x")
writeFileSync(join(outside, "secret.txt"), "SECRET")
symlinkSync(join(outside, "secret.txt"), join(root, "out.txt"))
symlinkSync("digits.txt", join(root, "in.txt"))

const [site, app, strict, follow] = (await freePorts(4)) as [number, number, number, number]
const listeners = Object.fromEntries(Object.entries({ site, app, strict, follow }).map(([name, port]) => [name, { bind: `127.0.0.1:${port}` }]))
const proxy = await startBothways({
  workers: 2,
  listeners,
  routes: [
    {
      match: { listener: "site" },
      to: {
        files: {
          root,
          listing: true,
          precompressed: true,
          extensions: [".html"],
          notFound: "404.html",
          types: { ".frag": "text/x-frag" },
          memory: { recheck: "50ms" },
        },
      },
    },
    { match: { listener: "app" }, to: { files: { root, fallback: "index.html" } } },
    { match: { listener: "strict" }, to: { files: { root, symlinks: "deny" } } },
    { match: { listener: "follow" }, to: { files: { root, symlinks: "follow" } } },
  ],
})
afterAll(() => proxy.stop())

const url = (port: number, path: string): string => `http://127.0.0.1:${port}${path}`
const get = (path: string, headers: Record<string, string> = {}, port = site): Promise<Response> =>
  fetch(url(port, path), { headers: { "Accept-Encoding": "identity", ...headers }, redirect: "manual", decompress: false } as RequestInit)

describe("ranges (RFC 9110 section 14)", () => {
  test.each([
    ["bytes=0-9", "bytes 0-9/1000", "0123456789"],
    ["bytes=995-", "bytes 995-999/1000", "56789"],
    ["bytes=-3", "bytes 997-999/1000", "789"],
    ["bytes=990-5000", "bytes 990-999/1000", "0123456789"],
  ])("%s", async (range, contentRange, body) => {
    const answer = await get("/digits.txt", { Range: range })
    expect([answer.status, answer.headers.get("content-range"), await answer.text()]).toEqual([206, contentRange, body])
  })

  test.each(["/digits.txt", "/large.bin"])("several ranges of %s", async path => {
    const answer = await get(path, { Range: "bytes=0-1,10-12,-2" })
    expect(answer.status).toBe(206)
    const [, boundary] = /^multipart\/byteranges; boundary=(\S+)$/.exec(answer.headers.get("content-type") ?? "") ?? []
    const text = Buffer.from(await answer.arrayBuffer()).toString("latin1")
    expect(text.length).toBe(Number(answer.headers.get("content-length")))
    const parts = text.split(`\r\n--${boundary}`)
    expect(parts.map(part => part.split("\r\n\r\n")[1] ?? "")).toEqual(["", "01", "012", "89", ""])
    expect(parts.at(-1)).toBe("--\r\n")
  })

  test("beyond the end, another unit, too many", async () => {
    const beyond = await get("/digits.txt", { Range: "bytes=1000-" })
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */1000"])
    expect((await get("/digits.txt", { Range: "lines=1-2" })).status).toBe(200)
    expect((await get("/digits.txt", { Range: `bytes=${Array.from({ length: 50 }, (_, i) => `${i * 2}-${i * 2}`).join(",")}` })).status).toBe(200)
  })

  test("If-Range: by the tag only while it is the same", async () => {
    const tag = (await get("/digits.txt")).headers.get("etag")!
    expect((await get("/digits.txt", { Range: "bytes=0-0", "If-Range": tag })).status).toBe(206)
    expect((await get("/digits.txt", { Range: "bytes=0-0", "If-Range": '"other"' })).status).toBe(200)
  })
})

describe("conditions (RFC 9110 section 13)", () => {
  test("304 by tag and by date, 412 by If-Match", async () => {
    const first = await get("/digits.txt")
    const tag = first.headers.get("etag")!
    const date = first.headers.get("last-modified")!
    expect((await get("/digits.txt", { "If-None-Match": tag })).status).toBe(304)
    expect((await get("/digits.txt", { "If-Modified-Since": date })).status).toBe(304)
    expect((await get("/digits.txt", { "If-None-Match": '"x"', "If-Modified-Since": date })).status).toBe(200)
    expect((await get("/digits.txt", { "If-Match": '"x"' })).status).toBe(412)
    expect((await get("/digits.txt", { "If-Match": tag })).status).toBe(200)
    expect((await get("/digits.txt", { "If-Unmodified-Since": new Date(0).toUTCString() })).status).toBe(412)
  })
})

describe("compressed siblings", () => {
  test("the best that the client takes, with its own tag", async () => {
    const br = await get("/page.css", { "Accept-Encoding": "gzip, br" })
    expect(br.headers.get("content-encoding")).toBe("br")
    expect(br.headers.get("content-type")).toBe("text/css; charset=utf-8")
    const gzip = await get("/page.css", { "Accept-Encoding": "gzip, br;q=0" })
    const plain = await get("/page.css")
    expect([gzip.headers.get("content-encoding"), plain.headers.get("content-encoding")]).toEqual(["gzip", null])
    expect(new Set([br, gzip, plain].map(answer => answer.headers.get("etag"))).size).toBe(3)
    for (const answer of [br, gzip, plain]) expect(answer.headers.get("vary")).toBe("Accept-Encoding")
    const body = await fetch(url(site, "/page.css"), { headers: { "Accept-Encoding": "br" } })
    expect(await body.text()).toBe("body{}".repeat(200))
  })

  test("one that is older than its file is not used", async () => {
    const answer = await get("/old.css", { "Accept-Encoding": "gzip" })
    expect([answer.headers.get("content-encoding"), await answer.text()]).toEqual([null, "new content"])
  })
})

describe("directories", () => {
  test("a list for people, escaped, without what is hidden", async () => {
    const page = await (await get("/docs/", { Accept: "text/html" })).text()
    expect(page).toContain('<a href="./a%20%26%20b.txt">a &#38; b.txt</a>')
    expect(page).toContain("&#60;i&#62;.txt")
    expect(page).toContain('<a href="./deep/">deep/</a>')
    expect(page).not.toContain(".hidden")
  })

  test("the same for programs", async () => {
    const list = (await (await get("/docs/", { Accept: "application/json" })).json()) as { name: string }[]
    expect(list.map(entry => entry.name)).toEqual(["deep", "<i>.txt", "a & b.txt"])
  })

  test("without a slash: a redirection that stays here", async () => {
    const answer = await get("/docs?q")
    expect([answer.status, answer.headers.get("location")]).toEqual([308, "/docs/?q"])
    using client = await rawClient(site)
    client.send("GET //docs HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response("GET")).fields.location).toBe("/docs/")
  })

  test("not listed where nobody asked for it", async () => {
    expect((await get("/plain/", {}, strict)).status).toBe(404)
  })
})

describe("pages that are not there", () => {
  test("an ending, the page for 404, the application's own routing", async () => {
    expect(await (await get("/about")).text()).toBe("<p>about")
    const missing = await get("/nothing.txt")
    expect([missing.status, await missing.text()]).toEqual([404, "<p>no such page"])
    expect(await (await get("/users/7", {}, app)).text()).toBe("<p>app")
    expect((await get("/missing.png", {}, app)).status).toBe(404)
    expect((await get("/.git/config", {}, app)).status).toBe(404)
  })

  test("types of one's own", async () => {
    expect((await get("/app.frag")).headers.get("content-type")).toBe("text/x-frag")
  })
})

describe("links", () => {
  test("within: inside only; deny: none; follow: all", async () => {
    const of = async (path: string, port: number): Promise<number> => (await get(path, {}, port)).status
    expect(await Promise.all([of("/in.txt", site), of("/out.txt", site)])).toEqual([200, 404])
    expect(await Promise.all([of("/in.txt", strict), of("/out.txt", strict), of("/digits.txt", strict)])).toEqual([404, 404, 200])
    expect(await Promise.all([of("/in.txt", follow), of("/out.txt", follow)])).toEqual([200, 200])
  })
})

describe("large files", () => {
  test("stream whole, by range, and for HEAD with their length alone", async () => {
    expect(Buffer.from(await (await get("/large.bin")).arrayBuffer()).equals(large)).toBe(true)
    const part = await get("/large.bin", { Range: "bytes=4000000-4000009" })
    expect([part.status, await part.text()]).toEqual([206, "0123456789"])
    using client = await rawClient(site)
    client.send("HEAD /large.bin HTTP/1.1\r\nHost: a.test\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response("HEAD")).fields["content-length"]).toBe("5000000")
    expect((await client.response("GET")).body.toString()).toBe(digits)
  })

  test("twenty clients that leave in the middle leave no descriptor behind", async () => {
    for (let i = 0; i < 20; i++) {
      const control = new AbortController()
      const answer = await fetch(url(site, "/large.bin"), { signal: control.signal })
      await answer.body!.getReader().read()
      control.abort()
    }
    expect((await get("/digits.txt")).status).toBe(200)
    const open = (): number => openFiles(proxy.pid).filter(path => path.endsWith("large.bin")).length
    await until(() => open() === 0)
  })
})

describe("changes", () => {
  test("a file that changes, goes and comes is noticed", async () => {
    const path = "/changing.txt"
    const body = async (): Promise<string> => (await get(path)).text()
    expect((await get(path)).status).toBe(404)
    write("changing.txt", "one")
    await until(async () => (await body()) === "one")
    write("next.txt", "two")
    renameSync(join(root, "next.txt"), join(root, "changing.txt"))
    await until(async () => (await body()) === "two")
    rmSync(join(root, "changing.txt"))
    await until(async () => (await get(path)).status === 404)
  })

  test("a file that becomes shorter while it is sent cuts the answer, and nothing is made up", async () => {
    write("shrinking.bin", Buffer.alloc(30_000_000))
    // Nobody reads: what is under way stops at what the sockets hold.
    const socket = connect(site, "127.0.0.1")
    socket.pause()
    socket.write("GET /shrinking.bin HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await until(() => openFiles(proxy.pid).some(path => path.endsWith("shrinking.bin")))
    await new Promise(resolve => setTimeout(resolve, 100))
    truncateSync(join(root, "shrinking.bin"), 10)
    let received = 0
    socket.on("data", chunk => {
      received += chunk.length
    })
    socket.resume()
    await new Promise(resolve => socket.on("close", resolve))
    expect(received).toBeGreaterThan(100_000)
    expect(received).toBeLessThan(30_000_000)
  })
})
