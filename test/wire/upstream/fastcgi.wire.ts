import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { startPhpFpm } from "../../support/php-fpm.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const root = temporaryFolder("php")
for (const folder of [dirname(root), root]) chmodSync(folder, 0o755)
mkdirSync(join(root, "dir"))
const write = (name: string, code: string): void => writeFileSync(join(root, name), `<?php ${code}`)
write("env.php", 'header("Content-Type: application/json"); echo json_encode($_SERVER);')
write("dir/index.php", 'echo "index of dir";')
write(
  "body.php",
  'echo strlen(file_get_contents("php://input")), " ", hash("sha256", file_get_contents("php://input")), " ", $_SERVER["CONTENT_LENGTH"];',
)
write("status.php", 'http_response_code(404); header("X-A: 1"); header("X-A: 2", false); setcookie("a", "b"); echo "not here";')
write("go.php", 'header("Location: /elsewhere");')
write("large.php", "for ($i = 0; $i < 3000; $i++) echo str_repeat(chr(65 + $i % 26), 1000);")
write("slow.php", 'echo "first "; flush(); usleep(300000); echo "second";')
write("dies.php", 'echo "start"; flush(); exec("kill -9 " . getmypid());')
write("error.php", 'error_log("it complains"); echo "fine";')
write("cart.php", 'session_save_path(sys_get_temp_dir()); echo $_GET["q"] ?? "", "|", $_POST["name"] ?? "", "|", $_COOKIE["c"] ?? "";')
writeFileSync(join(root, "picture.txt"), "<?php echo 'executed';")

const tcp = await startPhpFpm()
const unix = await startPhpFpm({ unix: true })
const cut = await scriptedServer(async connection => {
  await connection.through("\x01\x05\x00\x01\x00\x00\x00\x00")
  connection.send("\x01\x06\x00\x01\x00\x1c\x00\x00Content-Length: 100\r\n\r\nhalf!")
  connection.fin()
})
const [port, one, kept, socket, broken] = (await freePorts(5)) as [number, number, number, number, number]
const listen = (at: number) => ({ bind: `127.0.0.1:${at}` })
const fastcgi = { root, params: { APP_ENV: "test" } }
const peers = [`127.0.0.1:${tcp.port}`]
const proxy = await startBothways({
  workers: 2,
  listeners: { php: listen(port), one: listen(one), kept: listen(kept), socket: listen(socket), broken: listen(broken) },
  clusters: {
    php: { peers, protocol: "fastcgi", fastcgi },
    one: { peers, protocol: "fastcgi", fastcgi: { ...fastcgi, fallback: "/env.php" } },
    kept: { peers, protocol: "fastcgi", fastcgi: { ...fastcgi, keepAlive: true }, pool: { idleMax: 1 } },
    socket: { peers: [`unix:${unix.socket}`], protocol: "fastcgi", fastcgi },
    broken: { peers: [cut.address], protocol: "fastcgi", fastcgi },
  },
  routes: ["php", "one", "kept", "socket", "broken"].map(name => ({ match: { listener: name }, to: { cluster: name } })),
})
afterAll(async () => {
  await proxy.stop()
  await tcp.program.stop()
  await unix.program.stop()
  await cut.close()
})

const get = (path: string, init: RequestInit = {}, at = port) => fetch(`http://127.0.0.1:${at}${path}`, { redirect: "manual", ...init })

describe("PHP-FPM", () => {
  test("what a script is told", async () => {
    using client = await rawClient(port)
    client.send(
      "GET /env.php/extra/%C3%BC?a=1&b=%2f HTTP/1.1\r\nHost: shop.test:8080\r\nX-One: 1\r\nX-One: 2\r\nProxy: http://evil.test\r\nX_Forwarded_For: 6.6.6.6\r\nCookie: c=1\r\nConnection: close\r\n\r\n",
    )
    const env = JSON.parse((await client.response("GET")).body) as Record<string, string>
    expect(env).toMatchObject({
      SCRIPT_NAME: "/env.php",
      SCRIPT_FILENAME: `${root}/env.php`,
      PATH_INFO: "/extra/ü",
      QUERY_STRING: "a=1&b=%2f",
      REQUEST_URI: "/env.php/extra/%C3%BC?a=1&b=%2f",
      REQUEST_METHOD: "GET",
      SERVER_NAME: "shop.test",
      SERVER_PORT: "8080",
      REMOTE_ADDR: "127.0.0.1",
      HTTP_X_ONE: "1, 2",
      HTTP_COOKIE: "c=1",
      HTTP_X_FORWARDED_FOR: "127.0.0.1",
      APP_ENV: "test",
    })
    expect(env.HTTP_PROXY).toBeUndefined()
    expect(env.HTTP_CONTENT_LENGTH).toBeUndefined()
  })

  test("forms, queries and cookies", async () => {
    const answer = await get("/cart.php?q=7", { method: "POST", body: new URLSearchParams({ name: "Zoë" }), headers: { Cookie: "c=x" } })
    expect(await answer.text()).toBe("7|Zoë|x")
  })

  test.each([0, 10, 100_000, 3_000_000])("a body of %d octets", async length => {
    const body = Buffer.alloc(length, "ab")
    const hash = createHash("sha256").update(body).digest("hex")
    expect(await (await get("/body.php", { method: "POST", body })).text()).toBe(`${length} ${hash} ${length}`)
  })

  test("a body of unknown length is held until it is known; too long a one is refused", async () => {
    const chunked = async (chunks: number): Promise<string> => {
      using client = await rawClient(port)
      client.send("POST /body.php HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
      for (let i = 0; i < chunks; i++) client.send(`2710\r\n${"x".repeat(10_000)}\r\n`)
      client.send("0\r\n\r\n")
      const { status, body } = await client.response("POST")
      return `${status} ${body.split(" ")[0]}`
    }
    expect(await chunked(3)).toBe("200 30000")
    // The answer leaves in the middle of a chunk, and what the client still sends must not cost it.
    for (let i = 0; i < 20; i++) expect((await chunked(200)).slice(0, 3)).toBe("411")
  })

  test("statuses, fields, cookies, redirections", async () => {
    const answer = await get("/status.php")
    expect([answer.status, answer.headers.get("x-a"), answer.headers.get("set-cookie"), await answer.text()]).toEqual([
      404,
      "1, 2",
      "a=b",
      "not here",
    ])
    expect(answer.headers.get("x-powered-by")).toBeNull()
    const go = await get("/go.php")
    expect([go.status, go.headers.get("location")]).toEqual([302, "/elsewhere"])
  })

  test("three megabytes whole, and HEAD without them", async () => {
    const text = await (await get("/large.php")).text()
    expect([text.length, text.slice(-1000) === String.fromCharCode(65 + (2999 % 26)).repeat(1000)]).toEqual([3_000_000, true])
    expect(await (await get("/large.php", { method: "HEAD" })).text()).toBe("")
  })

  test("what is flushed comes at once", async () => {
    const startedAt = performance.now()
    const reader = (await get("/slow.php")).body!.getReader()
    const first = await reader.read()
    expect(Buffer.from(first.value!).toString()).toBe("first ")
    expect(performance.now() - startedAt).toBeLessThan(290)
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("second")
  })

  test("no script, no file; what is no script is not executed", async () => {
    expect(await Promise.all(["/none.php", "/picture.txt", "/picture.txt/x.php", "/", "/dir/"].map(async path => (await get(path)).status))).toEqual([
      404, 404, 403, 404, 200,
    ])
    expect(await (await get("/dir/")).text()).toBe("index of dir")
  })

  test("one entry for all paths", async () => {
    const env = (await (await get("/users/7?x", {}, one)).json()) as Record<string, string>
    expect([env.SCRIPT_NAME, env.REQUEST_URI]).toEqual(["/env.php", "/users/7?x"])
  })

  test("over a Unix socket, and over connections that are kept", async () => {
    expect((await get("/env.php", {}, socket)).status).toBe(200)
    for (let i = 0; i < 20; i++) expect((await get("/env.php", {}, kept)).status).toBe(200)
  })
})

describe("what goes wrong", () => {
  test("a process that dies in the middle cuts the answer; the next request is fine", async () => {
    await expect(get("/dies.php").then(answer => answer.text())).rejects.toThrow()
    await until(() => proxy.log().some(line => line.target === "/dies.php" && line.fault === "upstream.truncated"))
    await until(async () => (await get("/env.php")).status === 200)
  })

  test("an application that ends in the middle of its answer", async () => {
    await expect(get("/a.php", {}, broken).then(answer => answer.text())).rejects.toThrow()
  })

  test("a client that leaves leaves no connection to the application", async () => {
    const control = new AbortController()
    const answer = get("/slow.php", { signal: control.signal })
    setTimeout(() => control.abort(), 50)
    await expect(answer.then(each => each.text())).rejects.toThrow()
    expect(await (await get("/error.php")).text()).toBe("fine")
  })
})
