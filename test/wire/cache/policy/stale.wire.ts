import { afterAll, describe, expect, test } from "bun:test"
import type { ResponseMessage } from "../../../support/message.ts"
import { pause, until } from "../../../support/wait.ts"
import { answer, cachedOrigin, isHit, targetOf } from "../cached-origin.ts"
import { lifetimeOf } from "./fates.ts"

// What is served past its lifetime (RFC 5861, RFC 9111 section 4.2.4), and what is fetched before its end. `?fields` are what the origin says.

let fails = ""
const world = await cachedOrigin(
  (request, count) => {
    if (fails !== "" && count > 1) return answer("failed", [], fails)
    const says = decodeURIComponent(targetOf(request).split("?")[1] ?? "")
    return answer(String(count), [`ETag: "${count}"`, ...(says === "" ? [] : [`Cache-Control: ${says}`])])
  },
  {
    "none.test": { ttl: "1ms" },
    "while.test": { ttl: "1ms", staleWhileRevalidate: "1h" },
    "short-while.test": { ttl: "1ms", staleWhileRevalidate: "1ms" },
    "error.test": { ttl: "1ms", staleIfError: "1h" },
    "short-error.test": { ttl: "1ms", staleIfError: "1ms" },
    "ahead.test": { ttl: "3s", refreshAhead: "50%" },
    "late.test": { ttl: "2s" },
  },
)
afterAll(() => world[Symbol.asyncDispose]())

const ask = (host: string, target: string, fields: readonly string[] = []): Promise<ResponseMessage> =>
  world.ask(target, [`Host: ${host}`, ...fields])
const said = (directives: string): string => `?${encodeURIComponent(directives)}`

/** Asks once, and again when that is stale. */
async function twice(host: string, target: string, fields: readonly string[] = []): Promise<ResponseMessage> {
  const { body } = await ask(host, target)
  expect(body).toBe("1")
  await pause(5)
  return await ask(host, target, fields)
}

/** The same while the origin answers 500. */
async function twiceFailing(host: string, target: string, fields: readonly string[] = []): Promise<ResponseMessage> {
  fails = "500 Internal Server Error"
  const response = await twice(host, target, fields)
  fails = ""
  return response
}

describe("staleWhileRevalidate", () => {
  test("the stale answer comes at once, and a new one for whoever is next", async () => {
    const second = await twice("while.test", "/new")
    expect([second.body, isHit(second), lifetimeOf(second) < 0]).toEqual(["1", true, true])
    await until(() => world.asked("/new") === 2)
    await until(async () => Number((await ask("while.test", "/new")).body) > 1)
  })

  for (const [name, host, target, fields] of [
    ["none by default", "none.test", "/default", []],
    ["no longer than it says", "short-while.test", "/over", []],
    ["not where the answer says 0", "while.test", `/none${said("max-age=0, stale-while-revalidate=0")}`, []],
    ["not against must-revalidate", "while.test", `/must${said("max-age=0, must-revalidate")}`, []],
    ["not beside s-maxage", "while.test", `/shared${said("s-maxage=0")}`, []],
    ["not for a client that wants it new", "while.test", "/max-age", ["Cache-Control: max-age=0"]],
  ] as const) {
    test(name, async () => {
      const second = await twice(host, target, fields)
      expect([second.body, isHit(second)]).toEqual(["2", false])
      expect(second.fields["cache-status"]).toContain("fwd=stale")
    })
  }

  test("the answer's own window counts first", async () => {
    expect((await twice("short-while.test", `/own${said("max-age=0, stale-while-revalidate=60")}`)).body).toBe("1")
  })
})

describe("staleIfError", () => {
  test("a stale answer in place of a 500, and the log says so", async () => {
    const second = await twiceFailing("error.test", "/stale")
    expect([second.status, second.body]).toEqual([200, "1"])
    expect(second.fields["cache-status"]).toMatch(/hit.*fwd=stale; fwd-status=500/)
    const line = await until(() => world.proxy.log().find(one => one.target === "/stale" && one.cache === "stale"))
    expect(line).toMatchObject({ status: 200, cache: "stale", cacheReason: "error" })
    expect((await ask("error.test", "/stale")).body).not.toBe("1")
  })

  for (const [name, host, target, fields] of [
    ["none by default", "none.test", "/default-error", []],
    ["no longer than it says", "short-error.test", "/over-error", []],
    ["not where the answer says 0", "error.test", `/none${said("max-age=0, stale-if-error=0")}`, []],
    ["not against must-revalidate", "error.test", `/must-error${said("max-age=0, must-revalidate")}`, []],
    ["not for a client that says no-cache", "error.test", "/no-cache", ["Cache-Control: no-cache"]],
  ] as const) {
    test(name, async () => {
      const second = await twiceFailing(host, target, fields)
      expect([second.status, second.body, isHit(second)]).toEqual([500, "failed", false])
    })
  }

  test("for a client that allows it", async () => {
    expect((await twiceFailing("none.test", "/allows", ["Cache-Control: stale-if-error=60"])).body).toBe("1")
  })
})

describe("refreshAhead", () => {
  test("who asks in the last half gets what is stored, and has it fetched anew before it expires", async () => {
    await ask("ahead.test", "/ahead")
    await until(async () => {
      const response = await ask("ahead.test", "/ahead")
      expect([isHit(response), lifetimeOf(response) >= 0]).toEqual([true, true])
      return response.body === "2"
    })
    expect(world.asked("/ahead")).toBe(2)
  })

  test("without it nothing is fetched before its end", async () => {
    await ask("late.test", "/late")
    const last = await until(async () => {
      const response = await ask("late.test", "/late")
      return isHit(response) ? null : response
    })
    expect([last.body, world.asked("/late")]).toEqual(["2", 2])
  })
})
