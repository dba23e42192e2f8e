import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { gtlsClient, GtlsSession } from "../../support/h3/gtls-client.ts"
import { http3Config, secureListener } from "../../support/h3/secure-config.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { strictOrigin } from "../../support/strict-origin.ts"
import { until } from "../../support/wait.ts"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

// RFC 8470: what comes in 0-RTT data may be somebody's replay.
const [takes, refuses] = (await freePorts(2)) as [number, number]
const origin = await strictOrigin()
const proxy = await startBothways(
  http3Config(takes, origin.address, {
    listener: { http3: { earlyData: true } },
    routes: [{ match: {}, to: { cluster: "a" } }],
  }),
)
const careful = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${refuses}`, ...secureListener() } },
  clusters: { a: { peers: [origin.address] } },
  routes: [{ match: {}, to: { cluster: "a" } }],
})
afterAll(async () => {
  await Promise.all([proxy.stop(), careful.stop()])
  await origin[Symbol.asyncDispose]()
})
beforeEach(() => origin.clear())

const upload = join(temporaryFolder("upload"), "body")
writeFileSync(upload, "body")

/** A first visit, then one that begins with early data. */
async function again(port: number, target: string, request: { method?: string; data?: string } = {}) {
  const session = new GtlsSession()
  await gtlsClient(port, ["/first"], { args: session.args })
  expect(session.isKept).toBe(true)
  origin.clear()
  return gtlsClient(port, [target], { ...request, args: session.args })
}
const early = () => origin.requests.map(({ fields }) => fields.filter(([name]) => name === "early-data").map(([, value]) => value))

describe("earlyData: true", () => {
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    test(`${method} passes, and says that it was early`, async () => {
      const answer = await again(takes, "/early", { method })
      expect([answer.statuses, early()]).toEqual([[200], [["1"]]])
    })
  }
  for (const [method, data] of [
    ["POST", upload],
    ["DELETE", undefined],
    ["PUT", upload],
  ] as const) {
    test(`${method} gets 425 and reaches nobody`, async () => {
      const answer = await again(takes, "/early", { method, ...(data && { data }) })
      expect([answer.statuses, origin.received]).toEqual([[425], ""])
      await until(() => proxy.log().some(line => line["method"] === method && line["status"] === 425))
    })
  }
  test("what comes behind the handshake is not early", async () => {
    using client = await rawH3Client(takes)
    expect((await client.request({ ":method": "POST" }, { body: "x" }).response()).status).toBe(200)
    expect((await client.request().response()).status).toBe(200)
    expect(early()).toEqual([[], []])
  })
  test("the mark is nobody's to forge away: one that a client sends is passed on", async () => {
    using client = await rawH3Client(takes)
    await client.request({ "early-data": "1" }).response()
    expect(early()).toEqual([["1"]])
  })
})

describe("off, as it is by default", () => {
  for (const method of ["GET", "POST"]) {
    test(`${method} is answered behind the handshake, without a mark`, async () => {
      const answer = await again(refuses, "/early", { method, ...(method === "POST" && { data: upload }) })
      expect([answer.statuses, early()]).toEqual([[200], [[]]])
    })
  }
})
