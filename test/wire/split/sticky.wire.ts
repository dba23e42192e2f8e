import { afterAll, describe, expect, test } from "bun:test"
import { cookieOf, SplitWorld } from "./split-world.ts"

// Clients stay with their version (ingress-nginx #10716, #12444: a user flips between versions on each request).

const split = {
  arms: [
    { cluster: "stable", weight: 80 },
    { cluster: "canary", weight: 20, match: { path: "/preview/*" } },
  ],
  force: { header: "X-Canary", cookie: "canary" },
}

describe("by a cookie", async () => {
  const world = await SplitWorld.start({ stable: 5, canary: 2 }, { ...split, stick: "cookie" })
  afterAll(() => world[Symbol.asyncDispose]())

  test("whoever brings it back stays, 50 times, and is set none again; the version does not see it", async () => {
    const first = await world.ask()
    expect(first.fields["set-cookie"]).toMatch(/^bw-split=[0-9a-f]{8}; Path=\/; HttpOnly; SameSite=Lax$/)
    const again = await world.send(50, () => [`Cookie: lang=de; ${cookieOf(first)}`])
    expect(new Set(again.map(one => one.body))).toEqual(new Set([first.body]))
    expect(again.some(one => one.fields["set-cookie"] !== undefined)).toBe(false)
    const seen = Object.values(world.versions).flatMap(version => version.cookies)
    expect(seen.length).toBeGreaterThan(0)
    expect(new Set(seen)).toEqual(new Set(["lang=de"]))
  })

  test("a share that grows takes what it needs and gives nobody back; one that falls to nothing takes all away", async () => {
    const clients = (await world.send(1000)).map(one => ({ cookie: cookieOf(one), version: one.body }))
    const now = async (): Promise<string[]> => (await world.send(clients.length, n => [`Cookie: ${clients[n]!.cookie}`])).map(one => one.body)
    expect(await now()).toEqual(clients.map(client => client.version))
    await world.canary("start", "&to=50%25")
    const grown = await now()
    expect(clients.filter((client, n) => client.version === "canary" && grown[n] !== "canary")).toEqual([])
    const moved = clients.filter((client, n) => client.version === "stable" && grown[n] === "canary").length
    expect(Math.abs(moved / clients.length - 0.3)).toBeLessThanOrEqual(0.02)
    await world.canary("step", "&to=0")
    expect(new Set(await now())).toEqual(new Set(["stable"]))
    await world.canary("abort")
    expect(await now()).toEqual(clients.map(client => client.version))
  }, 30_000)

  test("what is none of ours is as good as no cookie", async () => {
    for (const forged of ["ffffffff", "40000000", "0", "'; drop", "00000000 ", "0000000G", "x".repeat(4000)]) {
      const got = await world.ask("/", `Cookie: bw-split=${forged}`)
      expect([got.status, forged.trim() === "00000000" || cookieOf(got) !== ""]).toEqual([200, true])
    }
    // Places at the very ends are good.
    expect((await world.ask("/", "Cookie: bw-split=00000000")).body).toBe("canary")
    expect((await world.ask("/", "Cookie: bw-split=3fffffff")).body).toBe("stable")
  })

  test("field beats cookie beats match beats place", async () => {
    const at = { canary: "bw-split=00000000", stable: "bw-split=3fffffff" }
    const asked: [string, string[], string][] = [
      ["/", ["X-Canary: always", `Cookie: canary=never; ${at.stable}`], "canary"],
      ["/preview/x", ["X-Canary: never", `Cookie: canary=always; ${at.canary}`], "stable"],
      ["/", [`Cookie: canary=always; ${at.stable}`], "canary"],
      ["/preview/x", ["Cookie: canary=never"], "stable"],
      ["/preview/x", [`Cookie: ${at.stable}`], "canary"],
      ["/", ["X-Canary: stable", `Cookie: ${at.canary}`], "stable"],
      ["/", ["X-Canary: perhaps", `Cookie: ${at.canary}`], "canary"],
    ]
    const forcedBefore = (await world.status()).arms.map(arm => arm.forced)
    for (const [target, fields, version] of asked) {
      const got = await world.ask(target, ...fields)
      expect([target, fields, got.body]).toEqual([target, fields, version])
      if (!fields.includes("X-Canary: perhaps")) expect(got.fields["set-cookie"]).toBeUndefined()
    }
    expect((await world.status()).arms.map((arm, i) => arm.forced - forcedBefore[i]!)).toEqual([3, 3])
  })
})

describe("by the hash of a key", async () => {
  const world = await SplitWorld.start({ stable: 1, canary: 1 }, { ...split, stick: "${cookie:sid}" })
  afterAll(() => world[Symbol.asyncDispose]())

  test("the same key is at the same version, and stays there when the share grows", async () => {
    const keys = Array.from({ length: 1000 }, (_, n) => `Cookie: sid=s${n}`)
    const now = async (): Promise<string[]> => (await world.send(keys.length, n => [keys[n]!])).map(one => one.body)
    const before = await now()
    expect(await now()).toEqual(before)
    expect(Math.abs(before.filter(version => version === "canary").length / keys.length - 0.2)).toBeLessThanOrEqual(0.04)
    await world.canary("start", "&to=60%25")
    const grown = await now()
    expect(before.filter((version, n) => version === "canary" && grown[n] !== "canary")).toEqual([])
    expect(Math.abs(grown.filter(version => version === "canary").length / keys.length - 0.6)).toBeLessThanOrEqual(0.05)
    // Who has none is told by the address.
    expect(new Set((await world.send(20)).map(one => one.body)).size).toBe(1)
  }, 30_000)
})
