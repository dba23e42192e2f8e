import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs"

export interface FileFacts {
  readonly size: number
  readonly ino: number
  readonly dev: number
  readonly folder: boolean
  /** Neither a folder nor a link, nor anything else. */
  readonly plain: boolean
}

/** What the keeper does with files. It may wait for the disk: it has a thread to itself. A test puts a disk that fails behind it. */
export interface KeeperFiles {
  mkdir(path: string): void
  chmod(path: string, mode: number): void
  /** null = there is none. */
  stat(path: string): FileFacts | null
  /** Names in a folder; none when there is no folder. */
  list(folder: string): string[]
  rename(from: string, to: string): void
  /** Also when there is none; a folder in the place of a file goes with all that is in it. */
  unlink(path: string): void
  /** Frees the room of a file that somebody may still have open. */
  empty(path: string): void
  /** Octets from `at` on, fewer at the end of the file. */
  read(path: string, at: number, length: number): Buffer
  /** Into a file that is there. */
  writeAt(path: string, octets: Uint8Array, at: number): void
  /** Behind what is there, in a file that this makes. */
  append(path: string, octets: Uint8Array): void
  text(path: string): string
  close(fd: number): void
}

const noFollow = constants.O_NOFOLLOW ?? 0

export const keeperFiles: KeeperFiles = {
  mkdir: path => void mkdirSync(path, { recursive: true, mode: 0o700 }),
  chmod: chmodSync,
  stat: path => {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    return stat === undefined ? null : { size: stat.size, ino: stat.ino, dev: stat.dev, folder: stat.isDirectory(), plain: stat.isFile() }
  },
  list: folder => unlessMissing(() => readdirSync(folder), []),
  rename: renameSync,
  unlink: path => unlessMissing(() => removeFile(path), undefined),
  empty: path => unlessMissing(() => truncateSync(path, 0), undefined),
  read: (path, at, length) => withFile(path, constants.O_RDONLY | noFollow, fd => readAll(fd, at, length)),
  writeAt: (path, octets, at) => withFile(path, constants.O_WRONLY | noFollow, fd => writeAll(fd, octets, at)),
  append: (path, octets) => withFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | noFollow, fd => writeAll(fd, octets, null)),
  text: path => readFileSync(path, "utf8"),
  close: closeSync,
}

function unlessMissing<T>(act: () => T, otherwise: T): T {
  try {
    return act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return otherwise
    throw error
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
    rmSync(path, { recursive: true })
  }
}

function withFile<T>(path: string, flags: number, act: (fd: number) => T): T {
  const fd = openSync(path, flags, 0o600)
  try {
    return act(fd)
  } finally {
    closeSync(fd)
  }
}

function readAll(fd: number, at: number, length: number): Buffer {
  const octets = Buffer.allocUnsafeSlow(length)
  let got = 0
  while (got < length) {
    const more = readSync(fd, octets, got, length - got, at + got)
    if (more === 0) break
    got += more
  }
  return octets.subarray(0, got)
}

function writeAll(fd: number, octets: Uint8Array, at: number | null): void {
  for (let done = 0; done < octets.length; ) done += writeSync(fd, octets, done, octets.length - done, at === null ? null : at + done)
}
