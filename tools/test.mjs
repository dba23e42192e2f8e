// Everything that must hold: types, lint and format, the import law, generated files, and every test. Ends with one line, `N passed, N failed`.
//   node tools/test.mjs            all of it
//   node tools/test.mjs PART…      only test files whose path contains one of the parts
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { findBun } from "./bun.mjs"
import { bringPackages } from "./test/packages.mjs"
import { inParallel, run } from "./test/run.mjs"

process.chdir(join(dirname(fileURLToPath(import.meta.url)), ".."))
const bun = findBun()
const parts = process.argv.slice(2)
const fileTimeoutMs = 120_000
// The gates take their time, alone, so that nothing else is measured.
const gateTimeoutMs = 300_000
const deadline = Date.now() + 14 * 60_000
const totals = { passed: 0, failed: 0 }
const again = []

const checks = [
  { name: "types", command: process.execPath, args: ["node_modules/typescript/bin/tsc", "-p", "."] },
  {
    name: "lint and format",
    command: process.execPath,
    args: ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "--max-diagnostics=50"],
  },
  { name: "import law and style", command: bun, args: ["tools/tidy.ts"] },
  {
    name: "dead files and dependencies",
    command: process.execPath,
    args: ["node_modules/knip/bin/knip.js", "--include", "files,dependencies,unresolved"],
  },
  { name: "generated files", command: bun, args: ["tools/gen.ts", "--check"] },
]

// The program as people run it is what the tests over sockets start.
const built = spawnSync(bun, ["tools/build.ts"], { stdio: "inherit" })
if (built.status === 0) process.env.BOTHWAYS_TEST_MAIN = join(process.cwd(), "dist/main.js")
else report("build", 0, 1, "tools/build.ts failed")

const missing = bringPackages()
if (missing.length > 0 && process.env.CI === "true") report("packages", 0, 1, `missing: ${missing.join(", ")}`)
const files = testFiles().filter(file => parts.length === 0 || parts.some(part => file.includes(part)))
if (parts.length === 0)
  await inParallel(
    checks.map(check => () => runCheck(check)),
    2,
  )
const alone = files.filter(file => file.startsWith("bench/"))
const together = files.filter(file => !file.startsWith("bench/"))
// One process a file: a crash or a hang costs that file and hides no other.
await inParallel(
  together.map(file => () => runFile(file)),
  Math.min(availableParallelism() + 1, 4),
)
await inParallel(
  alone.map(file => () => runFile(file)),
  1,
)
// What failed beside others gets a second run by itself, which counts. Both are shown: a test that needs a quiet machine is a test to mend.
for (const first of again) {
  console.log(`again, alone: ${first.file}`)
  await runFile(first.file, true)
  totals.failed -= first.failed
  totals.passed -= first.passed
}
if (again.length > 0) console.log(`ran twice: ${again.map(first => first.file).join(", ")}`)
if (totals.passed + totals.failed === 0) report("tests", 0, 1, "no test ran")
console.log(`${totals.passed} passed, ${totals.failed} failed`)
process.exit(totals.failed === 0 ? 0 : 1)

function testFiles() {
  const found = []
  for (const folder of ["src", "test", "tools", "bench"]) {
    for (const path of readdirSync(folder, { recursive: true })) if (/\.(?:test|wire)\.ts$/.test(path)) found.push(`${folder}/${path}`)
  }
  return found.sort()
}

async function runCheck({ name, command, args }) {
  const { code, output, seconds } = await run(command, args, { timeoutMs: fileTimeoutMs })
  report(name, code === 0 ? 1 : 0, code === 0 ? 0 : 1, output, seconds)
}

async function runFile(file, second = false) {
  const timeoutMs = Math.min(file.startsWith("bench/") ? gateTimeoutMs : fileTimeoutMs, deadline - Date.now())
  if (timeoutMs <= 0) return report(file, 0, 1, "no time left to run it")
  // Whatever a test leaves behind, a crash included, goes with its folder.
  const folder = mkdtempSync(join(tmpdir(), "bw-"))
  chmodSync(folder, 0o755)
  const { code, output, seconds, late } = await run(bun, ["test", "--timeout", "20000", `./${file}`], { timeoutMs, env: { TMPDIR: folder } })
  rmSync(folder, { recursive: true, force: true })
  const passed = count(output, /^ *(\d+) pass$/gm)
  // A test that is skipped, or left for later, holds nothing.
  const failed = count(output, /^ *(\d+) (?:fail|skip|todo)$/gm)
  // A file that breaks outside its tests, or has none, failed too.
  const broken = failed === 0 && (code !== 0 || passed === 0) ? 1 : 0
  const why = late ? `\ntimed out after ${seconds} s` : broken > 0 ? `\nended with ${code}` : ""
  if (failed + broken > 0 && !second) again.push({ file, passed, failed: failed + broken })
  report(file, passed, failed + broken, output + why, seconds)
}

function count(output, pattern) {
  let sum = 0
  for (const match of output.matchAll(pattern)) sum += Number(match[1])
  return sum
}

function report(name, passed, failed, output, seconds = 0) {
  totals.passed += passed
  totals.failed += failed
  console.log(`${failed === 0 ? "ok  " : "FAIL"} ${name}: ${passed} passed${failed > 0 ? `, ${failed} failed` : ""} (${seconds.toFixed(1)} s)`)
  if (failed > 0) console.log(trimmed(output))
}

/** What failed, without the list of what passed. */
function trimmed(output) {
  const lines = output.split("\n").filter(line => !line.startsWith("(pass) "))
  return lines
    .slice(-150)
    .map(line => `     ${line}`)
    .join("\n")
}
