import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { type Bothways, startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { recorder } from "../../../support/recorder.ts"
import { until } from "../../../support/wait.ts"
import { answer, ask, isHit, targetOf } from "../cached-origin.ts"

// What is stored outlives a reload, and on a disk a restart and a kill as well.

const large = "l".repeat(3 * 1024 * 1024)
let asked = 0
const origin = await recorder(request => {
  asked++
  const fields = ["Cache-Control: max-age=600", "Cache-Tag: all", "Vary: Accept-Language"]
  return targetOf(request) === "/large" ? answer(large, fields) : answer(`${request.fields["accept-language"] ?? ""} ${asked}`, fields)
})
afterAll(() => origin[Symbol.asyncDispose]())

interface Site {
  readonly port: number
  readonly config: (changes?: { memory?: string; options?: object; more?: object[] }) => object
}

/** A site with a cache, with a disk of this folder if one is named. */
async function siteOf(folder?: string): Promise<Site> {
  const [port, admin] = [await freePort(), await freePort()]
  return {
    port,
    config: ({ memory = "4MB", options = {}, more = [] } = {}) => ({
      admin: { bind: `127.0.0.1:${admin}` },
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { a: { peers: [origin.address] } },
      caches: { main: { memory, ...(folder === undefined ? {} : { disk: { path: folder, size: "64MB" } }) } },
      routes: [...more, { filters: [{ cache: { store: "main", ...options } }], to: { cluster: "a" } }],
    }),
  }
}

const german = ["Accept-Language: de"]

/** Fills the cache, and waits until all of it is on the disk: two variants with their rule, and a body that is too large for memory. */
async function fill(proxy: Bothways, { port }: Site): Promise<string[]> {
  const bodies = [(await ask(port, "/")).body, (await ask(port, "/", german)).body]
  expect((await ask(port, "/large")).body.length).toBe(large.length)
  await until(async () => {
    const answered = await proxy.ask("/cache/entries?all=true")
    const { entries } = (await answered.json()) as { entries: { tier: string; kind: string }[] }
    return entries.filter(({ tier, kind }) => tier === "disk" && kind === "response").length === 3
  })
  return bodies
}

for (const [name, signal] of [
  ["a stop", "SIGTERM"],
  ["kill -9", "SIGKILL"],
] as const) {
  test(`with a disk everything is there after ${name}, variants, tags and large bodies included`, async () => {
    const site = await siteOf(join(temporaryFolder("cache-disk"), "cache"))
    const first = await startBothways(site.config())
    const bodies = await fill(first, site)
    await first.program.stop(signal)
    const before = asked
    await using second = await startBothways(site.config())
    const after = [await ask(site.port, "/"), await ask(site.port, "/", german), await ask(site.port, "/large")]
    expect(after.map(({ body }) => body)).toEqual([...bodies, large])
    expect(asked).toBe(before)
    const purged = await second.ask("/cache/purge?tag=all", { method: "POST", headers: { "x-bothways": "1" } })
    expect(purged.status).toBe(200)
    expect([isHit(await ask(site.port, "/")), isHit(await ask(site.port, "/large")), asked]).toEqual([false, false, before + 2])
  })
}

test("without a disk a restart begins anew", async () => {
  const site = await siteOf()
  const first = await startBothways(site.config())
  const { body } = await ask(site.port, "/")
  await first.stop()
  await using _second = await startBothways(site.config())
  expect((await ask(site.port, "/")).body).not.toBe(body)
})

describe("a reload", () => {
  const reload = async (proxy: Bothways, config: object): Promise<void> => {
    proxy.rewrite(config)
    expect((await proxy.ask("/reload", { method: "POST", headers: { "x-bothways": "1" } })).status).toBe(200)
  }

  test("keeps what is stored, whatever else it changes, and new options hold for it at once", async () => {
    const site = await siteOf()
    await using proxy = await startBothways(site.config(), { args: ["--no-watch"] })
    const { body } = await ask(site.port, "/")
    await reload(proxy, site.config({ options: { staleIfError: "1h" }, more: [{ match: { path: "/x" }, to: { respond: { body: "x" } } }] }))
    expect((await ask(site.port, "/x")).body).toBe("x")
    expect((await ask(site.port, "/")).body).toBe(body)
    await reload(proxy, site.config({ options: { status: false, bypass: { cookie: { sid: true } } } }))
    const hit = await ask(site.port, "/")
    expect([hit.body, hit.fields["cache-status"]]).toEqual([body, undefined])
    expect((await ask(site.port, "/", ["Cookie: sid=1"])).body).not.toBe(body)
  })

  test("of another size of its memory begins anew, but for the disk", async () => {
    const site = await siteOf()
    await using proxy = await startBothways(site.config(), { args: ["--no-watch"] })
    const { body } = await ask(site.port, "/")
    await reload(proxy, site.config({ memory: "8MB" }))
    expect((await ask(site.port, "/")).body).not.toBe(body)

    const onDisk = await siteOf(join(temporaryFolder("cache-disk"), "cache"))
    await using kept = await startBothways(onDisk.config(), { args: ["--no-watch"] })
    const bodies = await fill(kept, onDisk)
    await reload(kept, onDisk.config({ memory: "8MB" }))
    expect([(await ask(onDisk.port, "/")).body, (await ask(onDisk.port, "/", german)).body]).toEqual(bodies)
  })

  test("that takes a disk away goes on without; one that names it again finds what it had", async () => {
    const folder = join(temporaryFolder("cache-disk"), "cache")
    const site = await siteOf(folder)
    const bare = await siteOf()
    const config = site.config() as { caches: object }
    await using proxy = await startBothways({ ...config, caches: (bare.config() as { caches: object }).caches }, { args: ["--no-watch"] })
    expect(isHit(await ask(site.port, "/"))).toBe(false)
    await reload(proxy, config)
    const bodies = await fill(proxy, site)
    await reload(proxy, { ...config, caches: (bare.config() as { caches: object }).caches })
    expect((await ask(site.port, "/")).status).toBe(200)
    await reload(proxy, config)
    expect([(await ask(site.port, "/")).body, (await ask(site.port, "/", german)).body]).toEqual(bodies)
  })
})
