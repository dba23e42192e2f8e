import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createSocket } from "node:dgram"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { h3Origin } from "../../support/h3/h3-origin.ts"
import { testSite } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// A plain HTTP/1.1 client, and origins that offer more (docs/http-versions.md).
const { site, authority } = testSite()
const tls = { cert: site.cert, key: site.key }
const dns = await DnsServer.start()
const ports: Record<string, number> = {}
let proxy: Bothways

beforeAll(async () => {
  for (const name of ["auto", "http1", "http2", "http3", "closed", "plain"]) ports[name] = await freePort()
  const upgrade = (http: string) => ({ tls: true, http, ca: authority.ca.certFile })
  const forward = { privateRanges: "allow", ports: ["80", "443", "1025-65535"] }
  const route = (name: string, origin: object) => ({ name, match: { listener: name }, to: { origin } })
  proxy = await startBothways({
    listeners: Object.fromEntries(
      Object.entries(ports).map(([name, port]) => [
        name,
        { bind: `127.0.0.1:${port}`, forward: name === "closed" ? { ...forward, privateRanges: "deny" } : forward },
      ]),
    ),
    resolver: { servers: [dns.address], timeout: "500ms" },
    routes: [
      ...["auto", "http1", "http2", "http3"].map(name => route(name, { upgrade: upgrade(name) })),
      route("closed", { upgrade: upgrade("http3") }),
      route("plain", {}),
    ],
  })
})
afterAll(async () => {
  await proxy.stop()
  dns.stop()
})

let names = 0
/** A name of its own for each test, so that nothing is remembered; all are in the certificate of a.test's authority. */
function freshName(): string {
  const name = `n${names++}.test`
  dns.say(name, { a: ["127.0.0.1"] })
  return name
}
const issued = (name: string) => {
  const { certFile, keyFile, cert, key } = authority.issue([name])
  return { certFile, keyFile, cert, key }
}

async function ask(listener: string, url: string, method = "GET", body = "") {
  using client = await rawClient(ports[listener]!)
  const { host } = new URL(url)
  client.send(`${method} ${url} HTTP/1.1\r\nHost: ${host}\r\n${body ? `Content-Length: ${body.length}\r\n` : ""}\r\n${body}`)
  return await client.response(method)
}

/** An origin over TLS and, on the same port, over QUIC. `altSvc`: said over TCP. */
async function both(name: string, altSvc: string | null, { quic = true } = {}) {
  const { certFile, keyFile, cert, key } = issued(name)
  for (;;) {
    const tcp = await h2Origin({
      tls: { cert, key },
      script: exchange => exchange.respond(200, "h2", altSvc === null ? [] : [["alt-svc", altSvc.replace("PORT", String(tcp.port))]]),
    })
    try {
      const udp = quic ? h3Origin({ port: tcp.port, site: { certFile, keyFile, cert, key }, script: "h3" }) : null
      return {
        tcp,
        udp,
        url: `http://${name}:${tcp.port}/`,
        [Symbol.asyncDispose]: async () => {
          await udp?.[Symbol.asyncDispose]()
          await tcp.close()
        },
      }
    } catch {
      await tcp.close()
    }
  }
}

describe("what the origin offers over TCP", () => {
  test("HTTP/1.1 over TLS", async () => {
    const name = freshName()
    const { cert, key } = issued(name)
    await using origin = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1", { tls: { cert, key } })
    expect(await ask("auto", `http://${name}:${origin.port}/a`)).toMatchObject({ status: 200, body: "h1" })
    expect(origin.received).toStartWith("GET /a HTTP/1.1\r\n")
    expect((await ask("auto", `http://${name}:${origin.port}/b`)).body).toBe("h1")
    expect(origin.connections.length).toBe(1)
  })
  test("HTTP/2 by ALPN; without an upgrade the origin is asked as the client asked", async () => {
    const name = freshName()
    await using origin = await both(name, null, { quic: false })
    expect((await ask("auto", origin.url)).body).toBe("h2")
    expect(origin.tcp.requests[0]!.headers).toMatchObject({ ":scheme": "https", ":authority": `${name}:${origin.tcp.port}` })
    await using plain = await recorder()
    expect((await ask("plain", `http://${name}:${plain.port}/`)).body).toBe("ok")
  })
})

describe("Alt-Svc", () => {
  test("the first answer says so, a later one comes over HTTP/3; the client hears nothing of it", async () => {
    await using origin = await both(freshName(), 'h3=":PORT"; ma=60')
    const first = await ask("auto", origin.url)
    expect([first.body, first.fields["alt-svc"]]).toEqual(["h2", undefined])
    const seen: string[] = []
    await until(async () => {
      seen.push((await ask("auto", origin.url)).body)
      return seen.at(-1) === "h3"
    })
    // Nobody waits for it: what is there serves meanwhile.
    expect(seen.every(body => body === "h2" || body === "h3")).toBe(true)
    for (let i = 0; i < 5; i++) expect((await ask("auto", origin.url, "POST", "x")).body).toBe("h3")
    expect(origin.udp!.connections.length).toBe(1)
    const host = new URL(origin.url).hostname
    await until(() => proxy.log().filter(line => line["host"] === host && line["status"] === 200).length > 6)
  })
  test("on another port", async () => {
    const name = freshName()
    const { certFile, keyFile, cert, key } = issued(name)
    await using udp = h3Origin({ site: { certFile, keyFile, cert, key }, script: "other" })
    await using origin = await both(name, `h3=":${udp.port}"`, { quic: false })
    await until(async () => (await ask("auto", origin.url)).body === "other")
    expect(udp.requests[0]!.stream.headers[":authority"]).toBe(`${name}:${origin.tcp.port}`)
  })
  test("on another host it is not followed", async () => {
    await using origin = await both(freshName(), 'h3="a.test:PORT"; ma=60')
    for (let i = 0; i < 5; i++) expect((await ask("auto", origin.url)).body).toBe("h2")
    expect(origin.udp!.connections.length).toBe(0)
  })
  test("clear: the next ones stay with TCP", async () => {
    let said = 'h3=":PORT"; ma=60'
    const name = freshName()
    const { certFile, keyFile, cert, key } = issued(name)
    await using tcp = await h2Origin({
      tls: { cert, key },
      script: exchange => exchange.respond(200, "h2", [["alt-svc", said.replace("PORT", String(tcp.port))]]),
    })
    const url = `http://${name}:${tcp.port}/`
    expect((await ask("auto", url)).body).toBe("h2")
    said = "clear"
    // Nobody listens there yet: still TCP, which takes it back.
    expect((await ask("auto", url)).body).toBe("h2")
    await using udp = h3Origin({ port: tcp.port, site: { certFile, keyFile, cert, key }, script: "h3" })
    for (let i = 0; i < 5; i++) expect((await ask("auto", url)).body).toBe("h2")
    expect(udp.requests.length).toBe(0)
  })
  test("the certificate over QUIC is not the origin's: nothing is asked there, TCP goes on", async () => {
    const name = freshName()
    const wrong = new Authority("another").issue([name])
    await using udp = h3Origin({ site: wrong, script: "evil" })
    await using origin = await both(name, `h3=":${udp.port}"`, { quic: false })
    for (let i = 0; i < 6; i++) expect((await ask("auto", origin.url)).body).toBe("h2")
    expect(udp.requests.length).toBe(0)
  })
})

describe("an HTTPS record of DNS", () => {
  test("HTTP/3 before anybody has said so over TCP", async () => {
    const name = freshName()
    await using origin = await both(name, null)
    dns.say(`_${origin.tcp.port}._https.${name}`, { https: [httpsData(1, name, ["h3", "h2"])] })
    await until(async () => (await ask("auto", origin.url)).body === "h3")
    expect(dns.count(`_${origin.tcp.port}._https.${name}`, "HTTPS")).toBe(1)
  })
})

/** SvcPriority, TargetName and the alpn parameter (RFC 9460 section 2.2). */
function httpsData(priority: number, target: string, alpn: readonly string[]): Uint8Array {
  const list = Buffer.concat(alpn.map(each => Buffer.concat([Buffer.from([each.length]), Buffer.from(each)])))
  const labels = target.split(".").map(each => Buffer.concat([Buffer.from([each.length]), Buffer.from(each)]))
  return Buffer.concat([Buffer.from([priority >> 8, priority & 255]), ...labels, Buffer.from([0, 0, 1, 0, list.length]), list])
}

describe("UDP that does not get through", () => {
  test("the first request over HTTP/3 is answered by TCP a quarter of a second later; then it is left alone", async () => {
    const socket = createSocket("udp4")
    await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve))
    let packets = 0
    socket.on("message", () => packets++)
    const name = freshName()
    // The connection ends behind each answer, so that each request must find its own way.
    const { cert, key } = issued(name)
    const head = `HTTP/1.1 200 OK\r\nAlt-Svc: h3=":${socket.address().port}"\r\nConnection: close\r\nContent-Length: 2\r\n\r\nh1`
    await using origin = await scriptedServer(head, { tls: { cert, key } })
    const url = `http://${name}:${origin.port}/`
    expect((await ask("auto", url)).body).toBe("h1")
    const at = performance.now()
    expect((await ask("auto", url)).body).toBe("h1")
    const took = performance.now() - at
    expect(packets).toBeGreaterThan(0)
    expect(took).toBeGreaterThan(200)
    expect(took).toBeLessThan(700)
    // While it is still being tried nobody waits for it any more.
    const again = performance.now()
    for (let i = 0; i < 3; i++) expect((await ask("auto", url)).body).toBe("h1")
    expect(performance.now() - again).toBeLessThan(1500)
    socket.close()
  })
  test("a hundred at once: all are answered, and over few connections", async () => {
    const socket = createSocket("udp4")
    await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve))
    const name = freshName()
    await using origin = await both(name, `h3=":${socket.address().port}"`, { quic: false })
    dns.say(`_${origin.tcp.port}._https.${name}`, { https: [httpsData(1, name, ["h3", "h2"])] })
    expect((await ask("auto", origin.url)).body).toBe("h2")
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask("auto", origin.url)))
    expect(answers.every(({ body }) => body === "h2")).toBe(true)
    expect(origin.tcp.connections.length).toBeLessThan(5)
    socket.close()
  })
})

describe("HTTP/3 that dies in the middle of life", () => {
  test("it ends in order: the next request goes over TCP, also a POST", async () => {
    await using origin = await both(freshName(), 'h3=":PORT"; ma=60')
    await until(async () => (await ask("auto", origin.url)).body === "h3")
    origin.udp!.drain()
    await until(() => origin.udp!.connections[0]!.closed !== null)
    for (let i = 0; i < 3; i++) expect((await ask("auto", origin.url, "POST", "x")).body).toBe("h2")
  }, 20_000)
  test("it falls silent: a GET is answered by TCP all the same, after some seconds; the next ones at once", async () => {
    await using origin = await both(freshName(), 'h3=":PORT"; ma=60')
    await until(async () => (await ask("auto", origin.url)).body === "h3")
    await origin.udp![Symbol.asyncDispose]()
    const at = performance.now()
    expect((await ask("auto", origin.url)).body).toBe("h2")
    expect(performance.now() - at).toBeLessThan(4800)
    const again = performance.now()
    for (let i = 0; i < 3; i++) expect((await ask("auto", origin.url, "POST", "x")).body).toBe("h2")
    expect(performance.now() - again).toBeLessThan(1000)
  }, 20_000)
})

describe("one version alone", () => {
  test("http1: nothing else is offered", async () => {
    const name = freshName()
    const { cert, key } = issued(name)
    await using origin = await scriptedServer('HTTP/1.1 200 OK\r\nAlt-Svc: h3=":1"\r\nContent-Length: 2\r\n\r\nh1', {
      tls: { cert, key, ALPNProtocols: ["h2", "http/1.1"] },
    })
    for (let i = 0; i < 2; i++) {
      const answer = await ask("http1", `http://${name}:${origin.port}/`)
      expect([answer.body, answer.fields["alt-svc"]]).toEqual(["h1", undefined])
    }
    expect(origin.received).toStartWith("GET / HTTP/1.1\r\n")
  })
  test("http2: an origin without it is a 502", async () => {
    const name = freshName()
    await using origin = await both(name, 'h3=":PORT"; ma=60')
    for (let i = 0; i < 3; i++) expect((await ask("http2", origin.url)).body).toBe("h2")
    expect(origin.udp!.connections.length).toBe(0)
    const { cert, key } = issued(name)
    await using old = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1", { tls: { cert, key } })
    expect((await ask("http2", `http://${name}:${old.port}/`)).status).toBe(502)
  })
  test("http3: at once, and never over TCP", async () => {
    const name = freshName()
    await using origin = await both(name, null)
    for (let i = 0; i < 3; i++) expect((await ask("http3", origin.url)).body).toBe("h3")
    expect(origin.tcp.connections.length).toBe(0)
    const wrong = await both(freshName(), null)
    await wrong.udp![Symbol.asyncDispose]()
    await wrong.tcp.close()
  })
})

describe("what is never done", () => {
  test("a certificate that is wrong: 502, never plain", async () => {
    const name = freshName()
    const wrong = new Authority("another").issue([name])
    await using origin = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", { tls: { cert: wrong.cert, key: wrong.key } })
    expect((await ask("auto", `http://${name}:${origin.port}/`)).status).toBe(502)
    expect(origin.received).toBe("")
    await using other = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", { tls })
    expect((await ask("auto", `http://${name}:${other.port}/`)).status).toBe(502)
    expect(other.received).toBe("")
    for (const fault of ["upstream.certificate-untrusted", "upstream.certificate-name"])
      await until(() => proxy.log().some(line => line["fault"] === fault), undefined, fault)
  })
  test("an origin that speaks no TLS: 502, never plain", async () => {
    await using plain = await scriptedServer(async connection => {
      await connection.bytes(5)
      connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
      connection.fin()
    })
    const name = freshName()
    expect((await ask("auto", `http://${name}:${plain.port}/`)).status).toBe(502)
    expect(plain.received).not.toContain("HTTP/1.1")
  })
  test("private ranges are closed to QUIC, too", async () => {
    const name = freshName()
    await using origin = await both(name, null)
    const at = performance.now()
    expect((await ask("closed", origin.url)).status).toBe(403)
    expect(performance.now() - at).toBeLessThan(1000)
    expect(origin.udp!.connections.length + origin.tcp.connections.length).toBe(0)
  })
  test("CONNECT is what it was", async () => {
    await using origin = await both(freshName(), null)
    using client = await rawClient(ports["auto"]!)
    client.send(`CONNECT 127.0.0.1:${origin.tcp.port} HTTP/1.1\r\nHost: x\r\n\r\n`)
    // The port is none of connectPorts.
    expect((await client.response("CONNECT")).status).toBe(403)
  })
})

test("port 80 becomes 443, which nobody answers here: the fault is that of 443", async () => {
  const name = freshName()
  expect((await ask("auto", `http://${name}/`)).status).toBeGreaterThanOrEqual(502)
  const line = await until(() => proxy.log().find(each => each["host"] === name))
  expect(line["peer"]).toBe("127.0.0.1:443")
})
