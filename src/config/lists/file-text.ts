import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs"
import { FileError, fileTrouble } from "../../base/index.ts"

const PIECE_BYTES = 128 * 1024
// Without O_NONBLOCK a named pipe that nobody writes to would hold the thread.
const flags = constants.O_RDONLY | constants.O_NONBLOCK

/** A file that is still being written: it is as good as unread. */
export class ChangedFileError extends FileError {
  override name = "ChangedFileError"

  constructor(path: string) {
    super(path, "it changed while it was read")
  }
}

/** What is known of a file that was read to its end. */
export interface ReadFile {
  readonly bytes: number
  /** When it was written, milliseconds since 1970 UTC. */
  readonly writtenAt: number
}

/**
 * Gives `take` the text of a file, piece by piece, with a stop behind each. Throws FileError where it is no regular file, larger than `bytesMax`, no text,
 * or changes while it is read.
 */
export function* readText(path: string, bytesMax: number, take: (text: string) => void): Generator<void, ReadFile> {
  const fd = open(path)
  try {
    const stat = fstatSync(fd)
    const trouble = sizeTrouble(stat, bytesMax)
    if (trouble !== "") throw new FileError(path, trouble)
    const decoder = new TextDecoder("utf-8")
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    let bytes = 0
    for (;;) {
      const length = readSync(fd, piece, 0, PIECE_BYTES, bytes)
      bytes += length
      const read = piece.subarray(0, length)
      if (read.includes(0)) throw new FileError(path, "it is no text: there is an octet 0 in it")
      if (bytes > bytesMax) throw new FileError(path, `it has more than ${bytesMax} octets`)
      take(decoder.decode(read, { stream: length > 0 }))
      if (length === 0) break
      yield
    }
    if (isAnother(stat, fstatSync(fd))) throw new ChangedFileError(path)
    return { bytes, writtenAt: stat.mtimeMs }
  } finally {
    closeSync(fd)
  }
}

/** What the file system says against reading a file, "" = nothing. */
export function fileState(path: string, bytesMax: number): string {
  let fd: number
  try {
    fd = open(path)
  } catch (error) {
    return (error as Error).message
  }
  try {
    const trouble = sizeTrouble(fstatSync(fd), bytesMax)
    return trouble === "" ? "" : `${path}: ${trouble}`
  } finally {
    closeSync(fd)
  }
}

function sizeTrouble(stat: Stats, bytesMax: number): string {
  if (!stat.isFile()) return stat.isDirectory() ? "it is a directory, not a file" : "it is no regular file"
  return stat.size > bytesMax ? `it has ${stat.size} octets; bytesMax is ${bytesMax}` : ""
}

function isAnother(before: Stats, after: Stats): boolean {
  return before.size !== after.size || before.mtimeMs !== after.mtimeMs
}

function open(path: string): number {
  try {
    return openSync(path, flags)
  } catch (error) {
    throw new FileError(path, fileTrouble(error))
  }
}
