import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

const folder = temporaryFolder("site")
const root = join(folder, "public")
mkdirSync(join(root, "sub", ".git"), { recursive: true })
mkdirSync(join(folder, "public-too"))
mkdirSync(join(root, "private"))
const write = (name: string, content = name): void => writeFileSync(join(folder, name), content)
write("secret.txt", "SECRET")
write("public-too/secret.txt", "SECRET")
write("public/private/x.txt", "SECRET")
write("public/.env", "SECRET")
write("public/sub/.git/config", "SECRET")
write("public/index.html")
write("public/sub/index.html")
write("public/sub/a.txt")
write("public/你好 b.txt")
write("public/100%.txt")
write("public/%2e%2e.txt")
symlinkSync(join(folder, "secret.txt"), join(root, "link-out.txt"))
symlinkSync(folder, join(root, "folder-out"))
symlinkSync("sub/a.txt", join(root, "link-in.txt"))

const [plain, stripped] = (await freePorts(2)) as [number, number]
const proxy = await startBothways({
  listeners: { plain: { bind: `127.0.0.1:${plain}` }, stripped: { bind: `127.0.0.1:${stripped}` } },
  routes: [
    { match: { path: ["/private/*", "/assets/private/*"] }, to: { respond: { status: 403, body: "no" } } },
    { match: { listener: "stripped" }, to: { files: { root, strip: "/assets/", index: "" } } },
    { match: {}, to: { files: { root } } },
  ],
})
afterAll(() => proxy.stop())

async function get(port: number, target: string, method = "GET") {
  using client = await rawClient(port)
  client.send(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  return await client.response(method)
}

describe("files", () => {
  const served: [target: string, content: string, type: string][] = [
    ["/", "public/index.html", "text/html; charset=utf-8"],
    ["/sub/", "public/sub/index.html", "text/html; charset=utf-8"],
    ["/sub/a.txt", "public/sub/a.txt", "text/plain; charset=utf-8"],
    ["/sub//a.txt", "public/sub/a.txt", "text/plain; charset=utf-8"],
    ["/x/../sub/a%2Etxt?q", "public/sub/a.txt", "text/plain; charset=utf-8"],
    ["/link-in.txt", "public/sub/a.txt", "text/plain; charset=utf-8"],
    ["/%E4%BD%A0%E5%A5%BD%20b.txt", "public/你好 b.txt", "text/plain; charset=utf-8"],
    ["/100%25.txt", "public/100%.txt", "text/plain; charset=utf-8"],
    ["/%252e%252e.txt", "public/%2e%2e.txt", "text/plain; charset=utf-8"],
  ]
  for (const [target, content, type] of served) {
    test(target, async () => {
      const { status, body, fields } = await get(plain, target)
      expect([status, Buffer.from(body, "latin1").toString(), fields["content-type"]]).toEqual([200, content, type])
    })
  }
  test("below a prefix, and nothing beside it", async () => {
    expect((await get(stripped, "/assets/sub/a.txt")).body).toBe("public/sub/a.txt")
    for (const target of ["/sub/a.txt", "/assetssub/a.txt", "/assets", "/assets/", "/assets/sub/", "/"])
      expect((await get(stripped, target)).status).toBe(404)
  })
  test("only GET and HEAD", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]) {
      const { status, fields } = await get(plain, "/sub/a.txt", method)
      expect([status, fields.allow]).toEqual([405, "GET, HEAD"])
    }
    expect((await get(plain, "/sub/a.txt", "HEAD")).fields["content-length"]).toBe("16")
  })
})

// Every way to write a dot, a slash and a backslash that some server or other has taken for one.
const dots = [
  "..",
  "%2e%2e",
  ".%2E",
  "%2e.",
  "%252e%252e",
  "..%00",
  "..;",
  "..;x=1",
  "%c0%ae%c0%ae",
  "%e0%80%ae%e0%80%ae",
  "%u002e%u002e",
  "．．",
  "..%20",
  "...",
  "..\\",
  "%2e%2e%5c",
]
const slashes = ["/", "%2f", "%2F", "%5c", "\\", "//", "/./", "%252f", "%c0%af", "%u2215", ";/"]

test("no encoding leads out of the root, to a hidden file, or past a rule", async () => {
  const targets = [
    "/.env",
    "/%2eenv",
    "/sub/.git/config",
    "/sub%2f.git%2fconfig",
    "/link-out.txt",
    "/folder-out/secret.txt",
    "/folder-out",
    "/private%2fx.txt",
    "/private;a/x.txt",
  ]
  for (const dot of dots) {
    for (const slash of slashes) {
      targets.push(`/${dot}${slash}secret.txt`, `/sub${slash}${dot}${slash}${dot}${slash}secret.txt`, `/${dot}${slash}public-too${slash}secret.txt`)
      targets.push(`${slash}${dot}${slash}private${slash}x.txt`.replace(/^(?!\/)/, "/"))
    }
  }
  targets.push(
    `/${encodeURIComponent(join(folder, "secret.txt"))}`,
    join(folder, "secret.txt"),
    "/secret.txt%00.html",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/sub/a.txt/",
    "/sub/a.txt/../../../secret.txt",
  )
  for (const port of [plain, stripped]) {
    for (const target of targets) {
      const response = await get(port, port === stripped ? `/assets${target}` : target)
      expect({ target, status: response.status, body: response.body }).not.toMatchObject({ target, body: expect.stringMatching(/SECRET|root:/) })
      expect({ target, status: [400, 403, 404].includes(response.status) }).toEqual({ target, status: true })
    }
  }
})

test("what is not there is 404 and says so in the log", async () => {
  expect((await get(plain, "/nothing.txt")).status).toBe(404)
  await until(() => proxy.log().some(line => line.target === "/nothing.txt" && line.fault === "proxy.file-missing"))
})

test("a client that leaves while its file is read harms nobody", async () => {
  for (let i = 0; i < 50; i++) {
    const client = await rawClient(plain)
    client.send("GET /sub/a.txt HTTP/1.1\r\nHost: a.test\r\n\r\n")
    client.reset()
  }
  expect((await get(plain, "/sub/a.txt")).body).toBe("public/sub/a.txt")
  expect(proxy.program.stderr).not.toMatch(/threw|Assertion/)
})
