import { afterAll, expect, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runCli } from "../cache/run-cli.fixture.ts"

const top = mkdtempSync(join(tmpdir(), "bothways-ca-"))
afterAll(() => rmSync(top, { recursive: true }))

test("create makes one authority, export gives its certificate and never its key", async () => {
  const directory = join(top, "one")
  const made = await runCli(["ca", "create", "--directory", directory, "--name", "My machine", "--days", "10"])
  expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^made My machine, until \d{4}-\d\d-\d\d, SHA-256 [0-9A-F:]{95}\n/)])
  expect(statSync(join(directory, "authority", "authority.pem")).mode & 0o777).toBe(0o600)
  const again = await runCli(["ca", "create", "--directory", directory])
  expect(again.stdout).toStartWith("there is one already: My machine")
  const printed = await runCli(["ca", "export", "--directory", directory])
  expect(new X509Certificate(printed.stdout).subject).toBe("CN=My machine")
  expect(printed.stdout).not.toContain("PRIVATE")
  const out = join(top, "ca.pem")
  await runCli(["ca", "export", "--directory", directory, "--out", out])
  expect(readFileSync(out, "utf8")).toBe(printed.stdout)
})

test("the directory is that of the config", async () => {
  const config = join(top, "site.yaml")
  writeFileSync(
    config,
    'listeners: { web: { bind: ":443", tls: { auto: { names: [a.test] } } } }\nacme: { issuers: [local], directory: ./kept }\nroutes: [{ to: { respond: {} } }]\n',
  )
  expect((await runCli(["ca", "create", "--config", config])).code).toBe(0)
  expect(existsSync(join(top, "kept", "authority", "ca.pem"))).toBe(true)
})

test("install puts it where the system looks and has it look, remove takes it away", async () => {
  const directory = join(top, "two")
  const into = join(top, "store")
  const bin = mkdtempSync(join(top, "bin"))
  writeFileSync(join(bin, "update-ca-certificates"), `#!/bin/sh\nls ${into} >> ${top}/updates\n`, { mode: 0o755 })
  const env = { PATH: `${bin}:/usr/bin:/bin` }
  await runCli(["ca", "create", "--directory", directory])
  const installed = await runCli(["ca", "install", "--directory", directory, "--into", into], env)
  expect([installed.code, installed.stdout.includes("this machine trusts")]).toEqual([0, true])
  const [file] = readdirSync(into)
  expect(new X509Certificate(readFileSync(join(into, file!))).ca).toBe(true)
  const removed = await runCli(["ca", "install", "--remove", "--directory", directory, "--into", into], env)
  expect([removed.code, readdirSync(into), readFileSync(`${top}/updates`, "utf8")]).toEqual([0, [], `${file}\n`])
  const twice = await runCli(["ca", "install", "--remove", "--directory", directory, "--into", into], env)
  expect([twice.code, twice.stderr.includes("it is not installed")]).toEqual([2, true])
})

test("what cannot be is said in a line", async () => {
  const nowhere = await runCli(["ca", "export", "--directory", join(top, "none")])
  expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining("`bothways ca create` makes one")])
  expect((await runCli(["ca", "create", "--directory", top, "--days", "never"])).stderr).toContain("--days wants a whole number")
  expect((await runCli(["ca", "create", "--directory", top, "--only", "*.a.test"])).stderr).toContain("--only wants domains")
  const broken = join(top, "broken")
  await runCli(["ca", "create", "--directory", broken])
  writeFileSync(join(broken, "authority", "authority.pem"), "nothing")
  expect((await runCli(["ca", "export", "--directory", broken])).stderr).toContain("it holds no authority")
})
