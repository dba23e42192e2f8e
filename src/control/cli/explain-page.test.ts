import { expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "./program.ts"

// docs/explain.md shows what the program really says.
const page = readFileSync(join(import.meta.dirname, "../../../docs/explain.md"), "utf8")
const config = /^```yaml\n(.*?)^```/ms.exec(page)![1]!
const session = /^```console\n(.*?)^```/ms.exec(page)![1]!

test("the example of the page is what comes out", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bothways-page-"))
  writeFileSync(join(directory, "site.yaml"), config)
  const [command = "", ...lines] = session.split("\n")
  const args = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!)
  expect(args.slice(0, 4)).toEqual(["$", "bothways", "explain", "site.yaml"])
  let out = ""
  const terminal = { out: { write: (text: string) => void (out += text) }, err: { write() {} }, env: {} }
  const code = await main(["explain", join(directory, "site.yaml"), ...args.slice(4)], terminal)
  rmSync(directory, { recursive: true })
  expect(code).toBe(0)
  expect(out).toBe(lines.join("\n"))
})
