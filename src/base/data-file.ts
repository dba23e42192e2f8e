import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"

/** Octets of a file that the config names: passwords, certificates. What is larger is refused before it is read. */
export const DATA_FILE_BYTES_MAX = 16 * 1024 * 1024

/** A file that cannot be used; the message is for the operator. */
export class FileError extends Error {
  override name = "FileError"

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`)
  }
}

/** The text of a file that the config names. Throws FileError. */
export function readDataFile(path: string): string {
  const fd = open(path)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new FileError(path, stat.isDirectory() ? "it is a directory, not a file" : "it is no regular file")
    if (stat.size > DATA_FILE_BYTES_MAX) throw new FileError(path, `it has ${stat.size} octets; expected at most ${DATA_FILE_BYTES_MAX}`)
    return readFileSync(fd, "utf8")
  } finally {
    closeSync(fd)
  }
}

// Without O_NONBLOCK a named pipe that nobody writes to would hold the thread.
const flags = constants.O_RDONLY | constants.O_NONBLOCK

function open(path: string): number {
  try {
    return openSync(path, flags)
  } catch (error) {
    throw new FileError(path, fileTrouble(error))
  }
}

const sentences: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "no right to read it",
}

/** Why the system did not let a file be read, to stand behind its name. */
export function fileTrouble(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return sentences[code ?? ""] ?? `it cannot be read: ${message}`
}
