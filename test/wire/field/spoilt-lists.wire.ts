import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { pause, until } from "../../support/wait.ts"

// O-54 for lists of addresses: a list that is refreshed by a program and comes twice as long, in half, as rubbish or not at all, while 50 requests a second are
// answered by the last good one. test/wire/control/data-files.wire.ts does the same with passwords and certificates.

const root = temporaryFolder("lists")
const good = "127.0.0.9 # known\n10.0.0.0/8\n"
const next = "127.0.0.8\n10.0.0.0/8\n"

const tooMany = (): string => {
  const lines: string[] = []
  for (let i = 0; i < 1_060_000; i++) lines.push(`${20 + (i >> 15)}.${(i >> 7) & 255}.${(i << 1) & 255}.1`)
  return `${lines.join("\n")}\n`
}

interface Case {
  readonly spoil: (file: string) => void
  readonly reason: RegExp
}

const cases: Record<string, Case> = {
  "more ranges than there may be": { spoil: file => replace(file, tooMany()), reason: /1048576|16777216/ },
  "more octets than there may be": { spoil: file => replace(file, "#".repeat(17 * 1024 * 1024)), reason: /16777216/ },
  empty: { spoil: file => writeFileSync(file, ""), reason: /is empty; a list that is meant to name nobody/ },
  "half of it": { spoil: file => writeFileSync(file, good.slice(0, -6)), reason: /line 2/ },
  rubbish: { spoil: file => writeFileSync(file, Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 167) & 255))), reason: /line 1/ },
  "a directory": { spoil: asFolder, reason: /directory/ },
  deleted: { spoil: file => rmSync(file), reason: /is gone/ },
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

function asFolder(file: string): void {
  rmSync(file)
  mkdirSync(file)
}

const word = (name: string): string => name.replaceAll(" ", "-")
const place = (name: string): string => join(root, `${word(name)}.txt`)
const names = [...Object.keys(cases), "every line twice", "nobody"]
for (const name of names) writeFileSync(place(name), good)
const port = await freePort()
const proxy = await startBothways({
  workers: 2,
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  routes: names.map(name => ({
    match: { path: `/${word(name)}` },
    filters: [{ "ip-list": { files: { deny: place(name) } } }],
    to: { respond: { body: "in" } },
  })),
  observe: { accessLog: { to: "none" } },
})
afterAll(() => proxy.stop())

async function ask(name: string, from: string): Promise<number> {
  using client = await rawClient(port, { from })
  client.send(`GET /${word(name)} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  return (await client.response()).status
}

const stale = async (name: string): Promise<number | undefined> => (await scrape(proxy)).get(`bothways_file_stale{file="${place(name)}"}`)
const warnings = (name: string): string[] => proxy.program.stderr.split("\n").filter(line => line.includes(" warn ") && line.includes(place(name)))
const who = async (name: string): Promise<number[]> => [await ask(name, "127.0.0.9"), await ask(name, "127.0.0.8"), await ask(name, "127.0.0.1")]

/** Fifty requests a second while `work` goes on; all are answered as before, and soon. */
async function underLoad(name: string, work: () => Promise<void>): Promise<void> {
  let over = false
  const load = (async () => {
    while (!over) {
      const startedAt = performance.now()
      expect(await who(name)).toEqual([403, 200, 200])
      expect(performance.now() - startedAt).toBeLessThan(3000)
      await pause(60)
    }
  })()
  await Promise.race([work(), load])
  over = true
  await load
}

/** On both workers. */
const everywhere = async (name: string): Promise<boolean> => {
  for (let i = 0; i < 6; i++) if ((await who(name)).join() !== "200,403,200") return false
  return true
}

for (const [name, { spoil, reason }] of Object.entries(cases)) {
  test.concurrent(`${name}: the last good list decides, it is said once why, and the next good one is taken`, async () => {
    await underLoad(name, async () => {
      spoil(place(name))
      await until(async () => (await stale(name)) === 1, 10_000, "the word that it is stale")
      await until(() => warnings(name).length > 0)
      await pause(1200)
    })
    expect(warnings(name).length).toBe(1)
    expect(warnings(name)[0]).toMatch(reason)
    if (name === "a directory") rmSync(place(name), { recursive: true })
    replace(place(name), next)
    await until(() => everywhere(name), 10_000, "the next list on both workers")
    await until(async () => (await stale(name)) === 0, 5000, "the word that it is not stale any more")
  }, 30_000)
}

test.concurrent("every line twice: nobody notices", async () => {
  const name = "every line twice"
  await underLoad(name, async () => {
    replace(place(name), good + good)
    await pause(2500)
  })
  expect([await stale(name), warnings(name)]).toEqual([0, []])
}, 20_000)

test.concurrent("nobody, in so many words: taken", async () => {
  replace(place("nobody"), "# nobody\n")
  await until(async () => (await ask("nobody", "127.0.0.9")) === 200 && (await ask("nobody", "127.0.0.9")) === 200, 6000, "the list without entries")
  expect([await stale("nobody"), warnings("nobody")]).toEqual([0, []])
}, 20_000)
