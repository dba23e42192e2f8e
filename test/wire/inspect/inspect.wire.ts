import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { inside, tunnel } from "../../support/inside.ts"
import { freePort } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { frame, upgradeRequest } from "../../support/web-socket.ts"
import { curl, fileOf, namesHere, newWorld, selfSigned, startSite } from "./site.ts"

// What is inside a client's tunnel: opened, decided on, and served as every other request (FIELD-CASES O-36, O-37, O-38, O-40).
const { upstream, own, port } = await newWorld()
const good = startSite(upstream.issue(["app.test", "x.w.test", "127.0.0.1", "localhost"]))
const six = startSite(upstream.issue(["::1"]), { hostname: "::1" })
const wild = startSite(upstream.issue(["*.w.test"]))
const expired = startSite(upstream.issue(["app.test"], 0))
const self = startSite(await selfSigned("app.test"))
const strict = startSite(upstream.issue(["app.test"]), { ca: upstream.ca.cert })
const plain = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
const speaker = await scriptedServer(async connection => {
  connection.send("220 mail.test\r\n")
  connection.send(`250 ${await connection.through("\r\n")}`)
  connection.fin()
})
const upstreamRules = { ca: upstream.ca.certFile, insecureHosts: ["careless.test"] }
const proxy: Bothways = await startBothways({
  resolver: {
    servers: [
      await namesHere("app.test", "other.test", "x.w.test", "x.y.w.test", "careless.test", "bank.test", "refused.test", "left.test", "asked.test"),
    ],
  },
  listeners: {
    egress: {
      bind: `127.0.0.1:${port}`,
      forward: {
        privateRanges: "allow",
        connectPorts: ["1-65535"],
        inspect: {
          ca: { cert: own.ca.certFile, key: own.ca.keyFile },
          wait: "200ms",
          neverOpen: { names: ["bank.test"] },
          rules: [
            { match: { host: "refused.test" }, do: "refuse", reason: "not-here" },
            { match: { host: "asked.test" }, certificate: "untrusted", do: "tunnel", reason: "theirs" },
            { match: { tlsName: "left.test" }, do: "tunnel", reason: "left-alone" },
          ],
          upstream: upstreamRules,
        },
      },
    },
  },
  caches: { main: { memory: "4MB" } },
  routes: [
    { match: { listener: "egress", inspected: true, path: "/blocked" }, to: { respond: { status: 403, body: "not at school" } } },
    {
      match: { listener: "egress" },
      filters: [{ headers: { request: { set: { "X-Added": "here" } } } }, { cache: { store: "main" } }],
      upgrade: ["websocket"],
      to: { origin: {} },
    },
  ],
})
afterAll(() => Promise.all([proxy.stop(), plain.close(), speaker.close()]))
const trust = ["--cacert", own.ca.certFile]
const lines = (target: string) => proxy.log().filter(line => line["target"] === target)

describe("a tunnel that is opened", () => {
  test("HTTP/2 and HTTP/1.1, with a certificate for the name; filters hold inside and the origin is told what it always is", async () => {
    const two = await curl(port, `https://app.test:${good.port}/two`, ...trust)
    expect([two.status, two.version, two.body.startsWith("page /two")]).toEqual([200, "2", true])
    const one = await curl(port, `https://app.test:${good.port}/one`, "--http1.1", ...trust)
    expect([one.status, one.version]).toEqual([200, "1.1"])
    const asked = good.asked.find(({ path }) => path === "/two")!.headers
    expect([asked.get("x-added"), asked.get("host"), asked.get("via")?.startsWith("2.0 bothways-")]).toEqual(["here", `app.test:${good.port}`, true])
  })

  test("the log has the request and the tunnel, with what was decided and the fingerprint", async () => {
    await curl(port, `https://app.test:${good.port}/logged`, ...trust)
    const line = await until(() => lines("/logged")[0])
    expect([line["scheme"], line["host"], line["tls"], line["tlsReason"], line["status"]]).toEqual(["https", "app.test", "inspect", "default", 200])
    expect(line["ja4"]).toMatch(/^t13d[0-9]{4}h2_[0-9a-f]{12}_[0-9a-f]{12}$/)
    const tunnelLine = await until(() => lines(`app.test:${good.port}`)[0])
    expect([tunnelLine["method"], tunnelLine["tls"], tunnelLine["status"]]).toEqual(["CONNECT", "inspect", 200])
  })

  test("a page of ours in the place of one that is blocked; an answer from the cache", async () => {
    const blocked = await curl(port, `https://app.test:${good.port}/blocked`, ...trust)
    expect([blocked.status, blocked.body]).toEqual([403, "not at school"])
    const first = await curl(port, `https://app.test:${good.port}/cached`, ...trust)
    const again = await curl(port, `https://app.test:${good.port}/cached`, "--http1.1", ...trust)
    expect([first.status, again.body]).toEqual([200, first.body])
    expect(good.asked.filter(({ path }) => path === "/cached").length).toBe(1)
  })

  test("a body of 4 MB goes up, 32 MB come down", async () => {
    const up = await curl(port, `https://app.test:${good.port}/up`, ...trust, "--data-binary", `@${fileOf(4)}`, "-H", "Expect:")
    expect([up.status, up.body]).toEqual([200, `${4 * 1024 ** 2} octets`])
    const down = await curl(port, `https://app.test:${good.port}/big/32`, ...trust, "-o", "/dev/null", "-w", "\n%{http_code} %{size_download}")
    expect([down.status, down.version]).toEqual([200, String(32 * 1024 ** 2)])
  })

  test("a WebSocket", async () => {
    using client = await inside(port, `app.test:${good.port}`, { alpn: ["http/1.1"], ca: own.ca.cert })
    client.send(upgradeRequest("/ws").replace("a.test", `app.test:${good.port}`))
    await client.until(heard => heard.includes("\r\n\r\n"))
    client.send(frame("hello", true))
    expect(await client.until(heard => heard.includes("echo"))).toStartWith("HTTP/1.1 101")
  })
})

describe("whom a request inside is for", () => {
  const get = (host: string, path = "/host") => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  async function status(host: string, name = "app.test"): Promise<string> {
    using client = await inside(port, `app.test:${good.port}`, { name, ca: own.ca.cert })
    client.send(get(host))
    return (await client.until(() => false)).slice(9, 12)
  }

  test("O-38: the tunnel's host in every spelling, and nobody else", async () => {
    expect(await status(`app.test:${good.port}`)).toBe("200")
    expect(await status(`APP.TEST.:${good.port}`)).toBe("200")
    expect(await status("app.test")).toBe("200")
    expect(await status("d.test")).toBe("421")
    expect(await status("app.test:8443")).toBe("421")
    const two = await curl(port, `https://app.test:${good.port}/`, ...trust, "-H", "Host: d.test")
    expect(two.status).toBe(421)
    expect(good.asked.some(({ headers }) => headers.get("host") === "d.test")).toBe(false)
  })

  test("no CONNECT inside, no other scheme, no octets that are no HTTP", async () => {
    using client = await inside(port, `app.test:${good.port}`, { ca: own.ca.cert })
    client.send(`CONNECT app.test:${good.port} HTTP/1.1\r\nHost: app.test\r\n\r\n`)
    expect(await client.until(heard => heard.includes("\r\n\r\n"))).toStartWith("HTTP/1.1 405")
    using other = await inside(port, `app.test:${good.port}`, { ca: own.ca.cert })
    other.send(`GET http://app.test:${good.port}/ HTTP/1.1\r\nHost: app.test\r\n\r\n`)
    expect(await other.until(heard => heard.includes("\r\n\r\n"))).toStartWith("HTTP/1.1 421")
    using garbage = await inside(port, `app.test:${good.port}`, { ca: own.ca.cert })
    garbage.send("\x00\x01\x02\r\n\r\n")
    expect(await garbage.until(() => false)).toStartWith("HTTP/1.1 400")
  })
})

describe("O-40", () => {
  test("a, b: an address gives a certificate for an address", async () => {
    expect((await curl(port, `https://127.0.0.1:${good.port}/a`, ...trust)).status).toBe(200)
    expect((await curl(port, `https://[::1]:${six.port}/b`, ...trust)).status).toBe(200)
    using client = await inside(port, `127.0.0.1:${good.port}`, { name: "" })
    expect(client.certificate.subjectaltname).toBe("IP Address:127.0.0.1")
  })

  test("c: the certificate is for the name in TLS, and the origin is checked against the name that is used", async () => {
    using client = await inside(port, `app.test:${good.port}`, { name: "other.test" })
    expect([client.certificate.subjectaltname, client.certificate.subject.CN]).toEqual(["DNS:other.test", "other.test"])
    client.send(`GET / HTTP/1.1\r\nHost: other.test:${good.port}\r\n\r\n`)
    expect(await client.until(heard => heard.includes("fault:"))).toContain("upstream.certificate-name")
    using same = await inside(port, `app.test:${good.port}`, { name: "other.test" })
    same.send(`GET / HTTP/1.1\r\nHost: app.test:${good.port}\r\nConnection: close\r\n\r\n`)
    expect(await same.until(() => false)).toStartWith("HTTP/1.1 200")
  })

  test("d: what is wrong with the origin's certificate is said, and no page of it is shown", async () => {
    const wrong = [
      [`https://app.test:${expired.port}/`, "certificate-expired", "has expired"],
      [`https://app.test:${self.port}/`, "certificate-self-signed", "signed by itself"],
      [`https://other.test:${good.port}/`, "certificate-name", "for another name"],
      [`https://x.y.w.test:${wild.port}/`, "certificate-name", "for another name"],
    ] as const
    for (const [url, fault, words] of wrong) {
      const page = await curl(port, url, ...trust, "-H", "Accept: text/html")
      expect([url, page.status, page.body.includes(`upstream.${fault}`), page.body.includes(words)]).toEqual([url, 502, true, true])
    }
    expect([expired.asked.length, self.asked.length]).toEqual([0, 0])
    // But for a host of which the operator says so.
    expect((await curl(port, `https://careless.test:${self.port}/`, ...trust)).status).toBe(200)
  })

  test("e: a wildcard for one label", async () => {
    expect((await curl(port, `https://x.w.test:${wild.port}/`, ...trust)).status).toBe(200)
  })

  test("f: an origin that wants the client's certificate gets the client itself, from the second connection on", async () => {
    const first = await curl(port, `https://app.test:${strict.port}/`, ...trust)
    expect([first.status, first.body.includes("upstream.")]).toEqual([502, true])
    const shown = upstream.issue(["a client"])
    const second = await curl(
      port,
      `https://app.test:${strict.port}/`,
      "--cacert",
      upstream.ca.certFile,
      "--cert",
      shown.certFile,
      "--key",
      shown.keyFile,
    )
    expect(second.status).toBe(200)
    expect((await until(() => lines(`app.test:${strict.port}`)[1]))["tlsReason"]).toBe(
      first.body.includes("certificate-wanted") ? "client-certificate" : "upstream-handshake",
    )
  })
})

describe("a tunnel that is not opened", () => {
  test("never: the site's own certificate is seen, by the client and by nobody else", async () => {
    const bank = startSite(upstream.issue(["bank.test", "my.bank.test"]))
    const page = await curl(port, `https://bank.test:${bank.port}/balance`, "--cacert", upstream.ca.certFile)
    expect([page.status, bank.asked[0]!.headers.get("via")]).toEqual([200, null])
    const line = await until(() => lines(`bank.test:${bank.port}`)[0])
    expect([line["tls"], line["tlsReason"], lines("/balance").length]).toEqual(["tunnel", "never-open", 0])
  })

  test("by rules: refused with an alert, left alone for its name in TLS", async () => {
    const refused = await curl(port, `https://refused.test:${good.port}/`, ...trust)
    expect(refused.code).toBe(35)
    expect((await until(() => lines(`refused.test:${good.port}`)[0]))["tlsReason"]).toBe("not-here")
    using left = await inside(port, `app.test:${good.port}`, { name: "left.test" })
    expect(left.certificate.issuer.CN).toBe("World")
  })

  test("by what the site's own certificate is like, which is looked at once", async () => {
    const url = `https://asked.test:${self.port}/`
    expect((await curl(port, url, ...trust)).code).toBe(60)
    expect((await curl(port, url, "-k")).status).toBe(200)
    const line = await until(() => lines(`asked.test:${self.port}`)[1])
    expect([line["tls"], line["tlsReason"]]).toEqual(["tunnel", "theirs"])
    const trusted = startSite(upstream.issue(["asked.test"]))
    expect((await curl(port, `https://asked.test:${trusted.port}/`, ...trust)).status).toBe(200)
    expect((await curl(port, `https://asked.test:${await freePort()}/`, ...trust)).status).toBe(502)
  })

  test("what is no TLS, what waits for the server to begin, and TLS with something else in it", async () => {
    const page = await curl(port, `http://127.0.0.1:${plain.port}/`, "--proxytunnel")
    expect(page.body).toBe("plain")
    const socket = await tunnel(port, `127.0.0.1:${speaker.port}`)
    let heard = ""
    socket.on("data", chunk => {
      heard += chunk.toString("latin1")
    })
    await until(() => heard.startsWith("220 "))
    socket.write("HELO me\r\n")
    await until(() => heard.includes("250 HELO me"))
    socket.destroy()
    expect((await until(() => lines(`127.0.0.1:${speaker.port}`)[0]))["tlsReason"]).toBe("silent-client")
    const mail = await inside(port, `app.test:${good.port}`, { alpn: ["imap"] }).catch(() => null)
    if (mail !== null) expect(mail.certificate.issuer.CN).toBe("World")
    mail?.socket.destroy()
    expect((await until(() => lines(`app.test:${good.port}`).find(line => line["tlsReason"] === "no-http")))["tls"]).toBe("tunnel")
  })
})
