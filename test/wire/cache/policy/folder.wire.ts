import { expect, test } from "bun:test"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runBothways, startBothways } from "../../../support/bothways.ts"
import { freePort, freePorts } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { ask } from "../cached-origin.ts"

// A folder that cannot be a cache's disk is a problem of the config: said in one line, before anything listens, and nothing in it is touched.

const folder = temporaryFolder("cache-folders")
const [port, admin] = (await freePorts(2)) as [number, number]
const config = (path: string): object => ({
  admin: { bind: `127.0.0.1:${admin}` },
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: ["127.0.0.1:1"] } },
  caches: { main: { memory: "4MB", ...(path === "" ? {} : { disk: { path: join(folder, path), size: "16MB" } }) } },
  routes: [
    { match: { path: "/up" }, to: { respond: { body: "up" } } },
    { filters: [{ cache: { store: "main" } }], to: { cluster: "a" } },
  ],
})

function write(path: string): string {
  const file = join(folder, `${path.replaceAll("/", "-")}.json`)
  writeFileSync(file, JSON.stringify(config(path)))
  return file
}

writeFileSync(join(folder, "a-file"), "mine")
mkdirSync(join(folder, "photos"))
writeFileSync(join(folder, "photos", "one.jpg"), "mine")

for (const [name, path, said] of [
  ["a file", "a-file", /^bothways: caches\.main\.disk: \S+\/a-file: the folder cannot be used: EEXIST/],
  ["below a file", "a-file/cache", /^bothways: caches\.main\.disk: \S+\/a-file\/cache: the folder cannot be used: ENOTDIR/],
  [
    "a folder of other things",
    "photos",
    /^bothways: caches\.main\.disk: \S+\/photos: the folder holds other things \("one\.jpg"\); the disk store needs one to itself/,
  ],
] as const) {
  test(`${name}: exit code 2, and why`, async () => {
    const { code, stderr } = await runBothways(["run", write(path)])
    expect(code).toBe(2)
    expect(stderr).toMatch(said)
    expect(stderr.trim().split("\n")).toHaveLength(1)
    expect([readFileSync(join(folder, "a-file"), "utf8"), readdirSync(join(folder, "photos"))]).toEqual(["mine", ["one.jpg"]])
  })
}

test("one that another instance has: exit code 2, and that one goes on; a folder below one that is not there is made", async () => {
  const otherAdmin = await freePort()
  await using _first = await startBothways({
    ...config("deep/er/cache"),
    listeners: { web: { bind: `127.0.0.1:${await freePort()}` } },
    admin: { bind: `127.0.0.1:${otherAdmin}` },
  })
  const { code, stderr } = await runBothways(["run", write("deep/er/cache")])
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^bothways: caches\.main\.disk: \S+: another process uses this folder\n$/)])
  expect((await fetch(`http://127.0.0.1:${otherAdmin}/readyz`)).status).toBe(200)
})

test("a reload that names one is refused, says why, and everything goes on as it was", async () => {
  await using proxy = await startBothways(config(""), { args: ["--no-watch"] })
  proxy.rewrite(config("photos"))
  const refused = await proxy.ask("/reload", { method: "POST", headers: { "x-bothways": "1" } })
  expect(refused.status).toBeGreaterThanOrEqual(400)
  expect(await refused.text()).toContain("the folder holds other things")
  expect((await ask(port, "/up")).body).toBe("up")
})
