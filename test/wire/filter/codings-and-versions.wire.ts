import { afterAll, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { secureListener } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// A body goes in compressed, reaches the peer in plain octets, comes back in pieces of random size and goes out compressed: the same octets, whatever coding and version of HTTP.
const codings = {
  gzip: [gzipSync, gunzipSync],
  br: [brotliCompressSync, brotliDecompressSync],
  zstd: [zstdCompressSync, zstdDecompressSync],
} as const
const port = await freePort()
const folder = temporaryFolder("codings")
let seed = 20261126
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed / 2 ** 32
}

const upstream = await scriptedServer(async connection => {
  while (true) {
    const { body } = await connection.request(3_600_000)
    const octets = Buffer.from(body, "latin1")
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    for (let at = 0; at < octets.length; ) {
      const piece = octets.subarray(at, (at += 1 + Math.floor(random() ** 3 * 60_000)))
      connection.send(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]))
      if (random() < 0.3) await Bun.sleep(1)
    }
    connection.send("0\r\n\r\n")
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}`, ...secureListener() } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [{ match: {}, filters: ["decompress", { compress: { minBytes: 0 } }], to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

/** Words and noise, up to 300 KB. */
function randomBody(): Buffer {
  const parts: Buffer[] = []
  for (let left = Math.floor(random() ** 2 * 300_000); left > 0; ) {
    const part =
      random() < 0.3
        ? Buffer.from(Array.from({ length: 500 }, () => Math.floor(random() * 256)))
        : Buffer.from("words that come again ".repeat(1 + Math.floor(random() * 200)))
    parts.push(part)
    left -= part.length
  }
  return Buffer.concat([Buffer.from("the start of it ".repeat(20)), ...parts])
}

async function overCurl(version: string, packed: Buffer, coding: string): Promise<Buffer> {
  const [file, out] = [join(folder, "in"), join(folder, "out")]
  writeFileSync(file, packed)
  const fields = ["-H", `Content-Encoding: ${coding}`, "-H", `Accept-Encoding: ${coding}`, "-H", "Expect:"]
  const { code, stderr } = await run("curl", "-sSk", version, ...fields, "--data-binary", `@${file}`, "-o", out, `https://127.0.0.1:${port}/`)
  expect([code, stderr]).toEqual([0, ""])
  return Buffer.from(await Bun.file(out).arrayBuffer())
}

async function overH3(packed: Buffer, coding: string): Promise<Buffer> {
  using client = await rawH3Client(port)
  const stream = client.request({ ":method": "POST", "content-encoding": coding, "accept-encoding": coding }, { end: false })
  const cut = Math.floor(random() * packed.length)
  await stream.data(packed.subarray(0, cut))
  await stream.data(packed.subarray(cut), { end: true })
  const { headers, body } = await stream.response()
  expect(headers["content-encoding"]).toBe(coding)
  return Buffer.from(body, "latin1")
}

for (const [coding, [encode, decode]] of Object.entries(codings)) {
  test.each(["--http1.1", "--http2", "http3"])(`${coding} %s`, async version => {
    for (let i = 0; i < 4; i++) {
      const plain = randomBody()
      const packed = encode(plain)
      const answer = version === "http3" ? await overH3(packed, coding) : await overCurl(version, packed, coding)
      expect(decode(answer).equals(plain)).toBe(true)
    }
  })
}
