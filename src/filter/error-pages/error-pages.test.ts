import { describe, expect, test } from "bun:test"
import { FAULT } from "../../base/index.ts"
import { ANSWER, Exchange, NEXT } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import errorPages from "./error-pages.ts"

const files = { "/etc/down.html": "<h1>${status} ${reason}</h1>${path} $(document)" }

interface Given {
  readonly status: number
  readonly ours?: boolean
  readonly accept?: string
  readonly fields?: readonly (readonly [string, string])[]
}

function run(options: unknown, { status, ours = true, accept = "*/*", fields = [] }: Given, deps = new FakeDeps(files)) {
  const x = new Exchange()
  x.status = status
  x.path = '/a"<b>'
  x.fault = ours ? FAULT.noPeer : null
  x.request = Fields.of([["Accept", accept]])
  x.response = Fields.of(fields)
  const verdict = errorPages.build(errorPages.options.parse(options), deps).response!(x)
  return { verdict, status: x.status, lines: x.response.render(), body: x.localBody === null ? "" : Buffer.from(x.localBody).toString() }
}

describe("error-pages", () => {
  test("a file with what the request says, escaped; other dollar signs stay", () => {
    const { verdict, status, body, lines } = run({ pages: { "5xx": { file: "down.html" } } }, { status: 503 })
    expect([verdict, status]).toEqual([ANSWER, 503])
    expect(body).toBe("<h1>503 Service Unavailable</h1>/a&#34;&#60;b&#62; $(document)")
    expect(lines).toContain("Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n")
  })

  test("the most exact one counts", () => {
    const pages = { "5xx": { body: "class" }, "502-504": { body: "range" }, "503": { body: "one" } }
    expect([500, 502, 503, 404].map(status => run({ pages }, { status }).body)).toEqual(["class", "range", "one", ""])
  })

  test("whose errors: the proxy's, the server's, both", () => {
    const of = (from: string) => [true, false].map(ours => run({ pages: { "5xx": { body: "p" } }, from }, { status: 500, ours }).verdict === ANSWER)
    expect([of("proxy"), of("upstream"), of("both")]).toEqual([
      [true, false],
      [false, true],
      [true, true],
    ])
  })

  test("JSON for who prefers it, escaped for a string", () => {
    const pages = { "404": { body: "<p>no", json: '{"path":"${path}"}' } }
    expect(run({ pages }, { status: 404, accept: "application/json" }).body).toBe('{"path":"/a\\"<b>"}')
    expect(run({ pages }, { status: 404, accept: "text/html,application/json" }).body).toBe("<p>no")
  })

  test("what else to do is kept, the rest of a server's error is not", () => {
    const fields = [
      ["Retry-After", "7"],
      ["X-Debug", "secret"],
      ["Content-Type", "text/plain"],
      ["Set-Cookie", "a=1"],
    ] as const
    const { lines } = run({ pages: { "503": { body: "<p>", status: 500 } }, from: "both" }, { status: 503, ours: false, fields })
    expect(lines).toContain("retry-after: 7\r\n")
    expect(lines).toContain("set-cookie: a=1\r\n")
    expect(lines).not.toContain("X-Debug")
    expect(lines.match(/content-type/gi)).toHaveLength(1)
  })

  test("a page that changes", () => {
    const deps = new FakeDeps(files)
    const filter = errorPages.build(errorPages.options.parse({ pages: { "503": { file: "down.html" } } }), deps)
    deps.change("/etc/down.html", "new")
    const x = new Exchange()
    x.status = 503
    x.fault = FAULT.noPeer
    filter.response!(x)
    expect(Buffer.from(x.localBody!).toString()).toBe("new")
  })

  test("what is no error stays", () => {
    expect(run({ pages: { "404": { body: "x" } }, from: "both" }, { status: 200 }).verdict).toBe(NEXT)
  })

  test.each([[{ pages: {} }], [{ pages: { "200": { body: "" } } }], [{ pages: { "404": {} } }], [{ pages: { "404": { body: "", file: "x" } } }]])(
    "refuses %j",
    options => expect(errorPages.options.safeParse(options).success).toBe(false),
  )
})
