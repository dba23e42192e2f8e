/**
 * What a list of a million names costs: `bun bench/lists.ts [names]`. Looks into the set by itself, then the program: how long it reads, how much its memory grows,
 * and the longest that a client on a busy connection waited while the list was read anew. Needs Linux; the machine should be quiet.
 */
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { NameSet, Random } from "../src/base/index.ts"
import { loadListNow } from "../src/config/index.ts"
import { namesListSchema } from "../src/config/schema/lists.ts"
import { residentAtRest } from "../test/support/bulk.ts"
import { type Bothways, startBothways } from "../test/support/bothways.ts"
import { freePort } from "../test/support/ports.ts"
import { cleanUp, temporaryFolder } from "../test/support/processes.ts"
import { rawClient } from "../test/support/raw-client.ts"
import { pause, until } from "../test/support/wait.ts"

const count = Number(process.argv[2] ?? 1_000_000)
const folder = temporaryFolder("lists-bench")
const path = join(folder, "names.txt")
const MB = 1024 * 1024

/** Names as lists have them: some 20 characters, many sites with several names. */
function namesOf(seed: number): string {
  const random = new Random(seed)
  let text = "# generated\n"
  for (let i = 0; i < count; i++)
    text += `${random.uint32().toString(36)}.site${random.below(count / 3)}.${random.below(2) === 0 ? "com" : "example"}\n`
  return text
}

function say(what: string, value: string): void {
  console.log(`${what.padEnd(62)}${value.padStart(12)}`)
}

function lookUps(memory: SharedArrayBuffer, text: string): void {
  const set = new NameSet(memory)
  const hosts = text.split("\n").slice(1, 500_001)
  const others = hosts.map(host => `${host}.test`)
  for (const [what, asked] of [
    ["look-up of a host that is in, microseconds", hosts],
    ["look-up of a host that is not, microseconds", others],
  ] as const) {
    let held = 0
    for (let round = 0; round < 2; round++) {
      held = 0
      const from = performance.now()
      for (const host of asked) if (set.has(host)) held++
      if (round === 1) say(what, (((performance.now() - from) * 1000) / asked.length).toFixed(2))
    }
    say("  of which are held", `${held} of ${asked.length}`)
  }
}

function start(lists: object, port: number): Promise<Bothways> {
  const blocked = Object.keys(lists).length === 0 ? [] : [{ match: { domain: { list: "ads" } }, to: { respond: { status: 403 } } }]
  return startBothways({
    workers: 2,
    lists,
    listeners: { egress: { bind: `127.0.0.1:${port}`, forward: true } },
    routes: [...blocked, { match: {}, to: { respond: { status: 200 } } }],
    observe: { accessLog: { to: "none" } },
  })
}

/** Asks one request after the other until `over`, and gives the longest wait for an answer in milliseconds. */
async function longestWait(port: number, over: () => boolean): Promise<{ ms: number; requests: number }> {
  using client = await rawClient(port)
  let ms = 0
  let requests = 0
  for (; !over(); requests++) {
    const from = performance.now()
    client.send("GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
    await client.response()
    ms = Math.max(ms, performance.now() - from)
  }
  return { ms, requests }
}

interface Told {
  readonly version: number
  readonly tookMs: number
  readonly entries: number
  readonly bytes: number
}

const told = async (proxy: Bothways): Promise<Told> => ((await (await proxy.ask("/lists")).json()) as { lists: Told[] }).lists[0]!

async function program(): Promise<void> {
  const port = await freePort()
  const bare = await start({}, port)
  const without = await residentAtRest(bare.pid)
  await bare.stop()
  const proxy = await start({ ads: { files: path, entriesMax: 100_000_000 } }, port)
  const first = await told(proxy)
  say("the program reads it at its start, ms", String(first.tookMs))
  say("names", String(first.entries))
  say("memory that all workers share, MB", (first.bytes / MB).toFixed(1))
  say("resident memory, more than without the list, MB", (((await residentAtRest(proxy.pid)) - without) / MB).toFixed(1))
  const quietUntil = performance.now() + 3000
  const quiet = await longestWait(port, () => performance.now() > quietUntil)
  say("longest wait of a busy client, nothing happens, ms", quiet.ms.toFixed(1))
  for (const seed of [2, 3, 4]) {
    writeFileSync(`${path}.new`, namesOf(seed))
    let over = false
    const client = longestWait(port, () => over)
    renameSync(`${path}.new`, path)
    const before = (await told(proxy)).version
    await until(async () => (await told(proxy)).version > before, 30_000)
    await pause(300)
    over = true
    const busy = await client
    const next = await told(proxy)
    say(`longest wait while it was read anew in ${next.tookMs} ms, ms`, busy.ms.toFixed(1))
  }
  say("resident memory after three versions, more than without, MB", (((await residentAtRest(proxy.pid)) - without) / MB).toFixed(1))
  await proxy.stop()
}

const text = namesOf(1)
writeFileSync(path, text)
say("octets of the file, MB", (text.length / MB).toFixed(1))
const from = performance.now()
const loaded = loadListNow(namesListSchema.parse({ files: path, entriesMax: 100_000_000 }))
say("read at once, ms", (performance.now() - from).toFixed(0))
lookUps(loaded.memory, text)
await program()
cleanUp()
