import { afterAll, describe, expect, test } from "bun:test"
import { answer, cachedOrigin, targetOf } from "./cached-origin.ts"

// O-22: a page of one user under the name of a file (RFC 9111 section 7.3). The route keeps what looks like one for a minute.

const world = await cachedOrigin(
  (request, count) => {
    const target = targetOf(request)
    if (target.startsWith("/plain/")) return answer(`/* ${count} */`, ["Content-Type: text/css"])
    if (target.startsWith("/page/")) return answer(`<p>${count}</p>`, ["Content-Type: text/html; charset=utf-8"])
    const user = /(?:^|;\s*)u=(\w+)/.exec(request.fields.cookie ?? "")?.[1] ?? request.fields.authorization ?? "nobody"
    return resolved(target).startsWith("/account")
      ? answer(`hello ${user}`, ["Content-Type: text/html"])
      : answer("404", ["Content-Type: text/html"], "404 Not Found")
  },
  { "a.test": { ttl: "60s", negativeTtl: { 404: "60s" } }, "b.test": { ttl: "60s" } },
)
afterAll(() => world[Symbol.asyncDispose]())

/** As a careless application reads a path: decoded, with its parameters cut off, with dot segments taken out. */
function resolved(target: string): string {
  const kept: string[] = []
  for (const segment of decodeURIComponent(target)
    .split(/[;?\n]/)[0]!
    .split("/")
    .slice(1)) {
    if (segment === "..") kept.pop()
    else if (segment !== ".") kept.push(segment)
  }
  return `/${kept.join("/")}`
}

const tricks = [
  "/account/x.css",
  "/account;x.css",
  "/account%2fx.css",
  "/account%3fx.css",
  "/account?x.css",
  "/account%0ax.css",
  "/static/..%2faccount",
  "/account/..%2fstatic/x.css",
]

describe("O-22: the next visitor does not read the page of the one before", () => {
  for (const trick of tricks) {
    for (const [kind, field] of [
      ["a cookie", "Cookie: u=v"],
      ["credentials", "Authorization: v"],
    ] as const) {
      test(`${trick}, ${kind}`, async () => {
        const target = trick + (kind === "a cookie" ? "" : `${trick.includes("?") ? "&" : "?"}again.css`)
        const victim = await world.ask(target, [field])
        // Some of them are no paths that we pass on; what is passed on is the victim's own page.
        if (victim.status === 200) expect(victim.body).toBe("hello v")
        else expect([400, 404]).toContain(victim.status)
        expect((await world.ask(target)).body).not.toContain("hello v")
        expect((await world.ask(target, ["Cookie: u=w"])).body).not.toContain("hello v")
      })
    }
  }

  test("nor the page that somebody got without a cookie: it is no style sheet", async () => {
    for (const host of ["a.test", "b.test"]) {
      const target = `/page/${host}/x.css`
      const answers = [await world.ask(target, [`Host: ${host}`]), await world.ask(target, [`Host: ${host}`])]
      expect(answers.map(each => each.body)).toEqual(["<p>1</p>", "<p>2</p>"])
      expect(answers[1]!.fields["cache-status"]).toMatch(/content-mismatch/)
    }
  })

  test("a style sheet is kept, under the target exactly as it was forwarded", async () => {
    const targets = ["/plain/x.css", "/plain/x.css?", "/plain/x.css?v=1", "/plain/%78.css", "/plain/y%2fx.css", "/plain/y/x.css"]
    for (let round = 0; round < 2; round++) for (const target of targets) expect((await world.ask(target)).body).toBe("/* 1 */")
    expect(new Set(world.origin.requests.map(targetOf).filter(target => target.startsWith("/plain/")))).toEqual(new Set(targets))
  })
})
