import { afterAll, describe, expect, test } from "bun:test"
import type { ResponseMessage } from "../../../support/message.ts"
import { answer, cachedOrigin, isHit, targetOf } from "../cached-origin.ts"
import { reasonOf } from "./fates.ts"

// What the options of a route keep out of its cache, and what they let in.

const kilobyte = "k".repeat(1024)
const lifetime = "Cache-Control: max-age=600"
const world = await cachedOrigin(
  (request, count) => {
    const path = targetOf(request)
    if (path.startsWith("/kb")) return answer(kilobyte, [lifetime])
    if (path.startsWith("/more")) return answer(`${kilobyte}!`, [lifetime])
    const cookies = [`Set-Cookie: sid=${count}`, `Set-Cookie: more=${count}`]
    if (path === "/cookie-only") return answer(String(count), cookies)
    if (path.startsWith("/cookie")) return answer(String(count), [...cookies, path.includes("public") ? `${lifetime}, public` : lifetime])
    return answer(String(count), [lifetime])
  },
  {
    "a.test": {},
    "small.test": { bodyMax: "1KB" },
    "third.test": { minUses: 3 },
    "refuse.test": { setCookie: "refuse" },
    "public.test": { setCookie: "public" },
    "strip.test": { setCookie: "strip" },
    "keep.test": { setCookie: "keep" },
    "keep-ttl.test": { setCookie: "keep", ttl: "10m" },
  },
)
afterAll(() => world[Symbol.asyncDispose]())

const ask = (host: string, target: string, fields: readonly string[] = []): Promise<ResponseMessage> =>
  world.ask(target, [`Host: ${host}`, ...fields])

/** What three clients get, one after the other. */
async function three(host: string, target: string): Promise<ResponseMessage[]> {
  const responses: ResponseMessage[] = []
  while (responses.length < 3) responses.push(await ask(host, target))
  return responses
}

describe("bodyMax", () => {
  test("a body of that size is stored, one octet more is not", async () => {
    expect((await three("small.test", "/kb")).map(isHit)).toEqual([false, true, true])
    const larger = await three("small.test", "/more")
    expect(larger.map(isHit)).toEqual([false, false, false])
    expect(larger.map(reasonOf)).toEqual(["too-large", "too-large", "too-large"])
    expect(larger.map(({ body }) => body.length)).toEqual([1025, 1025, 1025])
  })

  test("without it both are", async () => {
    expect((await three("a.test", "/more/stored")).map(isHit)).toEqual([false, true, true])
  })
})

describe("minUses", () => {
  test("stored with the third request, and whoever comes before is told why not", async () => {
    const responses = [...(await three("third.test", "/uses")), ...(await three("third.test", "/uses"))]
    expect(responses.map(({ body }) => body)).toEqual(["1", "2", "3", "3", "3", "3"])
    expect(responses.slice(0, 3).map(reasonOf)).toEqual(["min-uses", "min-uses", ""])
  })

  test("each URL for itself", async () => {
    await three("third.test", "/uses?many")
    expect((await three("third.test", "/uses?few")).map(isHit)).toEqual([false, false, false])
  })
})

describe("setCookie", () => {
  const own = ["sid=1, more=1", "sid=2, more=2", "sid=3, more=3"]
  const cookies = async (host: string, target: string): Promise<(string | undefined)[]> =>
    (await three(host, target)).map(({ fields }) => fields["set-cookie"])

  test("refuse: everybody gets an answer and a cookie of their own", async () => {
    expect(await cookies("refuse.test", "/cookie?refuse")).toEqual(own)
    expect(await cookies("refuse.test", "/cookie?refuse&public")).toEqual(own)
  })

  test("public: the answer is for all where it says public, the cookies are for the first alone", async () => {
    expect(await cookies("public.test", "/cookie?named")).toEqual(own)
    expect(await cookies("public.test", "/cookie?named&public")).toEqual([own[0], undefined, undefined])
  })

  test("which is the default", async () => {
    expect(await cookies("a.test", "/cookie?default")).toEqual(own)
    expect(await cookies("a.test", "/cookie?default&public")).toEqual([own[0], undefined, undefined])
  })

  test("strip: the answer is for all, the cookies are for the first alone", async () => {
    expect(await cookies("strip.test", "/cookie?strip")).toEqual([own[0], undefined, undefined])
  })

  test("keep: everybody gets the first one's cookies", async () => {
    expect(await cookies("keep.test", "/cookie?keep")).toEqual([own[0], own[0], own[0]])
    expect(await cookies("keep-ttl.test", "/cookie-only")).toEqual([own[0], own[0], own[0]])
  })
})
