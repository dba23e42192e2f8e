import { afterAll, beforeAll, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { parse } from "yaml"
import { type Bothways, startBothways } from "../../../../test/support/bothways.ts"
import { freePort } from "../../../../test/support/ports.ts"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { Random } from "../../../base/index.ts"
import { logLine, runCli } from "./run-cli.fixture.ts"

// docs/cache-commands.md shows what the program really says, against an instance with the config of the page.
const page = readFileSync(join(import.meta.dirname, "../../../../docs/cache-commands.md"), "utf8")
const config = parse(/^```yaml\n(.*?)^```/ms.exec(page)![1]!)
const sessions = [...page.matchAll(/^```console\n(.*?)^```/gms)].map(match => match[1]!.split("\n"))
const directory = temporaryFolder("cache-page")
const log = join(directory, "access.log")

let origin: Server
let proxy: Bothways
let web: string

beforeAll(async () => {
  origin = createServer((request, response) => {
    const path = request.url!
    response.setHeader("Cache-Control", path === "/account" ? "private" : "max-age=600")
    if (path !== "/account") response.setHeader("Cache-Tag", `item, ${path.slice(1).replace("/", "-")}`)
    response.setHeader("Content-Type", "text/plain")
    response.end("x".repeat(2000))
  })
  await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", resolve))
  web = `127.0.0.1:${await freePort()}`
  config.listeners.web.bind = web
  config.clusters.shop.peers = [`127.0.0.1:${(origin.address() as AddressInfo).port}`]
  config.observe.accessLog.to.file = log
  config.admin.bind = `127.0.0.1:${await freePort()}`
  proxy = await startBothways(config)
  for (const path of ["/item/1", "/item/1", "/item/1", "/item/2", "/item/2", "/account"])
    await (await fetch(`http://${web}${path}`, { headers: { Host: "shop.example", "Accept-Encoding": "br" } })).arrayBuffer()
  await until(() => (countLines() >= 6 ? true : undefined), 5000, "the access log")
  writeFileSync(join(directory, "week.log"), week())
}, 20_000)

afterAll(async () => {
  await proxy.stop()
  origin.closeAllConnections()
  origin.close()
})

function countLines(): number {
  try {
    return readFileSync(log, "utf8").split("\n").length - 1
  } catch {
    return 0
  }
}

/** Some products are looked at often, most seldom; pictures of 10 KB to 2 MB. */
function week(): string {
  const random = new Random(7)
  return Array.from({ length: 60_000 }, (_, i) => {
    const id = Math.floor(20_000 * random.float() ** 3)
    if (i % 40 === 0) return logLine({ target: "/cart", method: "POST" })
    return logLine({ target: `/image/${id}`, responseBytes: 10_240 + ((id * 7919) % 1400) ** 2 })
  }).join("")
}

/** Without what differs from run to run: times, octets of small things, and the blanks that follow from how long these are. */
function steady(text: string): string {
  return text
    .replace(/\d+\.\d s, [\d,]+ a second/g, "N s, N a second")
    .replace(/(?:\b\d+m )?\b\d+s\b|\b\d+m\b/g, "T")
    .replace(/\b\d+(?:\.\d)? K?B\b/g, "N KB")
    .replace(/Date: .*/g, "Date: D")
    .replace(/cluster:shop:\d+/g, "cluster:shop:N")
    .replace(/ +/g, " ")
}

test("the page has all commands", () => {
  expect(sessions.map(([command]) => command!.split(" ")[3])).toEqual(["size", "list", "show", "stats", "report", "purge", "purge", "warm"])
})

for (const [command = "", ...lines] of sessions) {
  test(command, async () => {
    const [, program, ...args] = command.split(" ")
    expect(program).toBe("bothways")
    const real = args.map(arg => (arg.endsWith(".log") ? join(directory, arg) : arg.replace("127.0.0.1:8080", web)))
    const asksAdmin = !["size", "warm"].includes(args[1]!)
    const { code, stdout, stderr } = await runCli(asksAdmin ? [...real, "--admin", config.admin.bind] : real)
    expect([code, stderr]).toEqual([0, ""])
    expect(steady(stdout)).toBe(steady(lines.join("\n")))
  })
}
