import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"
import { recorder } from "../../../support/recorder.ts"
import { answer, ask, isHit } from "../cached-origin.ts"

// The cache stands behind what filters make of a request, and before what they make of a response, wherever it is written among them.

let asked = 0
const origin = await recorder(request => answer(`${request.fields.cookie ?? "no cookie"} ${++asked}`, ["X-From: origin"]))
const port = await freePort()
const cache = { cache: { store: "main", ttl: "10m" } }
const without = (...names: string[]): object => ({ headers: { request: { remove: names } } })
const route = (host: string, filters: object[]): object => ({ match: { host }, filters, to: { cluster: "a" } })
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: [origin.address] } },
  caches: { main: { memory: "8MB" } },
  routes: [
    route("cookie.test", [cache, without("Cookie")]),
    route("no-cache.test", [without("Cache-Control", "Pragma"), cache]),
    route("response.test", [{ headers: { response: { set: { "X-From": "proxy", "X-Client": "for all" } } } }, cache]),
    route("set.test", [{ headers: { request: { set: { "X-Tenant": "one" } } } }, { cache: { ...cache.cache, key: { headers: ["X-Tenant"] } } }]),
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

async function twice(host: string, first: string[], second: string[]): Promise<[string, string, boolean]> {
  const [one, two] = [await ask(port, "/", [`Host: ${host}`, ...first]), await ask(port, "/", [`Host: ${host}`, ...second])]
  return [one.body.replace(/\d+$/, ""), two.body.replace(/\d+$/, ""), isHit(two)]
}

describe("filters and the cache", () => {
  test("a Cookie that is taken out tells nothing of a user: the answer is stored", async () => {
    expect(await twice("cookie.test", ["Cookie: sid=1"], ["Cookie: sid=2"])).toEqual(["no cookie ", "no cookie ", true])
  })

  test("a client's no-cache that is taken out is not obeyed", async () => {
    const impatient = ["Cache-Control: no-cache", "Pragma: no-cache"]
    expect(await twice("no-cache.test", [], impatient)).toEqual(["no cookie ", "no cookie ", true])
  })

  test("what is set counts for the key, whatever the client says", async () => {
    expect(await twice("set.test", ["X-Tenant: a"], ["X-Tenant: b"])).toEqual(["no cookie ", "no cookie ", true])
  })

  test("fields of the response are set on hits as on misses", async () => {
    for (const hit of [false, true]) {
      const response = await ask(port, "/", ["Host: response.test"])
      expect([response.fields["x-from"], response.fields["x-client"], isHit(response)]).toEqual(["proxy", "for all", hit])
    }
  })
})
