import { statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { freePort } from "./ports.ts"
import { type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"

const root = join(import.meta.dirname, "..", "..")

export interface BothwaysOptions {
  /** Worker threads, unless the config says; one by default, so that tests see one state. */
  readonly workers?: number
  /** More of the command line. */
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
}

/** One line of the access log. */
export type LogLine = Readonly<Record<string, unknown>>

/** The program under test, running. */
export class Bothways implements AsyncDisposable {
  readonly program: Program
  readonly configFile: string
  readonly admin: string

  constructor(program: Program, configFile: string, admin: string) {
    this.program = program
    this.configFile = configFile
    this.admin = admin
  }

  get pid(): number {
    return this.program.pid
  }

  /** The access log so far: the lines of standard output that are JSON objects. */
  log(): LogLine[] {
    return this.program.lines.filter(line => line.startsWith("{")).map(line => JSON.parse(line) as LogLine)
  }

  /** Asks the admin API. */
  ask(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.admin + path, init)
  }

  /** Replaces the config file; signal SIGHUP, or wait for the watch, to have it taken. */
  rewrite(config: string | object): void {
    writeFileSync(this.configFile, typeof config === "string" ? config : JSON.stringify(config, null, 2))
  }

  /** Ends it and gives the exit code. */
  stop(): Promise<number | null> {
    return this.program.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => {})
  }
}

/** Runs the program with a config, as YAML text or as the model. Adds what tests need when the config leaves it open: an admin address and the number of workers. */
export async function startBothways(config: string | object, options: BothwaysOptions = {}): Promise<Bothways> {
  const model = (typeof config === "string" ? parse(config) : structuredClone(config)) as { admin?: { bind: string }; workers?: number }
  model.admin ??= { bind: `127.0.0.1:${await freePort()}` }
  model.workers ??= options.workers ?? 1
  const file = join(temporaryFolder("config"), "bothways.yaml")
  writeFileSync(file, JSON.stringify(model, null, 2))
  const program = startProgram("bothways", process.execPath, [mainFor([]), "run", file, ...(options.args ?? [])], options.env && { env: options.env })
  const admin = `http://${model.admin.bind}`
  await untilReady(program, () => isReady(admin))
  return new Bothways(program, file, admin)
}

/** The program as it is installed, where `npm test` has built it; a config that is a script imports the sources, of which there must be no second copy. */
export function mainFor(args: readonly string[]): string {
  const built = process.env["BOTHWAYS_TEST_MAIN"] ?? ""
  const isScript = args.some(arg => /\.[cm]?[jt]s$/.test(arg) || statSync(arg, { throwIfNoEntry: false })?.isDirectory() === true)
  return built === "" || isScript ? join(root, "src/main.ts") : built
}

/** Runs one command of the program to its end. */
export async function runBothways(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = startProgram("bothways", process.execPath, [mainFor(args), ...args])
  const code = await program.exit()
  return { code, stdout: program.lines.join("\n"), stderr: program.stderr }
}

async function isReady(admin: string): Promise<boolean> {
  try {
    return (await fetch(`${admin}/readyz`)).status === 200
  } catch {
    return false
  }
}
