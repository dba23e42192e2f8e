import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { answer, ask, cachingConfig } from "./cached-origin.ts"

// An origin that hangs up: whoever asked hears of it at once, or gets what is stored where that is allowed (RFC 9111 section 4.2.4).

const lifetimes: Record<string, string> = {
  "/plain": "max-age=0",
  "/must": "max-age=0, must-revalidate",
  "/shared": "s-maxage=0",
  "/always": "no-cache",
  "/allowed": "max-age=0, stale-if-error=60",
  "/forbidden": "max-age=0, stale-if-error=60, must-revalidate",
}
const port = await freePort()
const asked: string[] = []
const origin = await scriptedServer(async connection => {
  while (true) {
    const target = (await connection.request(60_000)).start.split(" ")[1]!
    const known = asked.includes(target)
    asked.push(target)
    if (known || target === "/nothing") return connection.fin()
    connection.send(answer("stored", [`Cache-Control: ${lifetimes[target]}`, 'ETag: "v1"']))
  }
})
const proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }))
afterAll(async () => {
  await proxy.stop()
  await origin.close()
})

describe("the origin hangs up", () => {
  test("when nothing is stored: 502, for all who ask at once", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => ask(port, "/nothing")))
    expect(answers.map(each => each.status)).toEqual([502, 502, 502])
  })

  for (const target of Object.keys(lifetimes)) {
    test(`when asked about what is stored with ${lifetimes[target]}`, async () => {
      expect((await ask(port, target)).status).toBe(200)
      const again = await ask(port, target)
      expect([again.status, again.body === "stored"]).toEqual(target === "/allowed" ? [200, true] : [502, false])
      expect(proxy.program.stderr).not.toContain("threw")
    })
  }
})
