import { execFileSync } from "node:child_process"
import { readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { residentAtRest, residentBytes } from "../../support/bulk.ts"
import { figure, long, scaled } from "../../support/long.ts"
import { openSockets } from "../../support/open-sockets.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { type Program, startProgram, temporaryFolder } from "../../support/processes.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"
import { HonestClient } from "./honest-client.ts"

// slowhttptest, the tool that others are measured with: slow heads, slow bodies, slow reading of large answers, files of our own and proxied. Beside each
// attack somebody asks every 50 ms and must be answered; when it is over nothing of it is left.

const COUNT = scaled(160, 200)
const MB = 1024 * 1024
const LARGE = 24 * MB
/** What the system lets one connection hold: the operator's to lower. */
const UNSENT_BYTES_MAX = Number(readFileSync("/proc/sys/net/ipv4/tcp_wmem", "utf8").trim().split(/\s+/)[2])

let proxy: Bothways
let nginx: Program
let ports: { web: number; rated: number }
let atRest: { sockets: number; bytes: number }

beforeAll(async () => {
  const [web, rated, peer] = (await freePorts(3)) as [number, number, number]
  ports = { web, rated }
  const root = temporaryFolder("large")
  writeFileSync(join(root, "large.bin"), "")
  truncateSync(join(root, "large.bin"), LARGE)
  execFileSync("chmod", ["-R", "a+rX", root])
  nginx = await startNginx(
    peer,
    `server { listen 127.0.0.1:${peer}; root ${root}; location = / { return 200 ok; } location = /sink { proxy_pass http://127.0.0.1:${peer}/; } }`,
  )
  const timeouts = { head: "2s", idle: "2s", body: "2s", write: "2s" }
  proxy = await startBothways({
    listeners: {
      web: { bind: `127.0.0.1:${web}`, timeouts },
      // Silence is no longer than a second here: only the rate tells.
      rated: { bind: `127.0.0.1:${rated}`, timeouts: { ...timeouts, body: "30s", bodyRateMin: "1KB" } },
    },
    clusters: { app: { peers: [`127.0.0.1:${peer}`] } },
    routes: [
      { match: { path: "/files/*" }, to: { files: { root, strip: "/files" } } },
      { match: {}, to: { cluster: "app" } },
    ],
    observe: { accessLog: { to: "none" } },
  })
  // The first of everything is not what is looked for.
  await new HonestClient(web).stop()
  atRest = { sockets: openSockets(proxy.pid), bytes: await residentAtRest(proxy.pid) }
})
afterAll(async () => {
  await proxy.stop()
  await nginx.stop()
})

function attack(port: number, path: string, ...words: readonly string[]): Program {
  const all = ["-c", `${COUNT}`, "-r", `${COUNT}`, "-l", "20", "-p", "2", "-u", `http://127.0.0.1:${port}${path}`, ...words]
  return startProgram("slowhttptest", "slowhttptest", all)
}

/** Connections to this port that the kernel still counts as standing, at our end. */
function standing(port: number): string[] {
  const lines = execFileSync("ss", ["-Htnmi", "state", "established", "sport", "=", `:${port}`], { encoding: "utf8" })
  return lines.split("\n").filter(line => line.includes("skmem:"))
}

async function nothingIsLeft(): Promise<void> {
  // nginx may keep a few that we keep, too.
  await until(() => openSockets(proxy.pid) <= atRest.sockets + 8, 8000, "the end of the attack's sockets")
}

const faults = async (fault: string): Promise<number> => (await scrape(proxy)).get(`bothways_faults_total{fault="${fault}",source="client"}`) ?? 0

describe("slowhttptest", () => {
  test("-H: heads that never end are shut out by the head's own timeout", async () => {
    const before = await faults("client.head-timeout")
    await using honest = new HonestClient(ports.web)
    const attacker = attack(ports.web, "/", "-H", "-i", "1", "-x", "24")
    await attacker.exit()
    expect(attacker.lines.join("\n")).toMatch(/Exit status:.*No open connections left/)
    expect(attacker.lines.join("\n")).not.toMatch(/service available:.*NO/)
    expect((await faults("client.head-timeout")) - before).toBeGreaterThanOrEqual(COUNT)
    await honest.stop()
    await nothingIsLeft()
  }, 40_000)

  test("-B: bodies that pause longer than they may", async () => {
    await using honest = new HonestClient(ports.web)
    const attacker = attack(ports.web, "/sink", "-B", "-i", "4", "-s", "100000", "-x", "10")
    await attacker.exit()
    expect(attacker.lines.join("\n")).toMatch(/Exit status:.*No open connections left/)
    await honest.stop()
    await nothingIsLeft()
  }, 40_000)

  // The rate counts after ten seconds.
  if (long)
    test("-B: bodies that go on and on are shut out by their rate", async () => {
      const before = await faults("client.body-timeout")
      await using honest = new HonestClient(ports.rated)
      const attacker = attack(ports.rated, "/sink", "-B", "-i", "1", "-s", "100000", "-x", "10")
      await attacker.exit()
      expect(attacker.lines.join("\n")).toMatch(/Exit status:.*No open connections left/)
      expect((await faults("client.body-timeout")) - before).toBeGreaterThanOrEqual(COUNT)
      await honest.stop()
      await nothingIsLeft()
    }, 40_000)

  for (const [what, path] of [
    ["a file of ours", "/files/large.bin"],
    ["a proxied answer", "/large.bin"],
  ] as const) {
    test(`-X: slow reading of ${what}: bounded in the kernel and with us, and cut`, async () => {
      const before = await faults("client.write-timeout")
      await using honest = new HonestClient(ports.web)
      await using _attacker = attack(ports.web, path, "-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "2")
      let unsentMax = 0
      let residentMax = 0
      // The tool reads what has come already and does not look for the end: the kernel and our own count say when its connections are over.
      await until(
        async () => {
          for (const line of standing(ports.web)) unsentMax = Math.max(unsentMax, Number(/notsent:(\d+)/.exec(line)?.[1] ?? 0))
          residentMax = Math.max(residentMax, residentBytes(proxy.pid))
          return (await faults("client.write-timeout")) - before >= COUNT
        },
        20_000,
        "the cut of all answers",
      )
      figure("most that waited unsent in one socket, KB", unsentMax / 1024)
      figure("grown by MB at most", (residentMax - atRest.bytes) / MB)
      expect(unsentMax).toBeGreaterThan(0)
      expect(unsentMax).toBeLessThanOrEqual(UNSENT_BYTES_MAX)
      expect(residentMax - atRest.bytes).toBeLessThan(128 * MB)
      await honest.stop()
      await nothingIsLeft()
    }, 60_000)
  }

  test("afterwards the memory is back", async () => {
    // The allocator gives back what it has not needed for some seconds.
    const grown = async (): Promise<number> => ((await residentAtRest(proxy.pid)) - atRest.bytes) / MB
    await until(async () => (await grown()) < 48, 25_000, "the memory's return")
    figure("grown by MB", await grown())
  }, 40_000)
})
