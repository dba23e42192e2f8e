import { closeSync, constants, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs"
import { dirname } from "node:path"

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL

/** Puts a file in place as a whole: whoever reads sees the old one or the new one. Its folder is for us alone, and so is the file. */
export function writePrivate(path: string, content: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const next = `${path}.${process.pid}.new`
  rmSync(next, { force: true })
  const fd = openSync(next, CREATE, mode)
  try {
    writeSync(fd, content)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(next, path)
}
