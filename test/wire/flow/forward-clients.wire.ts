import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createHttps } from "node:https"
import type { AddressInfo, Server } from "node:net"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"

const megabytes = 24
const authority = new Authority()
const site = authority.issue(["localhost"])
const folder = temporaryFolder("curl")
const block = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 31 + (i >> 8)) & 255))
const sent = createHash("sha256")
for (let i = 0; i < megabytes * 16; i++) sent.update(block)
const digest = sent.digest("hex")
const big = join(folder, "big")
writeFileSync(big, Buffer.concat(Array(megabytes * 16).fill(block)))

let underWay = 0

/** Answers `/big` with much, a PUT with the digest of what came, everything else with what was asked for. */
function origin(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === "PUT" || request.method === "POST") {
    const hash = createHash("sha256")
    request.on("data", chunk => hash.update(chunk as Buffer)).on("end", () => response.end(hash.digest("hex")))
  } else if (request.url === "/big") {
    response.writeHead(200, request.headers["x-length"] ? { "Content-Length": megabytes * 1024 * 1024 } : {})
    let left = megabytes * 16
    underWay++
    response.once("close", () => underWay--)
    const more = (): void => {
      while (left-- > 0) if (!response.write(block)) return void response.once("drain", more)
      response.end()
    }
    more()
  } else response.end(`${request.method} ${request.url} via ${request.headers.via ?? "nobody"}, ${request.headers["user-agent"]?.slice(0, 4)}`)
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", () => resolve()))
  return (server.address() as AddressInfo).port
}

const plainServer = createHttp(origin)
const secureServer = createHttps({ cert: site.cert, key: site.key }, origin)
const [plainAt, secureAt] = [await listening(plainServer), await listening(secureServer)]
const [open, login, secureProxy] = (await freePorts(3)) as [number, number, number]
const users = join(folder, "users")
writeFileSync(users, `ann:${await Bun.password.hash("right", { algorithm: "bcrypt", cost: 4 })}\n`)
const forward = { privateRanges: "allow", connectPorts: [plainAt, secureAt], ports: [plainAt, secureAt] }
const proxy = await startBothways({
  listeners: {
    open: { bind: `127.0.0.1:${open}`, forward },
    login: { bind: `127.0.0.1:${login}`, forward: { ...forward, auth: { htpasswd: users } } },
    secure: { bind: `127.0.0.1:${secureProxy}`, forward, tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] } },
  },
  routes: [{ name: "out", match: {}, to: { origin: {} } }],
})
afterAll(async () => {
  await proxy.stop()
  for (const server of [plainServer, secureServer]) server.closeAllConnections()
  plainServer.close()
  secureServer.close()
})

const http = `http://localhost:${plainAt}`
const https = `https://localhost:${secureAt}`
const curl = (...words: string[]) => run("curl", "-sS", "--cacert", authority.ca.certFile, ...words)
const through = (...words: string[]) => curl("-x", `http://127.0.0.1:${open}`, ...words)

describe("curl through the forward proxy", () => {
  test("http: absolute-form", async () => {
    const { code, stdout } = await through(`${http}/a?b=c`)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^GET \/a\?b=c via 1\.1 bothways-\S+, curl$/)])
  })
  test("https: CONNECT, and the origin sees nothing of us", async () => {
    const { code, stdout } = await through(`${https}/a`)
    expect([code, stdout]).toEqual([0, "GET /a via nobody, curl"])
    await until(() =>
      proxy
        .log()
        .some(
          line => line.method === "CONNECT" && line.target === `localhost:${secureAt}` && line.status === 200 && (line.responseBytes as number) > 500,
        ),
    )
  })
  test("http through a tunnel (--proxytunnel)", async () =>
    expect((await through("--proxytunnel", `${http}/t`)).stdout).toBe("GET /t via nobody, curl"))
  test("HTTP/1.0, with and without a tunnel", async () => {
    expect((await through("--http1.0", `${http}/old`)).stdout).toStartWith("GET /old via 1.0 bothways-")
    expect((await curl("--proxy1.0", `127.0.0.1:${open}`, "-p", `${http}/old`)).stdout).toBe("GET /old via nobody, curl")
  })
  test("HTTPS proxy: TLS to us, and through us", async () => {
    const words = ["-x", `https://localhost:${secureProxy}`, "--proxy-cacert", authority.ca.certFile]
    expect((await curl(...words, `${http}/s`)).stdout).toStartWith("GET /s via")
    expect((await curl(...words, `${https}/s`)).stdout).toBe("GET /s via nobody, curl")
  })
  test("many on one connection", async () => {
    const { code, stdout, stderr } = await through("-v", `${http}/one`, `${http}/two`, `${http}/three`)
    expect([code, stdout.match(/GET/g)?.length]).toEqual([0, 3])
    expect(stderr.match(/Re-using existing connection/g)?.length).toBe(2)
  })
  test("HEAD, a status without a body, and an expectation", async () => {
    expect((await through("-I", `${http}/head`)).stdout).toContain("HTTP/1.1 200 OK")
    expect((await through("-d", "x=1", "-H", "Expect: 100-continue", `${http}/post`)).stdout).toBe(createHash("sha256").update("x=1").digest("hex"))
  })
  test("user and password: right, wrong, none; over both kinds of request", async () => {
    const asking = ["-x", `http://127.0.0.1:${login}`, "-o", "/dev/null", "-w", "%{http_connect} %{http_code}"]
    for (const [url, right, wrong] of [
      [http, "000 200", "000 407"],
      [https, "200 200", "407 000"],
    ] as const) {
      expect((await curl(...asking, "--proxy-user", "ann:right", url)).stdout).toBe(right)
      expect((await curl(...asking, "--proxy-user", "ann:wrong", url)).stdout).toBe(wrong)
      expect((await curl(...asking, url)).stdout).toBe(wrong)
      // --proxy-anyauth asks without first and answers the challenge on the same connection.
      expect((await curl(...asking, "--proxy-anyauth", "--proxy-user", "ann:right", url)).stdout).toBe(right)
    }
  })
  test("a refusal is a refusal to curl, too", async () => {
    const { code, stderr } = await through("https://localhost:9/")
    expect([code, stderr]).toEqual([56, expect.stringContaining("response 403")])
    expect((await through("-o", "/dev/null", "-w", "%{http_code}", `http://no-such-name.invalid:${plainAt}/`)).stdout).toBe("502")
  })
})

describe(`${megabytes} MB`, () => {
  const sha = async (...words: string[]): Promise<string> => {
    const file = join(folder, `got${words.length}-${Math.random()}`)
    expect((await through("-o", file, ...words)).code).toBe(0)
    return createHash("sha256")
      .update(new Uint8Array(await Bun.file(file).arrayBuffer()))
      .digest("hex")
  }
  test("down, absolute-form: with a length and chunked", async () =>
    expect([await sha("-H", "X-Length: 1", `${http}/big`), await sha(`${http}/big`)]).toEqual([digest, digest]))
  test("down, through CONNECT", async () => expect(await sha(`${https}/big`)).toBe(digest))
  test("up, absolute-form: with a length and chunked", async () => {
    expect((await through("-T", big, `${http}/up`)).stdout).toBe(digest)
    expect((await through("-T", big, "-H", "Transfer-Encoding: chunked", `${http}/up`)).stdout).toBe(digest)
  })
  test("up, through CONNECT", async () => expect((await through("-T", big, `${https}/up`)).stdout).toBe(digest))
  test("both ways and eight at a time", async () => {
    const all = Array.from({ length: 8 }, (_, i) =>
      i % 2 === 0 ? sha(`${i % 4 === 0 ? http : https}/big`) : through("-T", big, `${i % 4 === 1 ? http : https}/up`).then(({ stdout }) => stdout),
    )
    expect(new Set(await Promise.all(all))).toEqual(new Set([digest]))
  })
  test("a client that leaves in the middle takes its origin's connection with it", async () => {
    for (const target of [
      `GET ${http}/big HTTP/1.1\r\nHost: x\r\n\r\n`,
      `CONNECT localhost:${plainAt} HTTP/1.1\r\nHost: x\r\n\r\nGET /big HTTP/1.1\r\nHost: x\r\n\r\n`,
    ]) {
      const client = await rawClient(open)
      client.send(target)
      await client.bytes(100_000)
      client.reset()
    }
    await until(() => underWay === 0)
    await until(async () => ((await (await proxy.ask("/status")).json()) as { exchanges: number }).exchanges === 0)
  })
})
