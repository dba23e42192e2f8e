import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { killTree } from "./process-tree.ts"
import { pause, until } from "./wait.ts"

const running = new Set<ChildProcess>()
const folders = new Set<string>()

/** Ends what still runs and removes what was made. `bun test` has no exit event: the preload in bunfig.toml calls this after the last test. */
export function cleanUp(): void {
  for (const child of running) if (child.pid !== undefined) killTree(child.pid, process.pid)
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  folders.clear()
}
process.on("exit", cleanUp)

/** A program that a test started: its output, and a way to end it. Nothing outlives the test run. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess
  readonly name: string
  /** Lines of standard output so far. */
  readonly lines: string[] = []
  stderr = ""
  exitCode: number | null = null
  exitSignal: NodeJS.Signals | null = null
  private readonly exited: Promise<void>

  constructor(name: string, child: ChildProcess) {
    this.name = name
    this.child = child
    running.add(child)
    let partial = ""
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const parts = (partial + text).split("\n")
      partial = parts.pop()!
      this.lines.push(...parts)
    })
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
    })
    this.exited = new Promise<void>(resolve => {
      child.once("error", error => {
        this.stderr += error.message
        this.exitCode = 127
        resolve()
      })
      child.once("close", (code, signal) => {
        this.exitCode = code
        this.exitSignal = signal
        resolve()
      })
    }).then(() => void running.delete(child))
  }

  get pid(): number {
    return this.child.pid!
  }

  get hasExited(): boolean {
    return this.exitCode !== null || this.exitSignal !== null
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Waits for its end and gives the exit code, or null when a signal ended it. */
  async exit(): Promise<number | null> {
    await this.exited
    return this.exitCode
  }

  /** Ends it: asks, and after `patienceMs` insists. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 3000): Promise<number | null> {
    if (!this.hasExited) this.child.kill(signal)
    await Promise.race([this.exited, pause(graceMs)])
    if (!this.hasExited) killTree(this.pid, process.pid)
    return this.exit()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => {})
  }

  /** The last of what it said, for error messages. */
  tail(): string {
    return `${this.name} said:\n${this.stderr.slice(-2000)}${this.lines.slice(-10).join("\n")}`
  }
}

export interface StartOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
}

export function startProgram(name: string, command: string, args: readonly string[], options: StartOptions = {}): Program {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd: options.cwd, env: { ...process.env, ...options.env } })
  return new Program(name, child)
}

/** Waits until `ready`; fails at once when the program ends before, and always with what it said. */
export async function untilReady(program: Program, ready: () => Promise<boolean>, ms = 10_000): Promise<void> {
  try {
    await until(async () => program.hasExited || (await ready()), ms, `the start of ${program.name}`)
  } catch (error) {
    if (!program.hasExited) killTree(program.pid, process.pid)
    await program.exit()
    throw new Error(`${(error as Error).message}; ${program.tail()}`)
  }
  if (program.hasExited) throw new Error(`${program.name} ended with ${program.exitCode ?? program.exitSignal} while starting; ${program.tail()}`)
}

export function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => resolve(true))
    socket.once("error", () => resolve(false))
  }).then(result => result as boolean)
}

/** A folder of its own for one test run, readable by services that give up root; gone when the process ends. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `bothways-${name}-`))
  folders.add(folder)
  return folder
}
