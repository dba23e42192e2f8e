import { expect, test } from "bun:test"
import { join } from "node:path"
import { startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { recorder } from "../../../support/recorder.ts"
import { until } from "../../../support/wait.ts"
import { answer, ask, cachingConfig, isHit } from "../cached-origin.ts"

// What comes up from the disk for the one who asks is a hit: nothing was fetched, for nobody (RFC 9211 section 2.1).

test("the first hit behind a restart says so, in Cache-Status and the log", async () => {
  const port = await freePort()
  await using origin = await recorder(answer("page", ["Cache-Control: max-age=600"]))
  const disk = { path: join(temporaryFolder("cache-disk"), "cache"), size: "16MB" }
  const config = { ...cachingConfig(port, { peers: [origin.address] }), caches: { main: { memory: "4MB", disk } } }
  const first = await startBothways(config)
  await ask(port, "/")
  await until(async () => ((await (await first.ask("/cache/entries?all=true")).json()) as { entries: { tier: string }[] }).entries.length === 2)
  await first.stop()
  await using second = await startBothways(config)
  const response = await ask(port, "/")
  expect([isHit(response), origin.requests.length]).toEqual([true, 1])
  const line = await until(() => second.log().find(each => each.target === "/"))
  expect(line.cache).toBe("hit")
})
