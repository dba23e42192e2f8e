import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../../support/bothways.ts"
import { freePorts } from "../../../support/ports.ts"
import { recorder } from "../../../support/recorder.ts"
import { answer, ask } from "../cached-origin.ts"

// Servers answer by what trusted hops say of the client's connection (X-Forwarded-Proto, X-Forwarded-Host): what one hears is for nobody who would be told otherwise.

const said = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix", "forwarded"]
const origin = await recorder(request => answer(said.map(name => request.fields[name]).join(" "), ["Cache-Control: max-age=600"]))
const [trusting, plain, standard, transparent] = (await freePorts(4)) as [number, number, number, number]
const proxy = await startBothways({
  listeners: {
    trusting: { bind: `127.0.0.1:${trusting}`, trustedHops: ["127.0.0.1/32"] },
    plain: { bind: `127.0.0.1:${plain}` },
    standard: { bind: `127.0.0.1:${standard}`, forward: { privateRanges: "allow" } },
    transparent: { bind: `127.0.0.1:${transparent}`, forward: { privateRanges: "allow", privacy: "transparent" } },
  },
  clusters: { a: { peers: [origin.address] } },
  caches: { main: { memory: "8MB" } },
  routes: [
    { match: { listener: ["standard", "transparent"] }, filters: [{ cache: { store: "main" } }], to: { origin: {} } },
    // With a filter of its own the cache stands behind the fields that are ours.
    {
      match: { path: "/filtered/*" },
      filters: [{ cache: { store: "main" } }, { headers: { request: { set: { "X-A": "a" } } } }],
      to: { cluster: "a" },
    },
    { filters: [{ cache: { store: "main" } }], to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

for (const place of ["", "/filtered"]) {
  describe(`what a trusted hop says${place}`, () => {
    const first = async (port: number, target: string, fields: string[] = []): Promise<string> => (await ask(port, place + target, fields)).body

    test("of TLS tells pages apart, and what we would have said ourselves is the same page", async () => {
      const bodies = [
        await first(trusting, "/proto", ["X-Forwarded-Proto: http"]),
        await first(trusting, "/proto", ["X-Forwarded-Proto: https"]),
        await first(plain, "/proto"),
        await first(trusting, "/proto"),
      ]
      expect(bodies.map(body => body.split(" ")[0])).toEqual(["http", "https", "http", "http"])
      expect(origin.requests.filter(({ start }) => start.includes(`${place}/proto`))).toHaveLength(2)
    })

    test("of the host, too", async () => {
      const bodies = [
        await first(trusting, "/host", ["X-Forwarded-Host: one.test"]),
        await first(trusting, "/host", ["X-Forwarded-Host: two.test"]),
        await first(plain, "/host"),
      ]
      expect(bodies.map(body => body.split(" ")[1])).toEqual(["one.test", "two.test", "a.test"])
    })

    test("of a prefix, and in Forwarded; but not who the client is", async () => {
      expect(await first(trusting, "/prefix", ["X-Forwarded-Prefix: /one"])).toContain(" /one ")
      expect(await first(trusting, "/prefix", ["X-Forwarded-Prefix: /two"])).toContain(" /two ")
      expect(await first(trusting, "/forwarded", ["Forwarded: for=192.0.2.1;proto=https;host=one.test"])).toContain("proto=https;host=one.test")
      expect(await first(trusting, "/forwarded", ["Forwarded: for=192.0.2.1;proto=http;host=one.test"])).toContain("proto=http;host=one.test")
      for (const client of ["192.0.2.2", "192.0.2.3"]) await first(trusting, "/client", [`X-Forwarded-For: ${client}`, `Forwarded: for=${client}`])
      expect(origin.requests.filter(({ start }) => start.includes(`${place}/client`))).toHaveLength(1)
    })

    test("but nobody else says it", async () => {
      const spoofed = ["X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "X-Forwarded-Prefix: /evil"]
      expect([await first(plain, "/none", spoofed), await first(plain, "/none")]).toEqual(["http a.test  ", "http a.test  "])
      expect(origin.requests.filter(({ start }) => start.includes(`${place}/none`))).toHaveLength(1)
      // Nor does what comes past the hop stand for what the hop says.
      await first(plain, "/past", ["X-Forwarded-Proto: https"])
      expect(await first(trusting, "/past", ["X-Forwarded-Proto: https"])).toStartWith("https ")
    })
  })
}

describe("what a forward client says", () => {
  const forward = async (port: number, target: string, fields: string[]): Promise<string> =>
    (await ask(port, `http://${origin.address}${target}`, [`Host: ${origin.address}`, ...fields])).body

  for (const [name, port] of [
    ["standard", standard],
    ["transparent", transparent],
  ] as const) {
    test(`is for itself alone: ${name}`, async () => {
      await forward(port, `/${name}`, [
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Prefix: /evil",
        "X-Forwarded-Proto: evil",
        "Forwarded: host=evil.test",
      ])
      expect(await forward(port, `/${name}`, [])).not.toContain("evil")
    })
  }
})
