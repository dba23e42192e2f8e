import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import type { ResponseMessage } from "../../support/message.ts"
import { handshake, opensslRequest } from "../../support/openssl-client.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { type RawClientOptions, rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

const authority = new Authority()
const strangers = new Authority("Somebody else")
const exact = authority.issue(["a.test"])
const wildcard = authority.issue(["*.w.test", "w.test"])
const alice = authority.issue(["alice", "robots.test"])
const mallory = strangers.issue(["mallory"])
const files = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => ({ cert: certFile, key: keyFile })

const [plain, modern, legacy, optional, required] = (await freePorts(5)) as [number, number, number, number, number]
const upstream = await recorder()
const tls = { certificates: [files(exact), files(wildcard)] }
const listener = (port: number, more: object = {}) => ({ bind: `127.0.0.1:${port}`, tls: { ...tls, ...more } })
const asking = (mode: string) => ({ clientCertificates: { mode, ca: authority.ca.certFile } })
const told = { "X-User": "$user", "X-Tls": "$tlsVersion $tlsName", "X-Serial": "$certificateSerial", "X-Print": "$certificateFingerprint" }
const proxy = await startBothways({
  listeners: {
    plain: listener(plain),
    modern: { ...listener(modern, { minVersion: "1.3" }), http2: false },
    legacy: listener(legacy, { ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305" }),
    optional: listener(optional, asking("optional")),
    required: listener(required, asking("required")),
  },
  clusters: { a: { peers: [upstream.address] } },
  routes: [{ name: "all", match: {}, filters: [{ headers: { request: { set: told } } }], to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

type Tls = NonNullable<RawClientOptions["tls"]>

async function get(port: number, tls: Tls, more = ""): Promise<ResponseMessage> {
  using client = await rawClient(port, { tls: { ca: authority.ca.cert, servername: "a.test", ...tls } })
  client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`)
  return await client.response()
}

describe("the certificate follows the name in the handshake", () => {
  const wanted: Record<string, string> = {
    "a.test": "a.test",
    "A.TEST": "a.test",
    "x.w.test": "*.w.test",
    "X.W.Test": "*.w.test",
    "w.test": "*.w.test",
    "x.y.w.test": "a.test", // a wildcard is one label (RFC 9525 section 6.3); the first certificate is the default
    "other.test": "a.test",
  }
  for (const [name, shown] of Object.entries(wanted)) {
    test(name, async () => expect((await handshake(plain, "-servername", name)).name).toBe(shown))
  }
  test("no name: the first", async () => expect((await handshake(plain, "-noservername")).name).toBe("a.test"))
})

describe("versions, ciphers and protocols", () => {
  test("1.2 and 1.3 by default, older ones never", async () => {
    const versions = await Promise.all(["-tls1_3", "-tls1_2", "-tls1_1"].map(word => handshake(plain, word, "-cipher", "ALL:@SECLEVEL=0")))
    expect(versions.map(({ ok, version }) => [ok, ok ? version : ""])).toEqual([
      [true, "TLSv1.3"],
      [true, "TLSv1.2"],
      [false, ""],
    ])
  })
  test("minVersion 1.3 refuses 1.2, for every name", async () => {
    for (const name of ["a.test", "x.w.test"]) {
      expect((await handshake(modern, "-tls1_2", "-servername", name)).ok).toBe(false)
      expect(await handshake(modern, "-servername", name)).toMatchObject({ ok: true, version: "TLSv1.3" })
    }
  })
  test("ciphers: only those for 1.2, for every name", async () => {
    for (const name of ["a.test", "x.w.test"]) {
      const only = await handshake(legacy, "-tls1_2", "-servername", name)
      expect([only.ok, only.cipher]).toEqual([true, "ECDHE-ECDSA-CHACHA20-POLY1305"])
      expect((await handshake(legacy, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "-servername", name)).ok).toBe(false)
    }
  })
  test("ALPN: h2 before http/1.1 of what is offered; a client that speaks other protocols only is refused (RFC 7301 section 3.2)", async () => {
    const offers = ["h2,http/1.1", "http/1.1", "h2", "acme-tls/1"]
    const agreed = await Promise.all(offers.map(offer => handshake(plain, "-alpn", offer)))
    expect(agreed.map(({ ok, alpn }) => [ok, alpn])).toEqual([
      [true, "h2"],
      [true, "http/1.1"],
      [true, "h2"],
      [false, ""],
    ])
    expect(await handshake(plain)).toMatchObject({ ok: true, alpn: "" })
  })
  test("http2: false takes h2 out of the offer", async () => {
    const agreed = await Promise.all(["h2,http/1.1", "h2"].map(offer => handshake(modern, "-alpn", offer)))
    expect(agreed.map(({ ok, alpn }) => [ok, alpn])).toEqual([
      [true, "http/1.1"],
      [false, ""],
    ])
  })
  test("a request in the clear on a TLS port, and rubbish, are failed handshakes and nothing else", async () => {
    const before = (await scrape(proxy)).get(failures) ?? 0
    for (const bytes of ["GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "\x16\x03\x01\x00\x04\x01\x00\x00\x00", "\0".repeat(600)]) {
      using client = await rawClient(plain)
      client.send(bytes)
      client.fin()
      await client.toEnd()
      expect(client.received).not.toContain("HTTP/")
    }
    await until(async () => ((await scrape(proxy)).get(failures) ?? 0) >= before + 3, 3000, "three failed handshakes")
    expect((await get(plain, {})).status).toBe(200)
  })
})

const failures = 'bothways_faults_total{fault="client.handshake-failed",source="client"}'

describe("what the upstream learns", () => {
  test("scheme, version and name", async () => {
    expect((await get(plain, {}, "X-Tls: mine\r\nX-User: root\r\n")).status).toBe(200)
    const { fields } = upstream.requests.pop()!
    expect(fields["x-forwarded-proto"]).toBe("https")
    expect([fields["x-tls"], fields["x-user"], fields["x-serial"], fields["x-print"]]).toEqual(["TLSv1.3 a.test", undefined, undefined, undefined])
  })
  test("off: a certificate is not asked for", async () => {
    expect((await handshake(plain)).asked).toBe(false)
    expect((await get(plain, { cert: alice.cert, key: alice.key })).status).toBe(200)
    expect(upstream.requests.pop()!.fields["x-user"]).toBeUndefined()
  })
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`optional: whoever shows a good one is its subject, in the log and upstream; nobody else is anybody (${maxVersion})`, async () => {
      const shown: Tls[] = [{}, { cert: alice.cert, key: alice.key }, { cert: mallory.cert, key: mallory.key }]
      const seen: unknown[] = []
      for (const pair of shown) {
        expect((await get(optional, { ...pair, maxVersion }, "X-User: root\r\nX-Serial: 1\r\nX-Print: 2\r\n")).status).toBe(200)
        const { fields } = upstream.requests.pop()!
        seen.push([fields["x-user"], /^[0-9A-F]{20,40}$/.test(fields["x-serial"] ?? ""), (fields["x-print"] ?? "").length])
      }
      expect(seen).toEqual([
        [undefined, false, 0],
        ["CN=alice", true, 95],
        [undefined, false, 0],
      ])
      await until(() => proxy.log().some(line => line.listener === "optional" && line.user === "CN=alice"))
      expect(JSON.stringify(proxy.log())).not.toContain("mallory")
    })
    test(`required: the handshake fails without a good one, for every name (${maxVersion})`, async () => {
      for (const servername of ["a.test", "x.w.test", "other.test"]) {
        const before = upstream.requests.length
        for (const pair of [{}, { cert: mallory.cert, key: mallory.key }]) {
          const answer = get(required, { ...pair, servername, maxVersion, ca: undefined as never })
          await expect(answer).rejects.toThrow()
        }
        expect(upstream.requests.length).toBe(before)
        expect((await get(required, { cert: alice.cert, key: alice.key, servername, maxVersion, ca: undefined as never })).status).toBe(200)
        expect(upstream.requests.pop()!.fields["x-user"]).toBe("CN=alice")
      }
    })
  }
  test("a session of a listener that asks for nothing opens no door at one that insists", async () => {
    const session = join(temporaryFolder("session"), "session.pem")
    const close = "GET /resumed HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const first = await opensslRequest(plain, close, version, "-servername", "a.test", "-sess_out", session)
      const again = await opensslRequest(plain, close, version, "-servername", "a.test", "-sess_in", session)
      expect([first.output, again.output].map(output => output.includes("HTTP/1.1 200 OK"))).toEqual([true, true])
      expect([first.resumed, again.resumed]).toEqual([false, true])
      const before = upstream.requests.length
      const other = await opensslRequest(required, close, version, "-servername", "a.test", "-sess_in", session)
      expect([other.resumed, other.output.includes("HTTP/1.1 200 OK"), upstream.requests.length]).toEqual([false, false, before])
    }
  })
})
