import { afterAll, describe, expect, test } from "bun:test"
import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { type RawClientOptions, rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { pause, until } from "../../support/wait.ts"

// O-54 for the files that there are: passwords and certificates. Each case has a file of its own, and all are spoilt at the same time, on two workers.
const root = temporaryFolder("data")
const authority = new Authority()
const pair = authority.issue(["a.test"])
const hash = (password: string): string => `{SHA}${new Bun.CryptoHasher("sha1").update(password).digest("base64")}`
const good = `ann:${hash("one")}\nbob:${hash("two")}\n`
const tooMany = Array.from({ length: 20_002 }, (_, i) => `user${i}:${hash("x")}\n`).join("")

interface Bad {
  readonly spoil: (file: string) => void
  readonly reason: RegExp
}

const passwords: Record<string, Bad> = {
  "more entries than there may be": { spoil: file => writeFileSync(file, tooMany), reason: /at most 20000 users/ },
  "more octets than there may be": { spoil: file => writeFileSync(file, "#".repeat(17 * 1024 * 1024)), reason: /expected at most 16777216/ },
  "every line twice": { spoil: file => writeFileSync(file, good + good), reason: /line 3: the user \\"ann\\" stands in the file already/ },
  empty: { spoil: file => writeFileSync(file, ""), reason: /names no user/ },
  "half of it": { spoil: file => writeFileSync(file, good.slice(0, -12)), reason: /line 2: user \\"bob\\" has a damaged/ },
  garbage: { spoil: file => writeFileSync(file, Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 167) & 255))), reason: /expected/ },
  "plain passwords": { spoil: file => writeFileSync(file, "ann:hunter2\n"), reason: /a plain password is not accepted/ },
  "a directory": { spoil: replaceByFolder, reason: /is a directory/ },
  deleted: { spoil: file => rmSync(file), reason: /is gone/ },
}
const certificates: Record<string, (cert: string, key: string) => void> = {
  empty: cert => writeFileSync(cert, ""),
  garbage: (_cert, key) => writeFileSync(key, "no key at all"),
  deleted: cert => rmSync(cert),
}

function replaceByFolder(file: string): void {
  rmSync(file)
  mkdirSync(file)
}

const place = (kind: string, name: string): string => join(root, `${kind}-${name.replaceAll(" ", "-")}`)
const extra = ["signal", "touch"]
for (const name of [...Object.keys(passwords), ...extra]) writeFileSync(place("users", name), good)
for (const name of Object.keys(certificates)) restoreCertificate(name)
const web = await freePort()
const ports = await freePorts(Object.keys(certificates).length)
const proxy = await startBothways({
  workers: 2,
  listeners: {
    web: { bind: `127.0.0.1:${web}` },
    ...Object.fromEntries(
      Object.keys(certificates).map((name, i) => [
        name,
        { bind: `127.0.0.1:${ports[i]}`, tls: { certificates: [{ cert: place("cert", name), key: place("key", name) }] } },
      ]),
    ),
  },
  routes: [
    { match: { listener: Object.keys(certificates) }, to: { respond: { body: "secure" } } },
    ...[...Object.keys(passwords), ...extra].map(name => ({
      match: { path: pathOf(name) },
      filters: [{ "basic-auth": { htpasswd: place("users", name) } }],
      to: { respond: { body: "in" } },
    })),
  ],
})
afterAll(() => proxy.stop())

function pathOf(name: string): string {
  return `/${name.replaceAll(" ", "-")}`
}

function restoreCertificate(name: string): void {
  copyFileSync(pair.certFile, place("cert", name))
  copyFileSync(pair.keyFile, place("key", name))
}

async function ask(port: number, path: string, login = "", options: RawClientOptions = {}): Promise<number> {
  using client = await rawClient(port, options)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${login === "" ? "" : `Authorization: Basic ${btoa(login)}\r\n`}\r\n`)
  return (await client.response()).status
}

const metric = async (name: string, file: string): Promise<number | undefined> => (await scrape(proxy)).get(`bothways_${name}{file="${file}"}`)
const stale = (file: string): Promise<number | undefined> => metric("file_stale", file)
/** What the log says of this file that is not good. */
const warnings = (file: string): string[] => proxy.program.stderr.split("\n").filter(line => line.includes(" warn ") && line.includes(file))

/** Requests while `work` goes on: as before, whatever becomes of the file. */
async function underLoad(check: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  let done = false
  let count = 0
  const load = (async () => {
    while (!done) {
      await check()
      count++
      await pause(40)
    }
  })()
  await Promise.race([work(), load])
  done = true
  await load
  expect(count).toBeGreaterThan(1)
}

/** Who gets in where this file decides, as long as its first version does. */
async function asBefore(name: string): Promise<void> {
  const path = pathOf(name)
  expect([await ask(web, path, "ann:one"), await ask(web, path, "bob:two"), await ask(web, path, "ann:two"), await ask(web, path)]).toEqual([
    200, 200, 401, 401,
  ])
}

/** Eight times in a row, so over both workers: the new password gets in and the old one does not. */
async function everywhere(path: string): Promise<boolean> {
  for (let i = 0; i < 8; i++) if ((await ask(web, path, "bob:three")) !== 200 || (await ask(web, path, "bob:two")) !== 401) return false
  return true
}

describe("O-54: a file of passwords that is spoilt while it is in use", () => {
  for (const [name, { spoil, reason }] of Object.entries(passwords)) {
    test.concurrent(`${name}: the last good version decides, one line says why, and what comes next is taken`, async () => {
      const file = place("users", name)
      const before = await metric("file_written_seconds", file)
      await underLoad(
        () => asBefore(name),
        async () => {
          spoil(file)
          await until(async () => (await stale(file)) === 1)
          expect(await metric("file_written_seconds", file)).toBe(before)
          await until(() => warnings(file).length > 0)
          // The next look finds the same and says nothing.
          await pause(1200)
        },
      )
      expect(warnings(file).length).toBe(1)
      expect(warnings(file)[0]).toMatch(reason)
      expect(warnings(file)[0]).not.toContain("hunter2")
      if (name === "a directory") rmSync(file, { recursive: true })
      writeFileSync(`${file}.new`, good.replace(hash("two"), hash("three")))
      renameSync(`${file}.new`, file)
      await until(async () => (await stale(file)) === 0)
      // Each worker looks for itself, within a second or two of the other; then both know the new password and neither the old one.
      await until(() => everywhere(pathOf(name)), 10_000)
      // Each worker says so for itself; the page shows what the last one said.
      await until(async () => Math.abs((await metric("file_written_seconds", file))! - statSync(file).mtimeMs / 1000) < 0.01)
      expect(warnings(file).length).toBe(1)
    }, 20_000)
  }
  test.concurrent("touched: nobody notices", async () => {
    utimesSync(place("users", "touch"), new Date(), new Date(Date.now() - 60_000))
    await underLoad(
      () => asBefore("touch"),
      () => pause(1500),
    )
    expect([await stale(place("users", "touch")), warnings(place("users", "touch"))]).toEqual([0, []])
  })
})

describe("O-54: certificates that are spoilt while they are in use", () => {
  for (const [i, [name, spoil]] of Object.entries(certificates).entries()) {
    test.concurrent(`${name}: the last good one stays, and the next one is taken`, async () => {
      const [cert, key] = [place("cert", name), place("key", name)]
      const served = async (): Promise<void> =>
        expect(await ask(ports[i]!, "/", "", { tls: { servername: "a.test", ca: authority.ca.cert } })).toBe(200)
      expect((await metric("certificate_end_seconds", cert))! - Date.now() / 1000).toBeGreaterThan(29 * 86_400)
      await underLoad(served, async () => {
        spoil(cert, key)
        await until(async () => (await stale(cert)) === 1)
        await until(() => warnings(`-${name}`).some(line => line.includes(" net ")))
        await pause(1200)
      })
      expect(warnings(`-${name}`).filter(line => line.includes(" net ")).length).toBe(1)
      restoreCertificate(name)
      await until(async () => (await stale(cert)) === 0)
      await served()
    }, 20_000)
  }
})

test("O-54: the reload signal has a new version read at once", async () => {
  const file = place("users", "signal")
  writeFileSync(file, good.replace(hash("two"), hash("three")))
  proxy.program.signal("SIGHUP")
  await until(async () => (await ask(web, "/signal", "bob:three")) === 200 && (await ask(web, "/signal", "bob:two")) === 401)
  expect((await scrape(proxy)).get("bothways_config_last_reload_successful")).toBe(1)
})
