import { describe, expect, test } from "bun:test"
import { check } from "./tidy/check.ts"
import { functionBodies } from "./tidy/functions.ts"
import { rooms } from "./tidy/rooms.ts"
import { readSource } from "./tidy/source.ts"

/** Rules broken by a tree of these files, as "path:line rule"; the rooms' READMEs are there unless the case is about them. */
function broken(tree: Record<string, string>, hosts: string[] = []): string[] {
  const files = new Map<string, string>()
  for (const [room, { invariant }] of Object.entries(rooms)) files.set(`src/${room}/README.md`, `# ${room}: ${invariant}\n`)
  for (const [path, text] of Object.entries(tree)) files.set(path, text)
  return check(files, hosts).map(f => `${f.path}:${f.line} ${f.rule}`)
}

const hot = (body: string): string => `// HOT\nexport function step(x: number[]): number {\n${body}\n  return 0\n}\n`
const numbered = (lines: number): string => "  x++\n".repeat(lines)

describe("import law", () => {
  const index = { "src/base/index.ts": 'export { a } from "./a.ts"\n', "src/base/a.ts": "export const a = 1\n" }

  test("a lower room through its index is fine", () => {
    expect(broken({ ...index, "src/http/x.ts": 'import { a } from "../base/index.ts"\nexport const x = a\n' })).toEqual([])
  })
  test("up, sideways and past the index are not", () => {
    expect(broken({ "src/base/b.ts": '\nimport type { X } from "../http/index.ts"\n' })).toEqual(["src/base/b.ts:2 floor"])
    expect(broken({ "src/cache/b.ts": 'import { x } from "../filter/index.ts"\n' })).toEqual(["src/cache/b.ts:1 floor"])
    expect(broken({ ...index, "src/http/x.ts": 'import { a } from "../base/a.ts"\n' })).toEqual(["src/http/x.ts:1 index-only"])
    expect(broken({ "src/http/x.ts": 'const a = await import("../base/a.ts")\n' })).toEqual(["src/http/x.ts:1 index-only"])
    expect(broken({ "src/main.ts": 'import { run } from "./control/run.ts"\n' })).toEqual(["src/main.ts:1 index-only"])
    expect(broken({ "src/flow/x.ts": 'import "../main.ts"\n' })).toEqual(["src/flow/x.ts:1 floor"])
    expect(broken({ "src/flow/x.ts": 'import { y } from "../../tools/y.ts"\n' })).toEqual(["src/flow/x.ts:1 floor"])
    expect(broken({ "src/oddroom/x.ts": 'import { a } from "../base/index.ts"\n' })).toEqual(["src/oddroom/x.ts:1 floor"])
  })
  test("the generated index names feature folders, on lower floors", () => {
    expect(broken({ "src/config/features.gen.ts": 'import a from "../filter/a/a.ts"\n' })).toEqual([])
    expect(broken({ "src/plugin/features.gen.ts": 'import a from "../filter/a/a.ts"\n' })).toEqual(["src/plugin/features.gen.ts:1 floor"])
  })
  test("a commented or quoted import is none", () => {
    expect(broken({ "src/base/b.ts": '// import "../http/index.ts"\nexport const s = `import "../http/index.ts"`\n' })).toEqual([])
  })
  test("no barrel but a room's index", () => {
    expect(broken({ "src/http/h1/index.ts": "export const a = 1\n" })).toEqual(["src/http/h1/index.ts:1 barrel"])
    expect(broken({ "src/http/b.ts": 'export * from "./c.ts"\n' })).toEqual(["src/http/b.ts:1 barrel"])
  })
  test("no cycle at run time; types may refer to each other", () => {
    const a = { "src/base/a.ts": 'import { b } from "./b.ts"\nexport const a = b\n' }
    expect(broken({ ...a, "src/base/b.ts": 'import { a } from "./a.ts"\nexport const b = a\n' })).toEqual(["src/base/a.ts:1 cycle"])
    expect(broken({ ...a, "src/base/b.ts": 'import type { a } from "./a.ts"\nexport const b = 1\n' })).toEqual([])
  })
})

describe("hot files", () => {
  test.each([
    ["closure", "  const f = (y: number) => y"],
    ["closure", "  const f = function () {}"],
    ["closure", "  const o = { f() { return 1 } }"],
    ["spread", "  Math.max(...x)"],
    ["spread", "  const y = [...x]"],
    ["map", "  x.map(Number)"],
    ["map", "  x.forEach(Number)"],
    ["throw", '  throw new Error("x")'],
  ])("%s: %s", (rule, body) => {
    expect(broken({ "src/flow/x.ts": hot(body) })).toContain(`src/flow/x.ts:3 ${rule}`)
    expect(broken({ "src/flow/x.ts": hot(body).replace("// HOT\n", "// cold\n") })).toEqual([])
  })
  test("async, anywhere", () => {
    expect(broken({ "src/flow/x.ts": "// HOT\nexport async function f(): Promise<void> {}\n" })).toEqual(["src/flow/x.ts:2 async"])
  })
  test("what runs at load is free to map", () => {
    expect(broken({ "src/flow/x.ts": "// HOT\nconst ids = [1, 2].map(n => n + 1)\nexport const all = [...ids]\n" })).toEqual([])
  })
  test("words in comments, strings, templates and patterns do not count", () => {
    expect(broken({ "src/flow/x.ts": hot('  // throw =>\n  const s = "=> throw" + `...${x.length} await` + /async=>/.source') })).toEqual([])
  })
  test("an allowance needs a reason and something to allow", () => {
    expect(broken({ "src/flow/x.ts": hot("  // allow(throw): cannot be reached\n  throw x") })).toEqual([])
    expect(broken({ "src/flow/x.ts": hot("  throw x // allow(throw): cannot be reached") })).toEqual([])
    expect(
      broken({ "src/flow/x.ts": hot("  if (x) {\n    throw x\n  }").replace("\nexport", "\n// allow(throw): runs once, at load\nexport") }),
    ).toEqual([])
    expect(broken({ "src/flow/x.ts": hot("  throw x // allow(throw)") })).toEqual(["src/flow/x.ts:3 allow"])
    expect(broken({ "src/flow/x.ts": hot("  x.pop() // allow(throw): no need") })).toEqual(["src/flow/x.ts:3 allow"])
  })
})

describe("sizes and names", () => {
  test("functions", () => {
    expect(broken({ "src/base/x.ts": `export function f(x: number): void {\n${numbered(58)}}\n` })).toEqual([])
    expect(broken({ "src/base/x.ts": `export function f(x: number): void {\n${numbered(59)}}\n` })).toEqual(["src/base/x.ts:1 function-lines"])
    expect(broken({ "src/base/x.test.ts": `test("", () => {\n${numbered(80)}})\n` })).toEqual([])
  })
  test("files", () => {
    expect(broken({ "src/base/x.ts": "x++\n".repeat(400) })).toEqual([])
    expect(broken({ "src/base/x.ts": "x++\n".repeat(401) })).toEqual(["src/base/x.ts:1 file-lines"])
    expect(broken({ "src/base/x.ts": `// allow(file-lines): a table\n${"x++\n".repeat(400)}` })).toEqual([])
  })
  test.each(["src/base/Foo.ts", "src/base/foo_bar.ts", "src/base/http-utils.ts", "test/support/helpers.ts", "src/base/types/x.ts"])("%s", path => {
    expect(broken({ [path]: "" })).toEqual([`${path}:1 name`])
  })
  test("function bodies are told from other blocks", () => {
    const bodies = (text: string): number => functionBodies(readSource("x.ts", text)).length
    expect(bodies("if (a) { b() } else { c() }\nfor (const x of y) { }\nswitch (f(x)) { case g(1): { } }\ntry { } catch (e) { }\n")).toBe(0)
    expect(bodies("class A extends B {\n  m(a = {}): Map<string, [a: number]> { }\n  get x() { return 1 }\n}\n")).toBe(2)
    expect(bodies("const f = () => { }\nfunction g(): { a: number } { return { a: 1 } }\ninterface I { m(): void }\n")).toBe(2)
    expect(bodies("const a = x ? f(1) : { b: 2 }\nconst o = { k: [1] }\nconst s = `${a} { ${`{`}`\n")).toBe(0)
  })
})

describe("the rest", () => {
  test("Bun's sockets only in net", () => {
    const text = 'import { dlopen } from "bun:ffi"\nBun.listen({})\n'
    expect(broken({ "src/upstream/x.ts": text })).toEqual(["src/upstream/x.ts:2 bun-socket", "src/upstream/x.ts:1 bun-socket"])
    expect(broken({ "src/net/x.ts": text })).toEqual([])
  })
  test("RegExp gets literals only", () => {
    expect(broken({ "src/route/x.ts": "new RegExp(pattern)\n" })).toEqual(["src/route/x.ts:1 regexp"])
    expect(broken({ "src/route/x.ts": "RegExp(`a${b}`)\n" })).toEqual(["src/route/x.ts:1 regexp"])
    expect(broken({ "src/route/x.ts": 'new RegExp("a" + b)\n' })).toEqual(["src/route/x.ts:1 regexp"])
    expect(broken({ "src/route/x.ts": 'new RegExp("a+", "g")\nnew RegExp(/a/g)\n' })).toEqual([])
  })
  test("the Exchange is small and every field has its room", () => {
    const field = (n: number): string => `  f${n} = 0 // flow\n`
    const fields = (n: number): string => Array.from({ length: n }, (_, i) => field(i)).join("")
    expect(broken({ "src/flow/exchange.ts": `export class Exchange {\n${fields(60)}}\n` })).toEqual([])
    expect(broken({ "src/flow/exchange.ts": `export class Exchange {\n${fields(61)}}\n` })).toEqual(["src/flow/exchange.ts:62 exchange-fields"])
    expect(broken({ "src/flow/exchange.ts": "export class Exchange {\n  a = 0 // flow\n  b: X = no\n}\n" })).toEqual([
      "src/flow/exchange.ts:3 exchange-fields",
    ])
  })
  test("a room's README begins with its invariant and is short", () => {
    expect(broken({ "src/base/README.md": "# base\n\nNo I/O, no HTTP words.\n" })).toEqual([])
    expect(broken({ "src/base/README.md": "# base\n\nThe ground.\n\nNo I/O, no HTTP words.\n" })).toEqual(["src/base/README.md:1 readme"])
    expect(broken({ "src/base/README.md": `# base: ${rooms.base!.invariant}\n${"line\n".repeat(39)}` })).toEqual(["src/base/README.md:40 readme"])
  })
  test("a feature has a README and tests", () => {
    const feature = { "src/filter/acl/acl.ts": "export default 1\n" }
    expect(broken(feature)).toEqual(["src/filter/acl/acl.ts:1 feature", "src/filter/acl/acl.ts:1 feature"])
    expect(broken({ ...feature, "src/filter/acl/README.md": "# acl\n", "src/filter/acl/acl.test.ts": "" })).toEqual([])
  })
  test("nothing of the machine that built it", () => {
    expect(broken({ "docs/x.md": `\nsee ${"/wo"}rk/main/x\n` })).toEqual(["docs/x.md:2 leak"])
    expect(broken({ "package-lock.json": '{ "resolved": "https://x.test/a.tgz" }' })).toEqual(["package-lock.json:1 leak"])
    expect(broken({ ".npmrc": "registry=https://mirror.test/\n" }, ["mirror.test"])).toEqual([".npmrc:1 leak"])
  })
})
