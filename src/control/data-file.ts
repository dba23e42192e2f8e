import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"

/** Octets of a file that a filter reads. What is larger is refused before it is read. */
export const DATA_FILE_BYTES_MAX = 16 * 1024 * 1024

/** The text of a file that a filter names. Throws with words for an operator. */
export function readDataFile(path: string): string {
  const fd = open(path)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new Error(`${path} is ${stat.isDirectory() ? "a directory" : "no regular file"}`)
    if (stat.size > DATA_FILE_BYTES_MAX) throw new Error(`${path} has ${stat.size} octets; expected at most ${DATA_FILE_BYTES_MAX}`)
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
    const { code, message } = error as NodeJS.ErrnoException
    const reasons: Record<string, string> = { ENOENT: "there is no such file", EACCES: "no right to read it" }
    throw new Error(`${path}: ${reasons[code ?? ""] ?? message}`)
  }
}
