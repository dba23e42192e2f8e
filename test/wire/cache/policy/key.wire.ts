import { afterAll, describe, expect, test } from "bun:test"
import { answer, cachedOrigin, targetOf } from "../cached-origin.ts"

// What tells the pages of one path apart (`key`), besides Vary (RFC 9111 section 4.1).

const world = await cachedOrigin((request, count) => answer(`${targetOf(request)} ${count}`, ["Cache-Control: max-age=600"]), {
  "all.test": {},
  "ignore.test": { key: { query: "ignore" } },
  "sort.test": { key: { query: "sort" } },
  "only.test": { key: { query: { only: ["id", "page"] } } },
  "without.test": { key: { query: { without: ["utm_*", "fbclid"] } } },
  "unsorted.test": { key: { query: { without: ["utm_*"], sort: false } } },
  "both.test": { key: { query: { only: ["p_*"], without: ["p_secret"] } } },
  "headers.test": { key: { headers: ["X-Tenant", "accept-language"] } },
  "cookies.test": { key: { cookies: ["lang", "theme"] } },
  "device.test": { key: { device: true } },
})
afterAll(() => world[Symbol.asyncDispose]())

type Asked = readonly [target: string, ...fields: string[]]

/** Numbers of the pages that requests got, in the order in which they came: equal = the same page. */
async function pagesOf(host: string, asked: readonly Asked[]): Promise<number[]> {
  const bodies: string[] = []
  for (const [target, ...fields] of asked) bodies.push((await world.ask(target, [`Host: ${host}`, ...fields])).body)
  const pages = [...new Set(bodies)]
  return bodies.map(body => pages.indexOf(body) + 1)
}

const queries: Record<string, { readonly asked: readonly string[]; readonly pages: readonly number[] }> = {
  "all.test": { asked: ["", "?", "?a=1&b=2", "?b=2&a=1", "?a=1&b=2", "?A=1&b=2"], pages: [1, 2, 3, 4, 3, 5] },
  "ignore.test": { asked: ["", "?", "?a=1&b=2", "?c"], pages: [1, 1, 1, 1] },
  "sort.test": { asked: ["?a=1&b=2", "?b=2&a=1", "?b=2", "?a=2&a=1", "?a=1&a=2", ""], pages: [1, 1, 2, 3, 3, 4] },
  "only.test": {
    asked: ["?id=1", "?id=1&session=x", "?x=1&id=1", "?id=2", "?page=2&id=1", "?id=1&page=2", "?ID=1", "?idx=1", ""],
    pages: [1, 1, 1, 2, 3, 3, 4, 4, 4],
  },
  "without.test": {
    asked: ["?id=1", "?utm_source=a&id=1&utm_medium=b", "?id=1&fbclid=x", "?fbclid", "", "?fbclids=1", "?id=1&gclid=1"],
    pages: [1, 1, 1, 2, 2, 3, 4],
  },
  "unsorted.test": { asked: ["?a=1&b=2", "?a=1&utm_x=1&b=2", "?b=2&a=1"], pages: [1, 1, 2] },
  "both.test": { asked: ["?p_a=1", "?p_secret=1&p_a=1&q=2", "?p_a=2"], pages: [1, 1, 2] },
}

describe("query", () => {
  for (const [host, { asked, pages }] of Object.entries(queries)) {
    test(host, async () =>
      expect(
        await pagesOf(
          host,
          asked.map((query): Asked => [`/${host}${query}`]),
        ),
      ).toEqual([...pages]),
    )
  }

  test("the whole of it goes to the peer", async () => {
    const target = "/whole?utm_source=a&id=1&utm_medium=b"
    expect((await world.ask(target, ["Host: without.test"])).body).toBe(`${target} 1`)
  })

  test("what has changed one spelling of a page has changed them all", async () => {
    const page = ["Host: without.test"]
    expect((await world.ask("/form?id=1&utm_x=1", page)).body).toBe("/form?id=1&utm_x=1 1")
    await world.ask("/form?utm_y=2&id=1", [...page, "Content-Length: 0"], "POST")
    expect((await world.ask("/form?id=1", page)).body).toBe("/form?id=1 1")
  })
})

describe("fields", () => {
  test("headers: each value has a page, none is a value, too, and other fields do not count", async () => {
    const asked: Asked[] = [
      ["/h", "X-Tenant: a"],
      ["/h", "x-tenant: a", "X-Other: 1"],
      ["/h", "X-Tenant: b"],
      ["/h"],
      ["/h", "Accept-Language: a"],
      ["/h", "X-Tenant: a", "Accept-Language: de"],
      ["/h", "X-Tenant: "],
    ]
    expect(await pagesOf("headers.test", asked)).toEqual([1, 1, 2, 3, 4, 5, 3])
  })

  test("cookies: those that are named count, wherever they stand", async () => {
    const asked: Asked[] = [
      ["/c", "Cookie: lang=de; sid=1"],
      ["/c", "Cookie: sid=2; lang=de"],
      ["/c", "Cookie: sid=3", "Cookie: lang=de"],
      ["/c", "Cookie: lang=fr"],
      ["/c", "Cookie: xlang=fr; language=fr"],
      ["/c"],
      ["/c", "Cookie: theme=de"],
    ]
    expect(await pagesOf("cookies.test", asked)).toEqual([1, 1, 1, 2, 3, 3, 4])
  })

  test("device: phones, tablets and the rest", async () => {
    const agents: [string, number][] = [
      ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 1],
      ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1", 2],
      ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/138.0.0.0 Mobile Safari/537.36", 2],
      ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36", 3],
      ["Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1", 3],
      ["curl/8.14", 1],
    ]
    expect(
      await pagesOf(
        "device.test",
        agents.map(([agent]): Asked => ["/d", `User-Agent: ${agent}`]),
      ),
    ).toEqual(agents.map(([, page]) => page))
    const hints: Asked[] = [["/d"], ["/d", "Sec-CH-UA-Mobile: ?1"], ["/d", "Sec-CH-UA-Mobile: ?0", `User-Agent: ${agents[1]![0]}`]]
    expect(await pagesOf("device.test", hints)).toEqual([1, 2, 1])
  })
})
