import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { figure, scaled } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { type Program, startProgram, temporaryFolder } from "../../support/processes.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

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

function download(url: string, rate: string): Program {
  return startProgram("curl", "curl", ["-sk", "--http1.1", "--limit-rate", rate, "-o", "/dev/null", url])
}

async function cutCount(): Promise<number> {
  return (await scrape(proxy)).get(`bothways_faults_total{fault="client.write-timeout",source="client"}`) ?? 0
}

// The rate is looked at when the system takes more of an answer. In the clear it takes megabytes at once, so that this lasts 45 s; over TLS 16 s.
for (const scheme of scaled(["https"], ["http", "https"])) {
  const url = (): string => `${scheme}://127.0.0.1:${ports[scheme === "http" ? 0 : 1]}/large.bin`
  test(`${scheme}: a client that is slower than it may be is cut, though it takes octets all the time; one that is fast enough is not`, async () => {
    const before = await cutCount()
    const startedAt = performance.now()
    const slow = download(url(), "500K")
    const fast = download(url(), "4M")
    // What the two systems hold is the client's to take after the cut: at its rate that lasts longer than a test may.
    await until(async () => (await cutCount()) > before, 75_000, "the cut")
    figure("cut after s", Math.round((performance.now() - startedAt) / 1000))
    await slow.stop()
    expect(await fast.exit()).toBe(0)
    expect((await cutCount()) - before).toBe(1)
  }, 120_000)
}
