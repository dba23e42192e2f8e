import { afterAll, describe, expect, test } from "bun:test"
import { connect as connectHttp2, constants } from "node:http2"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { runBothways, startBothways } from "../../support/bothways.ts"
import { inside } from "../../support/inside.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"
import { curl, namesHere, newWorld, startSite, strangerFile } from "./site.ts"

// Clients of every kind whose tunnels are opened: with a log-in, over TLS and HTTP/2 to the proxy, and those that know a site's own certificate.
const { upstream, own, port } = await newWorld()
const [secure, login] = (await freePorts(2)) as [number, number]
const site = startSite(upstream.issue(["app.test", "pinned.test", "other.test"]))
const door = upstream.issue(["localhost", "127.0.0.1"])
const users = join(temporaryFolder("users"), "users")
expect((await run("htpasswd", "-bcB", "-C", "5", users, "ann", "annsecret")).code).toBe(0)
const inspect = {
  ca: { cert: own.ca.certFile, key: own.ca.keyFile },
  upstream: { ca: upstream.ca.certFile },
  rules: [{ match: { listener: "login", user: "bob" }, do: "tunnel" }],
}
const forward = { privateRanges: "allow", connectPorts: ["1-65535"], inspect }
const model = {
  workers: 2,
  resolver: { servers: [await namesHere("app.test", "pinned.test", "other.test")] },
  listeners: {
    egress: { bind: `127.0.0.1:${port}`, forward },
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates: [{ cert: door.certFile, key: door.keyFile }] }, forward },
    login: { bind: `127.0.0.1:${login}`, forward: { ...forward, auth: { htpasswd: users } } },
  },
  routes: [{ to: { origin: {} } }],
}
const proxy = await startBothways(model)
afterAll(() => proxy.stop())
const trust = ["--cacert", own.ca.certFile]
const lines = (target: string) => proxy.log().filter(line => line["target"] === target)

test("who asks is found out once, for the tunnel; what is inside needs no log-in and has the user", async () => {
  const nobody = await curl(login, `https://app.test:${site.port}/nobody`, ...trust)
  expect([nobody.code !== 0, site.asked.some(({ path }) => path === "/nobody")]).toEqual([true, false])
  const ann = await curl(login, `https://app.test:${site.port}/ann`, ...trust, "-U", "ann:annsecret")
  expect(ann.status).toBe(200)
  expect((await until(() => lines("/ann")[0]))["user"]).toBe("ann")
  expect(site.asked.find(({ path }) => path === "/ann")!.headers.get("proxy-authorization")).toBeNull()
})

describe("a client that knows a site's certificate", () => {
  const url = `https://pinned.test:${site.port}/`
  const attempt = () => curl(port, url, "--cacert", upstream.ca.certFile)

  test("breaks off twice, and has its way from then on; others do not, and it can be taken back", async () => {
    expect([(await attempt()).code, (await attempt()).code]).toEqual([60, 60])
    expect((await until(() => lines(`pinned.test:${site.port}`)[0]))["fault"]).toBe("client.certificate-refused")
    expect((await attempt()).status).toBe(200)
    expect((await until(() => lines(`pinned.test:${site.port}`)[2]))["tlsReason"]).toBe("pinned")
    const listed = (await (await proxy.ask("/inspect/pinned")).json()) as { pinned: { host: string; client: string; listener: string }[] }
    expect(listed.pinned.map(({ host, client, listener }) => [host, client, listener])).toEqual([["pinned.test", "127.0.0.1", "egress"]])
    // Another listener knows nothing of it.
    expect((await curl(login, url, ...trust, "-U", "ann:annsecret")).status).toBe(200)
    const admin = ["--admin", proxy.admin.replace("http://", "")]
    expect((await runBothways(["inspect", "status", ...admin])).stdout).toMatch(/pinned\.test +127\.0\.0\.1 +egress +2[34]h/)
    expect((await runBothways(["inspect", "forget", "pinned.test", ...admin])).stdout).toBe("1 site is opened again")
    expect((await attempt()).code).toBe(60)
  })

  test("a client that takes our certificate clears what was counted; one that leaves at once after the handshake counts", async () => {
    const other = `https://other.test:${site.port}/`
    expect((await curl(port, other, "--cacert", strangerFile())).code).toBe(60)
    expect((await curl(port, other, ...trust)).status).toBe(200)
    expect((await curl(port, other, "--cacert", strangerFile())).code).toBe(60)
    expect((await curl(port, other, ...trust)).status).toBe(200)
    for (let i = 0; i < 2; i++) (await inside(port, `app.test:${site.port}`, { ca: own.ca.cert })).socket.destroy()
    await until(() => lines(`app.test:${site.port}`).filter(line => line["listener"] === "egress").length >= 2)
    expect((await curl(port, `https://app.test:${site.port}/`, "--cacert", upstream.ca.certFile)).status).toBe(200)
  })
})

describe("to the proxy over TLS", () => {
  test("TLS inside TLS", async () => {
    const words = ["-x", `https://localhost:${secure}`, "--proxy-cacert", upstream.ca.certFile, ...trust]
    const page = await curl(secure, `https://app.test:${site.port}/double`, ...words)
    expect([page.status, page.version]).toEqual([200, "2"])
  })

  test("in a stream of HTTP/2", async () => {
    const session = connectHttp2(`https://localhost:${secure}`, { ca: upstream.ca.cert })
    const stream = session.request({ [constants.HTTP2_HEADER_METHOD]: "CONNECT", [constants.HTTP2_HEADER_AUTHORITY]: `app.test:${site.port}` })
    const status = await new Promise<number>(resolve => stream.once("response", head => resolve(Number(head[":status"]))))
    expect(status).toBe(200)
    const secured = connectTls({ socket: stream as never, servername: "app.test", ca: own.ca.cert, ALPNProtocols: ["http/1.1"] })
    let heard = ""
    let issuer = ""
    secured.once("secureConnect", () => {
      issuer = String(secured.getPeerCertificate().issuer.CN)
    })
    secured.on("data", chunk => {
      heard += chunk.toString("latin1")
    })
    secured.on("error", () => {})
    secured.write(`GET /stream HTTP/1.1\r\nHost: app.test:${site.port}\r\nConnection: close\r\n\r\n`)
    await until(() => heard.includes("page /stream"))
    expect(issuer).toBe("Inside")
    session.destroy()
  })
})

test("a reload: a new rule holds for the next tunnel, and what is open goes on", async () => {
  using client = await inside(port, `other.test:${site.port}`, { alpn: ["http/1.1"], ca: own.ca.cert })
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: other.test:${site.port}\r\n\r\n`
  client.send(get("/before"))
  await client.until(heard => heard.includes("page /before"))
  const rules = [{ match: { host: "other.test" }, do: "tunnel", reason: "new" }]
  const listeners = { ...model.listeners, egress: { bind: `127.0.0.1:${port}`, forward: { ...forward, inspect: { ...inspect, rules } } } }
  proxy.rewrite({ ...model, listeners, admin: { bind: proxy.admin.replace("http://", "") } })
  proxy.program.signal("SIGHUP")
  await until(async () => (await curl(port, `https://other.test:${site.port}/`, "--cacert", upstream.ca.certFile)).status === 200)
  client.send(get("/after"))
  await client.until(heard => heard.includes("page /after"))
})
