import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import type { Readable } from "node:stream"
import { createGunzip } from "node:zlib"
import { fileTrouble } from "../../../../base/index.ts"
import { UsageError } from "../../usage-error.ts"

/** Octets of one line; a longer one is skipped and counts as one that cannot be read. Values of the log's own formats are cut far below. */
export const LINE_BYTES_MAX = 256 * 1024

/** Standard input. */
export const STDIN = "-"

/** Stands for a line that is too long. */
const TOO_LONG = "\0"

/** The file broke off, or cannot be read any further. */
export class LogFileError extends Error {
  override name = "LogFileError"
}

/** Whether the file can be read, and unpacked if it must be. Throws UsageError. */
export async function checkReadable(path: string): Promise<void> {
  if (path === STDIN) return
  try {
    const file = await open(path, "r")
    const stat = await file.stat()
    await file.close()
    if (stat.isDirectory()) throw new UsageError(`--from: ${path}: it is a directory, not a file`)
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`--from: ${path}: ${fileTrouble(error)}`)
  }
}

/**
 * Calls `line` for each line of the file, one character an octet; gzip is unpacked, whatever the file's name. `line` answers false to stop. At most a chunk and a
 * line are in memory.
 */
export async function readLines(path: string, line: (text: string) => boolean): Promise<void> {
  const stream: Readable = path === STDIN ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 })
  const splitter = new LineSplitter(line)
  try {
    for await (const chunk of unpacked(stream)) if (!splitter.take(chunk as Buffer)) return
    splitter.end()
  } catch (error) {
    throw new LogFileError(`${path}: ${troubleOf(error)}`)
  } finally {
    stream.destroy()
  }
}

function troubleOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return String(code).startsWith("Z_") || String(code).startsWith("ERR_ZLIB") ? `the gzip data are broken: ${message}` : fileTrouble(error)
}

/** The stream itself, or what is packed in it (RFC 1952 section 2.3.1: gzip begins with 1f 8b). */
async function* unpacked(stream: Readable): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  while (head.length < 2) {
    const next = await chunks.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value as Buffer])
  }
  const all = strung(head, chunks)
  if (head[0] === 0x1f && head[1] === 0x8b) yield* gunzipped(all)
  else yield* all
}

async function* strung(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

async function* gunzipped(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip()
  const feeding = feed(chunks, gunzip)
  // what it failed with comes out of the loop below, too
  feeding.catch(error => gunzip.destroy(error as Error))
  for await (const chunk of gunzip) yield chunk as Buffer
  await feeding
}

async function feed(chunks: AsyncGenerator<Buffer>, into: ReturnType<typeof createGunzip>): Promise<void> {
  for await (const chunk of chunks) {
    if (into.destroyed) return
    if (!into.write(chunk)) await new Promise<void>(resolve => into.once("drain", resolve).once("close", resolve))
  }
  into.end()
}

class LineSplitter {
  private readonly line: (text: string) => boolean
  private rest = ""
  private skipping = false

  constructor(line: (text: string) => boolean) {
    this.line = line
  }

  /** False = no more, please. */
  take(chunk: Buffer): boolean {
    const text = this.rest + chunk.latin1Slice()
    let from = 0
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      if (!this.tell(text.slice(from, end))) return false
      from = end + 1
    }
    this.rest = text.slice(from)
    if (this.rest.length > LINE_BYTES_MAX) {
      this.skipping = true
      this.rest = ""
    }
    return true
  }

  end(): void {
    if (this.rest !== "" || this.skipping) this.tell(this.rest)
  }

  private tell(text: string): boolean {
    const isTooLong = this.skipping || text.length > LINE_BYTES_MAX
    this.skipping = false
    if (isTooLong) return this.line(TOO_LONG)
    const line = text.endsWith("\r") ? text.slice(0, -1) : text
    return line === "" || this.line(line)
  }
}
