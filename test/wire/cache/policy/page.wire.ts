import { afterAll, describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse, stringify } from "yaml"
import { cacheOptionsSchema } from "../../../../src/cache/options.ts"
import { runCli } from "../../../../src/control/cli/cache/run-cli.fixture.ts"
import { CACHE_RESULTS } from "../../../../src/observe/index.ts"
import { startBothways } from "../../../support/bothways.ts"
import { freePorts } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { recorder } from "../../../support/recorder.ts"
import { run } from "../../../support/run.ts"
import { until } from "../../../support/wait.ts"
import { answer, targetOf } from "../cached-origin.ts"

// docs/cache.md shows what clients, operators and logs really get, from an instance with the config of the page.
const page = readFileSync(join(import.meta.dirname, "../../../../docs/cache.md"), "utf8")
const folder = temporaryFolder("cache-page")
const says: Record<string, string[]> = {
  "/item/1": ["Cache-Control: max-age=600", "Cache-Tag: item-1"],
  "/offers": ["Cache-Control: max-age=0", 'ETag: "1"'],
  "/account": ["Cache-Control: private"],
  "/today": ["Cache-Control: max-age=60"],
}
const counts = new Map<string, number>()
const origin = await recorder(request => {
  const path = targetOf(request).split("?")[0]!
  counts.set(path, (counts.get(path) ?? 0) + 1)
  return path === "/offers" && counts.get(path)! > 1 ? answer("", [], "503 Service Unavailable") : answer("x".repeat(2000), says[path])
})
const [web, egress, admin] = (await freePorts(3)) as [number, number, number]
const config = parse(/^```yaml\n(.*?)^```/ms.exec(page)![1]!)
config.listeners.web.bind = `127.0.0.1:${web}`
Object.assign(config.listeners.egress, { bind: `127.0.0.1:${egress}`, forward: { privateRanges: ["127.0.0.0/8"] } })
config.clusters.shop.peers = [origin.address]
config.caches.main.disk.path = join(folder, "cache")
config.observe.accessLog.to.file = join(folder, "access.log")
config.admin.bind = `127.0.0.1:${admin}`
writeFileSync(join(folder, "site.yaml"), stringify({ ...config, listeners: { ...config.listeners, web: { bind: "127.0.0.1:8080" } } }))
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

/** What a command of the page says here. */
async function said(command: string): Promise<string> {
  if (command.startsWith("bothways ")) {
    const [line, begins = ""] = command.split(" | grep ^")
    const real = line!
      .split(" ")
      .slice(1)
      .map(arg => (arg === "site.yaml" ? join(folder, arg) : arg.replaceAll("'", "")))
    const { stdout, stderr } = await runCli(real[0] === "cache" ? [...real, "--admin", config.admin.bind] : real)
    return (stdout + stderr)
      .split("\n")
      .filter(each => each.startsWith(begins))
      .join("\n")
  }
  const there = command
    .replace("curl ", `curl --connect-to shop.example:80:127.0.0.1:${web} `)
    .replace("http://news.example", `http://${origin.address}`)
    .replace("127.0.0.1:3128", `127.0.0.1:${egress}`)
    .replace("127.0.0.1:9900", config.admin.bind)
    .replace("access.log", join(folder, "access.log"))
  return (await run("sh", "-c", there)).stdout
}

/** The first page is on the second level as well. */
async function isOnDisk(): Promise<boolean> {
  const answered = await proxy.ask("/cache/entries?url=http://shop.example/item/1")
  return ((await answered.json()) as { entries: unknown[] }).entries.length === 2
}

/** Without what differs from run to run: times, ports, and the blanks that follow from how long these are. */
function steady(text: string): string[] {
  return text
    .replaceAll("\r", "")
    .replaceAll(`http://${origin.address}`, "http://news.example")
    .replaceAll(origin.address, "127.0.0.1:9001")
    .replace(/ttl=-?\d+/g, "ttl=N")
    .replace(/(?:\b\d+m )?\b\d+s\b|\b\d+m\b/g, "T")
    .replace(/cluster:shop:\d+|origin::\d+/g, "destination")
    .replace(/ +/g, " ")
    .trim()
    .split("\n")
}

describe("docs/cache.md", () => {
  const sessions = [...page.matchAll(/^```console\n(.*?)^```/gms)].flatMap(match => match[1]!.split(/^\$ /m).slice(1))
  test("has its commands", () => expect(sessions.length).toBeGreaterThan(10))

  for (const session of sessions) {
    const [command = "", ...lines] = session.trimEnd().split("\n")
    test(command, async () => {
      const shown = steady(lines.join("\n"))
      if (command.includes("purge")) await until(isOnDisk)
      let got = steady(await said(command))
      // The log is written a little later.
      const isWritten = async () => (got = steady(await said(command))).join() === shown.join()
      if (command.startsWith("tail ")) await until(isWritten, 2000).catch(() => {})
      expect(got).toEqual(shown)
    })
  }

  test("it names every option and every result", () => {
    for (const word of [...Object.keys(cacheOptionsSchema.shape), ...CACHE_RESULTS]) expect([word, page.includes(`\`${word}`)]).toEqual([word, true])
  })
})
