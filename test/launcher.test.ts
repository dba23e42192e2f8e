import { beforeEach, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { startProgram, temporaryFolder } from "./support/processes.ts"
import { until } from "./support/wait.ts"

// bin/bothways in an installed tree of its own, with a main.ts that tells what it was started with.
const program = `
if (process.argv[2] === "wait") {
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"]) process.on(signal, () => console.log(signal))
  setInterval(() => {}, 1000)
}
console.log(JSON.stringify(process.argv.slice(2)))
if (process.argv[2] === "fail") process.exit(7)
`
const placeholder = 'echo "Error: Bun\'s postinstall script was not run." >&2\nexit 1\n'
const bun = realpathSync(process.execPath)
let tree = ""
let launcher = ""

function put(path: string, text: string, mode = 0o644): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

function link(path: string, target: string): string {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path)
  return path
}

function run(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" })
  return { status, stdout: stdout.trim(), stderr: stderr.trim() }
}

beforeEach(() => {
  const folder = temporaryFolder("launcher")
  tree = join(folder, "node_modules/bothways")
  put(join(tree, "src/main.ts"), program)
  launcher = put(join(tree, "bin/bothways"), "")
  copyFileSync(join(import.meta.dirname, "../bin/bothways"), launcher)
  chmodSync(launcher, 0o755)
})

describe("finds Bun", () => {
  test("where its postinstall put it", () => {
    link(join(tree, "node_modules/bun/bin/bun.exe"), bun)
    expect(run(launcher, "a", "b c", "").stdout).toBe('["a","b c",""]')
  })
  test("where npm put it, when no install script ran", () => {
    put(join(tree, "node_modules/bun/bin/bun.exe"), placeholder, 0o755)
    link(join(tree, "node_modules/@oven/bun-linux-x64/bin/bun"), bun)
    expect(run(launcher, "a")).toEqual({ status: 0, stdout: '["a"]', stderr: "" })
  })
  test("beside one that does not run on this machine", () => {
    put(join(tree, "node_modules/@oven/bun-linux-aarch64/bin/bun"), "\x7fELF not for us", 0o755)
    link(join(tree, "node_modules/@oven/bun-linux-x64/bin/bun"), bun)
    expect(run(launcher, "a").stdout).toBe('["a"]')
  })
  test("hoisted above the package", () => {
    link(join(tree, "../@oven/bun-linux-x64/bin/bun"), bun)
    expect(run(launcher, "a").stdout).toBe('["a"]')
  })
  test("or says in one line what to do", () => {
    const { status, stderr } = run(launcher)
    expect(status).toBe(127)
    expect(stderr).toMatch(/^bothways: Bun is not installed below .*; run `npm install[^\n]*$/)
  })
})

describe("stands aside", () => {
  beforeEach(() => void link(join(tree, "node_modules/@oven/bun-linux-x64/bin/bun"), bun))

  test("through links, as npm makes them, and under node", () => {
    const first = link(join(tree, "../.bin/bothways"), "../bothways/bin/bothways")
    const second = link(join(tree, "../../bothways"), first)
    expect(run(first, "a").stdout).toBe('["a"]')
    expect(run(second, "a").stdout).toBe('["a"]')
    expect(run("node", launcher, "a b").stdout).toBe('["a b"]')
  })
  test("exit status is the program's", () => {
    expect(run(launcher, "fail").status).toBe(7)
    expect(run("node", launcher, "fail").status).toBe(7)
  })
  test.each([[], ["node"]])("signals reach the program, and end us as they end it (%p)", async (...prefix: string[]) => {
    const [command, ...args] = [...prefix, launcher, "wait"]
    await using started = startProgram("launcher", command!, args)
    await until(() => started.lines.includes('["wait"]'))
    for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
      started.signal(signal)
      await until(() => started.lines.includes(signal), 3000, signal)
    }
    started.signal("SIGTERM")
    await started.exit()
    expect(started.exitSignal).toBe("SIGTERM")
  })
  test("no process stays in between", async () => {
    await using started = startProgram("launcher", launcher, ["wait"])
    await until(() => started.lines.length > 0)
    expect(realpathSync(`/proc/${started.pid}/exe`)).toBe(bun)
  })
})

describe("chooses what it runs", () => {
  const built = program.replace("JSON.stringify(", '"built " + JSON.stringify(')
  const age = (path: string, seconds: number): void => utimesSync(path, seconds, seconds)

  beforeEach(() => {
    link(join(tree, "node_modules/bun/bin/bun.exe"), bun)
    put(join(tree, "package.json"), "{}")
    put(join(tree, "dist/main.js"), built)
    for (const path of ["package.json", "src", "src/main.ts"]) age(join(tree, path), 1000)
  })

  test("what was built, while no source is newer", () => {
    expect(run(launcher, "run", "a.yaml").stdout).toBe('built ["run","a.yaml"]')
    age(join(tree, "src/main.ts"), Date.now() / 1000 + 10)
    expect(run(launcher, "run", "a.yaml").stdout).toBe('["run","a.yaml"]')
  })

  test("the sources, for a config that is a script, or has one in its folder", () => {
    expect(run(launcher, "run", "b.config.ts").stdout).toBe('["run","b.config.ts"]')
    const folder = join(tree, "conf.d")
    put(join(folder, "a.yaml"), "")
    expect(run(launcher, "run", folder).stdout).toStartWith("built ")
    put(join(folder, "b.ts"), "")
    expect(run(launcher, "run", folder).stdout).toStartWith("[")
  })
})
