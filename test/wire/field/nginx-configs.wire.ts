import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import type { Message } from "../../support/message.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { type Program, temporaryFolder } from "../../support/processes.ts"
import { type RawClientOptions, rawClient } from "../../support/raw-client.ts"
import { okResponse, recorder } from "../../support/recorder.ts"
import { upgradeRequest } from "../../support/web-socket.ts"

// O-55: lines of nginx that people have, beside what docs/migrating.md makes of them. The real nginx and we stand in front of the same upstream, and what it
// receives, or the client gets, is the same.

const upstream = await recorder(request =>
  request.fields["upgrade"] === undefined ? okResponse : "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
)
const [theirs, ours] = (await freePorts(2)) as [number, number]
let nginx: Program
let proxy: Bothways

beforeAll(async () => {
  const root = temporaryFolder("site")
  mkdirSync(join(root, "a"))
  writeFileSync(join(root, "index.html"), "the index")
  writeFileSync(join(root, "a", "x.txt"), "a file")
  const users = join(root, "users")
  writeFileSync(users, `ann:{SHA}${new Bun.CryptoHasher("sha1").update("one").digest("base64")}\n`)
  const u = upstream.address
  nginx = await startNginx(
    theirs,
    `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
     upstream app { server ${u}; keepalive 8; }
     server { listen 127.0.0.1:${theirs}; server_name a.test; proxy_http_version 1.1;
       proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header Host $host;
       proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
       location /name/ { proxy_pass http://app/remote/; }
       location /same/ { proxy_pass http://app; }
       location /api { proxy_pass http://app/api/; }
       location ~ ^/u/([0-9]+)$ { proxy_pass http://app/user?id=$1; }
       location = /exact { proxy_pass http://app; }
       location /old/ { return 301 https://new.test$request_uri; }
       location /gone { return 410 "gone"; }
       location /small { client_max_body_size 10; proxy_pass http://app; }
       location /inner { allow 127.0.0.5; deny all; proxy_pass http://app; }
       location /staff { auth_basic staff; auth_basic_user_file ${users}; proxy_pass http://app; }
       location /post { limit_except POST { deny all; } proxy_pass http://app; }
       location / { root ${root}; try_files $uri /index.html; } }`,
  )
  const to = { cluster: "app" }
  const identity = { headers: { request: { set: { "X-Real-IP": "$client" } } } }
  const route = (path: string | string[], filters: object[] = [], more: object = {}) => ({
    match: { path },
    filters: [identity, ...filters],
    to,
    ...more,
  })
  proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${ours}` } },
    clusters: { app: { peers: [u] } },
    routes: [
      route("/name/*", [{ rewrite: { strip: "/name", prefix: "/remote" } }]),
      route("/same/*"),
      route("/api/*", [{ rewrite: { pattern: { match: "^/api(.*)$", to: "/api/$1" } } }]),
      route("~^/u/[0-9]+$", [{ rewrite: { pattern: { match: "^/u/([0-9]+)$", to: "/user?id=$1" } } }]),
      route("/exact"),
      { match: { path: "/old/*" }, to: { redirect: { to: "https://new.test$path$query", status: 301 } } },
      { match: { path: "/gone" }, to: { respond: { status: 410, body: "gone" } } },
      route("/small", [], { bodyBytesMax: 10 }),
      route("/inner", [{ "ip-list": { allow: ["127.0.0.5"] } }]),
      route("/staff", [{ "basic-auth": { htpasswd: users, realm: "staff" } }]),
      { match: { path: "/post", method: "POST" }, filters: [identity], to },
      { match: { path: "/post" }, to: { respond: { status: 403 } } },
      { match: {}, to: { files: { root, fallback: "index.html" } } },
    ],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  await nginx.stop()
  await upstream[Symbol.asyncDispose]()
})

/** What the client gets and the upstream saw of one request. */
async function one(
  port: number,
  text: string,
  options: RawClientOptions = {},
): Promise<{ status: number; body: string; fields: Message["fields"]; seen: Message | undefined }> {
  upstream.requests.length = 0
  using client = await rawClient(port, options)
  client.send(text)
  const { status, body, fields } = await client.response(text.split(" ")[0])
  return { status, body, fields, seen: upstream.requests[0] }
}

async function both<T>(text: string, what: (got: Awaited<ReturnType<typeof one>>) => T, options: RawClientOptions = {}): Promise<T> {
  const original = what(await one(theirs, text, options))
  expect(what(await one(ours, text, options))).toEqual(original as never)
  return original
}

const get = (target: string, more = ""): string => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`

describe("O-55 nginx: where it goes", () => {
  const cases: Record<string, string> = {
    "/name/a?b": "/remote/a?b",
    "/name/": "/remote/",
    "/name/a/b.c?x=%2F&y=/../z": "/remote/a/b.c?x=%2F&y=/../z",
    "/same/a?b": "/same/a?b",
    "/same/a%20b": "/same/a%20b",
    // The slash too many that importers should warn of.
    "/api/x": "/api//x",
    "/u/17": "/user?id=17",
    "/exact?q": "/exact?q",
  }
  for (const [target, seen] of Object.entries(cases)) {
    test(target, async () => expect(await both(get(target), got => got.seen?.start.split(" ")[1])).toBe(seen))
  }
})

describe("O-55 nginx: what the upstream is told", () => {
  const told = ["host", "x-real-ip", "x-forwarded-proto", "connection", "upgrade"]
  const fieldsOf = (seen: Message | undefined): Record<string, string> =>
    Object.fromEntries(told.map(name => [name, String(seen?.fields[name] ?? "").toLowerCase()]))

  test("plain requests are kept alive; a client's own word about itself is not believed", async () => {
    const fields = await both(get("/same/x", "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"), ({ seen }) => fieldsOf(seen))
    expect(fields).toEqual({ host: "a.test", "x-real-ip": "127.0.0.1", "x-forwarded-proto": "http", connection: "", upgrade: "" })
  })
  test("a WebSocket has its upgrade ($connection_upgrade)", async () => {
    const fields = await both(upgradeRequest("/same/ws"), ({ seen }) => fieldsOf(seen))
    expect([fields.connection, fields.upgrade]).toEqual(["upgrade", "websocket"])
  })
})

describe("O-55 nginx: what the client gets", () => {
  const status = ({ status, seen }: { status: number; seen: Message | undefined }): [number, boolean] => [status, seen !== undefined]

  test("return 301", async () => {
    expect(await both(get("/old/a?b=c"), got => [got.status, got.fields["location"]])).toEqual([301, "https://new.test/old/a?b=c"])
  })
  test("return 410", async () => expect(await both(get("/gone"), got => [got.status, got.body])).toEqual([410, "gone"]))
  test("client_max_body_size", async () => {
    const post = (length: number): string => `POST /small HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(length)}`
    expect([await both(post(10), status), await both(post(11), status)]).toEqual([
      [200, true],
      [413, false],
    ])
  })
  test("allow, deny", async () => {
    expect([await both(get("/inner"), status), await both(get("/inner"), status, { from: "127.0.0.5" })]).toEqual([
      [403, false],
      [200, true],
    ])
  })
  test("auth_basic", async () => {
    const login = (text: string): string => get("/staff", `Authorization: Basic ${btoa(text)}\r\n`)
    expect([await both(get("/staff"), status), await both(login("ann:two"), status), await both(login("ann:one"), status)]).toEqual([
      [401, false],
      [401, false],
      [200, true],
    ])
    expect(await both(get("/staff"), got => /^Basic realm="staff"/.test(String(got.fields["www-authenticate"])))).toBe(true)
  })
  test("limit_except", async () => {
    const post = "POST /post HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n"
    expect([await both(get("/post"), status), await both(post, status)]).toEqual([
      [403, false],
      [200, true],
    ])
  })
  test("root and try_files", async () => {
    const page = (target: string): Promise<unknown> => both(get(target, "Accept: text/html\r\n"), got => [got.status, got.body])
    expect(await page("/a/x.txt")).toEqual([200, "a file"])
    expect(await page("/app/view")).toEqual([200, "the index"])
    expect(await page("/")).toEqual([200, "the index"])
  })
})
