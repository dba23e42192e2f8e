import { describe, expect, test } from "bun:test"
import { execFileSync, spawn } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const file = join(import.meta.dir, "stdout.ts")

/** A program that writes `lines` lines to its stdout from each of `threads` threads and reports on stderr what was dropped. */
function program(threads: number, lines: number, closeMs: number): string {
  const thread = `
    const { createStdoutSink } = await import(${JSON.stringify(file)})
    const sink = createStdoutSink(undefined, { closeMs: ${closeMs} })
    for (let i = 0; i < ${lines}; i++) { sink.write("x".repeat(99) + "\\n"); if (i % 100 === 0) await new Promise(setImmediate) }
    await sink.close()
    process.stderr.write("dropped " + sink.dropped() + "\\n")`
  if (threads === 1) return thread
  const started = `new Worker(${JSON.stringify(`(async () => {${thread}})()`)}, { eval: true })`
  return `import { Worker } from "node:worker_threads"; for (let i = 0; i < ${threads}; i++) ${started}`
}

/** A pipe of the system; the runtime's own "pipe" is a socket pair. Its reader is this test. */
class Pipe {
  private readonly folder = mkdtempSync(join(tmpdir(), "bothways-pipe-"))
  private readonly path = join(this.folder, "pipe")
  readonly reader: number
  readonly writer: number
  private isRead = true

  constructor() {
    execFileSync("sh", ["-c", 'mkfifo "$0"', this.path])
    this.reader = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.writer = openSync(this.path, constants.O_WRONLY)
  }

  closeReader(): void {
    if (this.isRead) closeSync(this.reader)
    this.isRead = false
  }

  /** Everything until the last writer has closed. */
  async readAll(): Promise<string> {
    closeSync(this.writer)
    const chunk = Buffer.alloc(16 * 1024)
    let text = ""
    for (;;) {
      try {
        const read = readSync(this.reader, chunk)
        if (read === 0) return text
        text += chunk.toString("latin1", 0, read)
      } catch {
        await Bun.sleep(2)
      }
    }
  }

  remove(): void {
    this.closeReader()
    rmSync(this.folder, { recursive: true })
  }
}

/** `closeMs`: how long the program's sink waits for its reader at the end. */
function start(threads: number, lines: number, stdout: number | "pipe", closeMs = 10_000) {
  const child = spawn(process.execPath, ["-e", program(threads, lines, closeMs)], { stdio: ["ignore", stdout, "pipe"] })
  let errors = ""
  child.stderr!.on("data", chunk => (errors += chunk))
  const ended = new Promise<string>(resolve => child.once("close", code => resolve(`${errors}exit ${code}`)))
  return { child, ended }
}

function expectWhole(text: string, count: number): void {
  const lines = text.split("\n")
  expect(lines.pop()).toBe("")
  expect(lines).toHaveLength(count)
  expect(lines.every(line => line.length === 99)).toBe(true)
}

describe("stdout sink", () => {
  test("lines of several threads come whole through a pipe whose reader is slow", async () => {
    const pipe = new Pipe()
    const { ended } = start(2, 3000, pipe.writer)
    await Bun.sleep(300)
    expectWhole(await pipe.readAll(), 6000)
    expect(await ended).toBe("dropped 0\ndropped 0\nexit 0")
    pipe.remove()
  })

  test("a reader that never reads costs lines, not the process, and close gives up", async () => {
    const pipe = new Pipe()
    const { ended } = start(1, 2000, pipe.writer, 300)
    // 64 KB fit into a pipe, 655 lines; batches of 40 lines
    expect(await ended).toBe("dropped 1360\nexit 0")
    expectWhole(await pipe.readAll(), 640)
    pipe.remove()
  })

  test("a reader that went away is a warning", async () => {
    const pipe = new Pipe()
    pipe.closeReader()
    const { ended } = start(1, 2000, pipe.writer, 300)
    const said = await ended
    expect(said).toContain("the access log cannot be written")
    expect(said).toContain("dropped 2000\nexit 0")
    pipe.remove()
  })

  test("a socket as stdout gets every line", async () => {
    const { child, ended } = start(2, 2000, "pipe")
    let text = ""
    child.stdout!.on("data", chunk => (text += chunk))
    expect(await ended).toBe("dropped 0\ndropped 0\nexit 0")
    expectWhole(text, 4000)
  })

  test("a file as stdout gets every line", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bothways-log-"))
    const path = join(folder, "out")
    const { ended } = start(2, 2000, openSync(path, "a"))
    expect(await ended).toBe("dropped 0\ndropped 0\nexit 0")
    expectWhole(readFileSync(path, "latin1"), 4000)
    rmSync(folder, { recursive: true })
  })
})
