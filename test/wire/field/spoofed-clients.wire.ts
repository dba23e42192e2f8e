import { gzipSync } from "node:zlib"
import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"

// O-12 where it matters: a limit for each client, and clients that say each time that they are somebody else. O-45 c: codings nested twenty deep.

const upstream = await recorder()
const port = await freePort()
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}`, trustedHops: ["127.0.0.2"] } },
  clusters: { app: { peers: [upstream.address] } },
  routes: [
    { match: { path: "/inflated" }, filters: [{ decompress: { request: true } }], to: { cluster: "app" } },
    { match: {}, filters: [{ "rate-limit": { requests: 5, per: "1m" } }], to: { cluster: "app" } },
  ],
  observe: { accessLog: { to: "none" } },
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

async function statuses(from: string, count: number, fieldsOf: (i: number) => readonly string[]): Promise<number[]> {
  const seen: number[] = []
  for (let i = 0; i < count; i++) {
    using client = await rawClient(port, { from })
    client.send(["GET / HTTP/1.1", "Host: a.test", ...fieldsOf(i), "\r\n"].join("\r\n"))
    seen.push((await client.response()).status)
  }
  return seen
}

const limited = (count: number): number[] => Array.from({ length: count }, (_, i) => (i < 5 ? 200 : 429))

test("O-12 a: a stranger has five a minute, whatever it says of itself", async () => {
  const random = (i: number): string[] => [
    `X-Forwarded-For: 6.6.6.${i}, 7.7.7.${i}`,
    `X-Forwarded-For: 8.8.8.${i}`,
    `Forwarded: for=9.9.9.${i}`,
    `X-Real-IP: 5.5.5.${i}`,
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /x",
  ]
  expect(await statuses("127.0.0.1", 20, random)).toEqual(limited(20))
  expect(upstream.requests.map(({ fields }) => fields["x-forwarded-for"])).toEqual(Array(5).fill("127.0.0.1"))
})

test("O-12 b, c, d: behind a trusted hop the last entry counts, with or without port; what is no address is nobody's escape", async () => {
  expect(await statuses("127.0.0.2", 8, i => [`X-Forwarded-For: 6.6.6.${i}, 198.51.100.7`])).toEqual(limited(8))
  expect(await statuses("127.0.0.2", 8, i => [`X-Forwarded-For: 6.6.6.${i}, 198.51.100.8:${1000 + i}`])).toEqual(limited(8))
  expect(await statuses("127.0.0.2", 8, i => [`X-Forwarded-For: [2001:db8::1]:${99 + i}`])).toEqual(limited(8))
  expect(await statuses("127.0.0.2", 8, i => [`X-Forwarded-For: 6.6.7.${i}, not-an-ip`])).toEqual(limited(8))
})

test("O-45 c: codings nested twenty deep are refused", async () => {
  upstream.requests.length = 0
  let body: Uint8Array = Buffer.from("x")
  for (let i = 0; i < 20; i++) body = gzipSync(body)
  using client = await rawClient(port)
  client.send(
    `POST /inflated HTTP/1.1\r\nHost: a.test\r\nContent-Encoding: ${Array(20).fill("gzip").join(", ")}\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  client.send(body)
  expect((await client.response()).status).toBe(415)
  expect(upstream.requests).toEqual([])
})
