import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runBothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { pause, until } from "../../support/wait.ts"

// Each case has a list of its own, and all are spoilt at the same time, on two workers.
const root = temporaryFolder("lists")
const entriesMax = 2000
const names = (name: string, count: number): string => Array.from({ length: count }, (_, i) => `n${i}.${name}.example\n`).join("")

interface Case {
  readonly spoil: (file: string, name: string) => void
  /** Why it is refused; null = it is as good as before. */
  readonly reason: RegExp | null
}

const cases: Record<string, Case> = {
  doubled: { spoil: (file, name) => writeFileSync(file, names(name, 2 * entriesMax)), reason: /4000 different names; entriesMax is 2000/ },
  duplicates: { spoil: (file, name) => writeFileSync(file, names(name, entriesMax) + names(name, entriesMax)), reason: null },
  empty: { spoil: file => writeFileSync(file, ""), reason: /no names; entriesMin is 1/ },
  half: { spoil: (file, name) => writeFileSync(file, names(name, entriesMax / 2)), reason: /1000 names where it had 2000; shrinkMax is 30%/ },
  garbage: { spoil: file => writeFileSync(file, Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 167) & 255))), reason: /octet 0/ },
  words: { spoil: file => writeFileSync(file, "<html>\nnot found, says a server\n</html>\n"), reason: /lines are of no known format/ },
  directory: {
    spoil: file => {
      rmSync(file)
      mkdirSync(file)
    },
    reason: /is a directory/,
  },
  deleted: { spoil: file => rmSync(file), reason: /is gone/ },
}
const place = (name: string): string => join(root, `${name}.txt`)
for (const name of [...Object.keys(cases), "hot"]) writeFileSync(place(name), names(name, entriesMax))
const egress = await freePort()
const proxy = await startBothways({
  workers: 2,
  lists: Object.fromEntries([...Object.keys(cases), "hot"].map(name => [name, { files: place(name), category: `of-${name}`, entriesMax }])),
  listeners: { egress: { bind: `127.0.0.1:${egress}`, forward: true } },
  routes: [
    { name: "blocked", match: { domain: { list: Object.keys(cases) } }, to: { respond: { status: 403 } } },
    { name: "by-category", match: { category: "of-hot" }, to: { respond: { status: 451 } } },
    { name: "open", match: {}, to: { respond: { status: 200 } } },
  ],
})
afterAll(() => proxy.stop())

async function ask(host: string): Promise<number> {
  using client = await rawClient(egress)
  client.send(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  return (await client.response()).status
}

const metric = async (what: string, name: string): Promise<number | undefined> =>
  (await scrape(proxy)).get(`bothways_list_${what}{list="${name}",category="of-${name}"}`)
const lines = (level: string, name: string): string[] =>
  proxy.program.stderr.split("\n").filter(line => line.includes(` ${level} `) && line.includes(`list=${name} `))

/** Eight connections in a row, so over both workers. */
async function everywhere(host: string, status: number): Promise<boolean> {
  for (let i = 0; i < 8; i++) if ((await ask(host)) !== status) return false
  return true
}

describe("O-54: a list that is spoilt while it is in use", () => {
  for (const [name, { spoil, reason }] of Object.entries(cases)) {
    test.concurrent(`${name}: every request is answered as before, and what comes next is taken`, async () => {
      let done = false
      const load = (async () => {
        let count = 0
        for (; !done; count++) {
          expect([await ask(`www.n${entriesMax - 1}.${name}.example`), await ask(`n${entriesMax}.${name}.test`)]).toEqual([403, 200])
          await pause(40)
        }
        return count
      })()
      spoil(place(name), name)
      if (reason === null) await until(() => lines("info", name).length === 1)
      else {
        await until(() => lines("warn", name).length === 1)
        expect(lines("warn", name)[0]).toMatch(reason)
        expect([await metric("stale", name), await metric("reload_failures_total", name), await metric("entries", name)]).toEqual([1, 1, entriesMax])
      }
      done = true
      expect(await load).toBeGreaterThan(1)
      // One line, however often one looks.
      expect(lines("warn", name).length).toBe(reason === null ? 0 : 1)
      rmSync(place(name), { recursive: true, force: true })
      writeFileSync(place(name), `${names(name, entriesMax - 1)}new.${name}.test\n`)
      await until(() => everywhere(`www.new.${name}.test`, 403))
      expect([await ask(`n${entriesMax - 1}.${name}.example`), await metric("stale", name)]).toEqual([200, 0])
    })
  }
})

test.concurrent("a new version holds in all workers, and every request is of the one or the other", async () => {
  const seen = new Set<number>()
  let done = false
  const load = (async () => {
    for (; !done; await pause(10)) seen.add(await ask("a.fresh.example"))
  })()
  writeFileSync(`${place("hot")}.new`, `${names("hot", 1900)}fresh.example\n`)
  renameSync(`${place("hot")}.new`, place("hot"))
  await until(() => everywhere("a.fresh.example", 451))
  done = true
  await load
  expect([...seen].filter(status => status !== 200 && status !== 451)).toEqual([])
  const log = await until(() => proxy.log().find(line => line["status"] === 451))
  expect([log["category"], log["route"]]).toEqual(["of-hot", "by-category"])
})

test("a worker that comes up later has the version that is in force", async () => {
  await proxy.ask("/workers/0/terminate", { method: "POST", headers: { "X-Bothways": "1" } }).catch(() => {})
  await until(async () => (await proxy.ask("/readyz")).status === 200)
  expect(await everywhere("a.fresh.example", 451)).toBe(true)
  expect(await everywhere("www.new.empty.test", 403)).toBe(true)
})

test("bothways lists tells who holds a host; the admin API tells the rest", async () => {
  const one = await runBothways(["lists", "hot", "www.n7.hot.example", "--admin", proxy.admin.replace("http://", "")])
  expect(one.stdout).toContain("hot (of-hot) holds www.n7.hot.example by n7.hot.example\n")
  const all = (await (await proxy.ask("/lists?host=www.n7.hot.example.")).json()) as { answers: { list: string; holds: boolean }[] }
  expect(all.answers.filter(answer => answer.holds).map(answer => answer.list)).toEqual(["hot"])
  const none = await proxy.ask("/lists?name=hat")
  expect([none.status, await none.text()]).toEqual([404, expect.stringContaining('there is no list \\"hat\\"')])
  const { lists } = (await (await proxy.ask("/lists?name=hot")).json()) as { lists: Record<string, unknown>[] }
  expect(lists).toEqual([expect.objectContaining({ name: "hot", category: "of-hot", entries: 1901, version: 2, failures: 0, error: null })])
})
