import { afterAll, describe, expect, test } from "bun:test"
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { formatProblems } from "./format-problems.ts"
import { loadConfig } from "./load.ts"

const examples = join(import.meta.dirname, "../../examples")
const folder = mkdtempSync(join(tmpdir(), "bothways-examples-"))
cpSync(examples, folder, { recursive: true })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const configs = readdirSync(examples).filter(name => /\.(?:yaml|json|config\.ts)$/.test(name) || name.endsWith(".d"))

// The two ends of one thing have their files from one of them.
for (const name of configs.filter(one => one.endsWith(".yaml")).sort())
  for (const command of commandsIn(join(folder, name))) execFileSync("bash", ["-c", command], { cwd: folder, stdio: "ignore" })

describe("examples", () => {
  test("are there", () =>
    expect(configs).toEqual(
      expect.arrayContaining(["both.yaml", "cache.yaml", "forward.yaml", "reverse.yaml", "tls.yaml", "conf.d", "bothways.config.ts"]),
    ))

  test.each(configs)("%s loads without a word", async name => {
    // A script imports the proxy by its place in the repository; everything else is loaded from a copy, where commands may make files.
    const file = join(name.endsWith(".ts") ? examples : folder, name)
    const result = await loadConfig(file)
    expect(formatProblems(result.ok ? result.warnings : result.problems)).toBe("")
    expect(result.ok).toBe(true)
  })
})

/** Commands that the example tells its reader to run first. */
function commandsIn(file: string): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(line => /^# {3}(?:openssl|printf|cut) /.test(line))
    .map(line => line.slice(1))
}
