import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { Message } from "../../support/message.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
const upstream = await recorder()
const listener = { bind: `0.0.0.0:${port}`, trustedHops: ["127.0.0.2", "10.1.0.0/16", "2001:db8:1::/48"] }
const proxy = await startBothways(reverseConfig(port, upstream.address, { listener }))
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

let count = 0

/** Sends these lines from this address; gives what the upstream got, and on demand whom the log names. */
async function sent(from: string, lines: readonly string[]): Promise<{ request: Message; client: () => Promise<unknown> }> {
  const target = `/${count++}`
  using client = await rawClient(port, { from })
  client.send([`GET ${target} HTTP/1.1`, "Host: app.test", ...lines, "\r\n"].join("\r\n"))
  expect((await client.response()).status).toBe(200)
  // The log is written in batches: ask for all lines of a test at its end.
  const named = async (): Promise<unknown> => (await until(() => proxy.log().find(line => line.target === target))).client
  return { request: upstream.requests.pop()!, client: named }
}

/** Whom the log names for each of these values of X-Forwarded-For from the trusted hop. */
async function clientsOf(lines: readonly (readonly string[])[]): Promise<unknown[]> {
  const named: (() => Promise<unknown>)[] = []
  for (const of of lines) named.push((await sent("127.0.0.2", of)).client)
  return Promise.all(named.map(ask => ask()))
}

const spoofed = [
  "Forwarded: for=6.6.6.6",
  "X-Real-IP: 6.6.6.6",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Prefix: /x",
  "X-Forwarded-Port: 1",
  "X-Forwarded-Host: e",
]

describe("O-12: who the client is", () => {
  test("a: what an untrusted client says of itself is dropped", async () => {
    const clients: (() => Promise<unknown>)[] = []
    for (let i = 0; i < 20; i++) {
      const random = [`X-Forwarded-For: 6.6.6.${i}, 7.7.7.${i}`, `x-forwarded-for: 8.8.8.${i}`]
      const { request, client } = await sent("127.0.0.1", [...random, ...spoofed])
      const { fields } = request
      clients.push(client)
      expect(fields["x-forwarded-for"]).toBe("127.0.0.1")
      expect([fields["x-forwarded-proto"], fields["x-forwarded-host"]]).toEqual(["http", "app.test"])
      for (const name of ["forwarded", "x-real-ip", "x-forwarded-prefix", "x-forwarded-port"]) expect(fields[name]).toBeUndefined()
    }
    for (const client of clients) expect(await client()).toBe("127.0.0.1")
  })
  test("b: from a trusted hop, the first untrusted entry from the right", async () => {
    const { request, client } = await sent("127.0.0.2", ["X-Forwarded-For: 6.6.6.6, 198.51.100.7"])
    expect(await client()).toBe("198.51.100.7")
    expect(request.fields["x-forwarded-for"]).toBe("6.6.6.6, 198.51.100.7, 127.0.0.2")
  })
  test("c: an entry that is no address ends the search; nothing further left is believed", async () => {
    const wrong = ["not-an-ip", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "", "[::1", "010.0.0.1", "1.2.3.4 5"]
    const clients = await clientsOf(wrong.map(entry => [`X-Forwarded-For: 198.51.100.7, ${entry}`]))
    expect(clients).toEqual(wrong.map(() => "127.0.0.2"))
  })
  test("d: ports, brackets and quotes are taken off", async () => {
    const lines = ["198.51.100.7:4711", "[2001:db8::1]:99", "2001:DB8::2"].map(value => [`X-Forwarded-For: ${value}`])
    const clients = await clientsOf([...lines, ['Forwarded: for="[2001:db8::3]:99";proto=https']])
    expect(clients).toEqual(["198.51.100.7", "2001:db8::1", "2001:db8::2", "2001:db8::3"])
  })
  test("e: trusted hops in the chain are passed over, also over several lines", async () => {
    const twoLines = ["X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.1.2.3", "X-Forwarded-For: 2001:db8:1::9"]
    const clients = await clientsOf([twoLines, ["X-Forwarded-For: 10.1.0.1, 10.1.0.2"], []])
    // When all of them are trusted the leftmost asks, and without any word the hop itself does.
    expect(clients).toEqual(["198.51.100.7", "10.1.0.1", "127.0.0.2"])
  })
  test("whoever writes many elements before those of the hops is not believed", async () => {
    const many = Array.from({ length: 60 }, (_, i) => `for=6.6.6.${i}`).join(", ")
    expect(await clientsOf([[`Forwarded: ${many}, for=198.51.100.7`]])).toEqual(["198.51.100.7"])
  })
  test("what a trusted hop says of scheme and host stays", async () => {
    const { request } = await sent("127.0.0.2", ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test"])
    expect([request.fields["x-forwarded-proto"], request.fields["x-forwarded-host"]]).toEqual(["https", "shop.test"])
  })
})
