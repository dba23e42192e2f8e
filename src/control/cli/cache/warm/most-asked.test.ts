import { describe, expect, test } from "bun:test"
import { Random } from "../../../../base/index.ts"
import { MostAsked } from "./most-asked.ts"

describe("what was asked most", () => {
  test("by requests, equal ones as they came, hosts and schemes apart", () => {
    const most = new MostAsked()
    for (const target of ["/a", "/b", "/b", "/c", "/a b?c d"]) most.add("http", "shop.example", target)
    most.add("https", "shop.example", "/b")
    expect(most.top(3)).toEqual([
      { scheme: "http", authority: "shop.example", target: "/b", requests: 2 },
      { scheme: "http", authority: "shop.example", target: "/a", requests: 1 },
      { scheme: "http", authority: "shop.example", target: "/c", requests: 1 },
    ])
    expect(most.top(10)[3]).toMatchObject({ target: "/a b?c d" })
    expect(most.top(10)).toHaveLength(5)
  })

  test("with more URLs than can be counted those that are asked much are found all the same", () => {
    const random = new Random(1)
    const most = new MostAsked(1000)
    for (let i = 0; i < 200_000; i++) most.add("http", "a", random.float() < 0.2 ? `/hot/${random.below(20)}` : `/once/${i}`)
    const top = most.top(20)
    expect(top.map(({ target }) => target).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `/hot/${i}`).sort())
    // about 2000 each
    for (const { requests } of top) expect(requests).toBeGreaterThan(1800)
    expect(most.top(10_000).length).toBeLessThanOrEqual(1000)
  })
})
