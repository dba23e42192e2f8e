import { close, constants, fstat, open, read, write } from "node:fs"

/** What workers do with files; never holds the thread. A test puts a disk that fails behind it. */
export interface FileCalls {
  /** For reading. */
  open(path: string): Promise<number>
  /** A new file for reading and writing; fails when there is one. */
  create(path: string): Promise<number>
  /** Fills `into` from `at` on; resolves to fewer octets only at the end of the file. */
  read(fd: number, into: Uint8Array, at: number): Promise<number>
  /** All of `octets`. */
  write(fd: number, octets: Uint8Array, at: number): Promise<void>
  stat(fd: number): Promise<{ readonly size: number; readonly ino: number }>
  close(fd: number): void
}

const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
const createFlags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)

/** Files of the machine. Made of callbacks: a FileHandle closes itself when it is collected, which hides what was forgotten. */
export const fileCalls: FileCalls = {
  open: path => openFile(path, readFlags),
  create: path => openFile(path, createFlags),
  read: readAll,
  write: writeAll,
  stat: fd => new Promise((resolve, reject) => fstat(fd, (error, stat) => (error === null ? resolve(stat) : reject(error)))),
  close: fd => close(fd, () => {}),
}

function openFile(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => open(path, flags, 0o600, (error, fd) => (error === null ? resolve(fd) : reject(error))))
}

async function readAll(fd: number, into: Uint8Array, at: number): Promise<number> {
  let got = 0
  while (got < into.length) {
    const more = await readOnce(fd, into.subarray(got), at + got)
    if (more === 0) break
    got += more
  }
  return got
}

function readOnce(fd: number, into: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, 0, into.length, at, (error, octets) => (error === null ? resolve(octets) : reject(error)))
  })
}

async function writeAll(fd: number, octets: Uint8Array, at: number): Promise<void> {
  // A disk that gets full takes a part, and says so with the next call.
  for (let done = 0; done < octets.length; ) done += await writeOnce(fd, octets.subarray(done), at + done)
}

function writeOnce(fd: number, octets: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, octets, 0, octets.length, at, (error, written) => (error === null ? resolve(written) : reject(error)))
  })
}
