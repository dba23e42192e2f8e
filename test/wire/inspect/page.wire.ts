import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { parseConfig } from "../../../src/config/index.ts"
import { runBothways, startBothways } from "../../support/bothways.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { curl, namesHere, newWorld, startSite } from "./site.ts"

// docs/inside-tls.md and examples/inspect.yaml, as a reader would try them.
const root = join(import.meta.dirname, "../../..")
const page = readFileSync(join(root, "docs/inside-tls.md"), "utf8")

test("the configs of the page can be read, and the example does what it says", async () => {
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(match => match[1]!)
  expect(blocks.length).toBe(2)
  for (const block of blocks) expect((await parseConfig(block, join(root, "docs/x.yaml"))).ok).toBe(true)
  const { upstream, port } = await newWorld()
  const site = startSite(upstream.issue(["app.test", "clinic.example"]))
  const directory = join(temporaryFolder("certificates"), "certificates")
  const made = await runBothways(["ca", "create", "--directory", directory])
  expect([made.code, made.stdout.includes("ca.pem")]).toEqual([0, true])
  const model = parse(readFileSync(join(root, "examples/inspect.yaml"), "utf8")) as {
    listeners: { egress: { bind: string; forward: { inspect: object } } }
  }
  model.listeners.egress.bind = `127.0.0.1:${port}`
  Object.assign(model.listeners.egress.forward, { privateRanges: "allow", connectPorts: ["1-65535"] })
  Object.assign(model.listeners.egress.forward.inspect, { upstream: { ca: upstream.ca.certFile } })
  await using proxy = await startBothways({ ...model, acme: { directory }, resolver: { servers: [await namesHere("app.test", "clinic.example")] } })
  const trust = ["--cacert", join(directory, "authority/ca.pem")]
  const first = await curl(port, `https://app.test:${site.port}/cached`, ...trust)
  expect([first.status, (await curl(port, `https://app.test:${site.port}/cached`, ...trust)).body]).toEqual([200, first.body])
  expect((await curl(port, `https://app.test:${site.port}/setup.exe`, ...trust)).body).toContain("Programs are not downloaded here.")
  expect((await curl(port, `https://clinic.example:${site.port}/`, "--cacert", upstream.ca.certFile)).status).toBe(200)
  const said = await runBothways(["explain", proxy.configFile, "CONNECT", `www.chase.com:${site.port}`])
  expect(said.stdout).toMatch(/tls +handed on unread \(never-open\)/)
  expect((await runBothways(["inspect", "status", "--admin", proxy.admin.replace("http://", "")])).stdout).toBe(
    "every site is opened that the rules say",
  )
}, 15_000)
