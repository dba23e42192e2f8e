import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { figure, scaled } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { startProgram, temporaryFolder } from "../../support/processes.ts"
import { scrape } from "../../support/scrape.ts"

// Whoever takes a little before `write` runs out could hold an answer for ever; `writeRateMin` is for that. It counts after ten seconds.

let proxy: Bothways
let ports: readonly number[]

beforeAll(async () => {
  ports = await freePorts(2)
  const root = temporaryFolder("large")
  writeFileSync(join(root, "large.bin"), "")
  truncateSync(join(root, "large.bin"), 60 * 1024 * 1024)
  const { certFile, keyFile } = new Authority().issue(["a.test"])
  const timeouts = { write: "60s", writeRateMin: "1MB" }
  proxy = await startBothways({
    listeners: {
      web: { bind: `127.0.0.1:${ports[0]}`, timeouts },
      secure: { bind: `127.0.0.1:${ports[1]}`, timeouts, tls: { certificates: [{ cert: certFile, key: keyFile }] } },
    },
    routes: [{ match: {}, to: { files: { root } } }],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(() => proxy.stop())

/** Octets that came, and the exit code. */
async function download(url: string, rate: string): Promise<{ got: number; code: number | null }> {
  const words = ["-sk", "--http1.1", "--limit-rate", rate, "-o", "/dev/null", "-w", "%{size_download}", url]
  const curl = startProgram("curl", "curl", words)
  const code = await curl.exit()
  return { got: Number(curl.lines.join("") || curl.tail().split("\n").at(-1)), code }
}

// Each takes 15 s.
for (const [index, scheme] of scaled(["http"], ["http", "https"]).entries()) {
  const url = (): string => `${scheme}://127.0.0.1:${ports[index]}/large.bin`
  test(`${scheme}: a client that is slower than it may be is cut, though it takes octets all the time; one that is fast enough is not`, async () => {
    const before = (await scrape(proxy)).get(`bothways_faults_total{fault="client.write-timeout",source="client"}`) ?? 0
    const startedAt = performance.now()
    const slow = download(url(), "500K").then(answer => {
      figure("cut after s", Math.round((performance.now() - startedAt) / 1000))
      return answer
    })
    const [cut, whole] = await Promise.all([slow, download(url(), "4M")])
    expect([whole.code, cut.code]).toEqual([0, 56])
    expect(((await scrape(proxy)).get(`bothways_faults_total{fault="client.write-timeout",source="client"}`) ?? 0) - before).toBe(1)
  }, 90_000)
}
