import { afterAll, describe, expect, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runBothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// Who gets in by address, by certificate, by key or by one of them; with files that change while the proxy serves.
const authority = new Authority()
const [site, alice] = [authority.issue(["a.test"]), authority.issue(["alice"])]
const upstream = await recorder()
const [port, secure] = (await freePorts(2)) as [number, number]
const folder = temporaryFolder("access")
const write = (name: string, content: string): string => {
  writeFileSync(join(folder, `${name}.new`), content)
  renameSync(join(folder, `${name}.new`), join(folder, name))
  return join(folder, name)
}
const others = Array.from({ length: 100_000 }, (_, i) => `${(i >> 16) + 20}.${(i >> 8) & 255}.${i & 255}.0/${24 + (i % 9)} ; SBL${i}`).join("\n")
const blocked = write("blocked", `${others}\n`)
const keys = write("keys", "shop:key-of-the-shop-0123456789\n")
const config = {
  listeners: {
    web: { bind: `127.0.0.1:${port}`, trustedHops: ["127.0.0.1"] },
    secure: {
      bind: `127.0.0.1:${secure}`,
      tls: { certificates: [{ cert: site.certFile, key: site.keyFile }], clientCertificates: { mode: "optional", ca: authority.ca.certFile } },
    },
  },
  clusters: { app: { peers: [upstream.address] } },
  routes: [
    { name: "cert", match: { listener: "secure" }, filters: ["client-cert-fields"], to: { cluster: "app" } },
    {
      name: "key",
      match: { path: "/key" },
      filters: [{ "any-of": [{ "api-key": { keys } }, { "ip-list": { allow: ["10.1.0.0/16"] } }] }],
      to: { cluster: "app" },
    },
    { name: "list", match: {}, filters: [{ "ip-list": { files: { deny: blocked } } }], to: { cluster: "app" } },
  ],
}
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})
const from = async (client: string, path = "/", fields: Record<string, string> = {}): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { "X-Forwarded-For": client, ...fields } })).status

describe("access", () => {
  test("100,000 ranges of a file, exchanged while it serves; a bad version leaves the last one", async () => {
    expect([await from("20.0.1.1"), await from("21.1.2.0"), await from("192.0.2.1"), await from("2002:1400:101::1")]).toEqual([403, 403, 200, 403])
    await Bun.sleep(300)
    write("blocked", "192.0.2.0/24\n10.0.0.0/33\n")
    await until(() => proxy.program.stderr.includes("line 2: "), 6000, "the word about the bad version")
    expect([await from("20.0.1.1"), await from("192.0.2.1")]).toEqual([403, 200])
    write("blocked", "192.0.2.0/24 # all of it\n")
    await until(async () => (await from("192.0.2.1")) === 403, 6000, "the new list")
    expect(await from("20.0.1.1")).toBe(200)
  }, 20_000)

  test("an address or a key", async () => {
    const key = { "X-API-Key": "key-of-the-shop-0123456789" }
    expect([await from("10.1.2.3", "/key"), await from("10.2.2.3", "/key"), await from("10.2.2.3", "/key", key)]).toEqual([200, 401, 200])
    expect(upstream.requests.at(-1)!.fields["x-api-key"]).toBeUndefined()
  })

  test("the certificate for the peer, octet for octet, over TLS (RFC 9440)", async () => {
    const open = (tls: object) => rawClient(secure, { tls: { servername: "a.test", ...tls } })
    const get =
      "GET / HTTP/1.1\r\nHost: a.test\r\nClient-Cert: :AAAA:\r\nclient_cert: :AAAA:\r\nClient-Cert-Chain: :AAAA:\r\nConnection: keep-alive, Client-Cert\r\n\r\n"
    using shown = await open({ cert: alice.cert, key: alice.key })
    for (let i = 0; i < 2; i++) {
      shown.send(get)
      expect((await shown.response()).status).toBe(200)
      const { fields, head } = upstream.requests.at(-1)!
      expect(fields["client-cert"]).toBe(`:${new X509Certificate(alice.cert).raw.toString("base64")}:`)
      expect(head).not.toContain("AAAA")
    }
    using none = await open({})
    none.send(get)
    expect((await none.response()).status).toBe(200)
    expect(upstream.requests.at(-1)!.head.toLowerCase()).not.toContain("client")
  })

  test("check says what is wrong and where", async () => {
    const file = write(
      "bad.json",
      JSON.stringify(
        {
          ...config,
          routes: [
            {
              match: {},
              filters: [
                { "any-of": [{ "forward-auth": { cluster: "ap", path: "/" } }, { "api-key": { keys: "nowhere" } }] },
                { jwt: { issuer: "*", audience: "*", secretFile: "nowhere", algorithms: ["RS256"] } },
                { "ip-list": { files: { deny: "nowhere" } } },
                { cors: { origins: ["*"], credentials: true } },
              ],
              to: { cluster: "app" },
            },
          ],
        },
        null,
        1,
      ),
    )
    const first = await runBothways(["check", file])
    expect(first.code).not.toBe(0)
    const said = first.stdout + first.stderr
    expect(said).toMatch(/bad\.json:\d+:\d+: .*RS256 needs public keys/)
    expect(said).toMatch(/bad\.json:\d+:\d+: .*with credentials the origins have to be named/)
    const mended = write(
      "bad.json",
      JSON.stringify(
        JSON.parse(
          await Bun.file(file)
            .text()
            .then(text => text.replace(/"RS256"/, '"HS256"').replace('"credentials": true', '"credentials": false')),
        ),
        null,
        1,
      ),
    )
    const second = await runBothways(["check", mended])
    const more = second.stdout + second.stderr
    expect(more).toMatch(/bad\.json:\d+:\d+: .*there is no cluster "ap"; did you mean "app"\?/)
    expect(more.match(/bad\.json:\d+:\d+: .*nowhere: there is no such file/g)?.length).toBe(3)
  })
})
