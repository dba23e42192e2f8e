import { expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { figure, scaled, scaledTimeout } from "../../../../test/support/long.ts"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { get, keyOf, octetsOf, openStore, put, type TestStore, untilState } from "./disk.fixture.ts"

const entries = scaled(3000, 100_000)
const options = { bytes: 2_000_000_000, entriesMax: 200_000 }

async function fill(end: TestStore["end"]): Promise<void> {
  const body = octetsOf("body", 1000)
  let next = 0
  const run = async (): Promise<void> => {
    while (next < entries) expect(await put(end, keyOf(`articles/${next++}`), body)).toBe(true)
  }
  await Promise.all(Array.from({ length: 32 }, run))
}

/** Opens, looks up at once, and waits for the end of the scan. */
async function start(path: string, what: string): Promise<void> {
  const startMs = performance.now()
  const { end, store, close } = await openStore({ ...options, path })
  const openMs = performance.now() - startMs
  let longestMs = 0
  let lastMs = performance.now()
  const tick = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs)
    lastMs = performance.now()
  }, 1)
  expect((await get(end, keyOf(`articles/${entries - 1}`)))!.body).toHaveLength(1000)
  const firstMs = performance.now() - startMs
  const state = store.stats().state
  while (store.stats().state === "loading") await new Promise(resolve => setTimeout(resolve, 1))
  const loadedMs = performance.now() - startMs
  await untilState(store, "ready", 100_000)
  clearInterval(tick)
  figure(
    `start with ${entries} entries, ${what}`,
    `open ${openMs.toFixed(0)} ms, first hit ${firstMs.toFixed(0)} ms (${state}), loaded ${loadedMs.toFixed(0)} ms`,
  )
  figure("  all files looked over", `${(performance.now() - startMs).toFixed(0)} ms; longest gap in this thread meanwhile ${longestMs.toFixed(1)} ms`)
  expect(openMs).toBeLessThan(1000)
  expect(firstMs).toBeLessThan(1000)
  expect(store.stats()).toMatchObject({ entries, bytes: entries * 4096 })
  for (let n = 0; n < 50; n++) expect(end.mayHave(keyOf(`articles/${Math.floor((n * entries) / 50)}`))).toBe(true)
  await close()
}

test(
  "many entries: it is open at once and finds them, with its index and without",
  async () => {
    const path = temporaryFolder("disk-store")
    const first = await openStore({ ...options, path })
    const filledMs = performance.now()
    await fill(first.end)
    figure("stored a second, small ones, 32 at a time", Math.round((entries / (performance.now() - filledMs)) * 1000))
    await first.close()
    await start(path, "after a clean stop")
    await start(path, "again")
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(path, `index.sqlite${suffix}`), { force: true })
    await start(path, "its index lost")
  },
  scaledTimeout(300_000),
)
