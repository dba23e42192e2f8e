import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from "node:fs"
import { hostname } from "node:os"
import { dirname, join } from "node:path"

interface Holder {
  readonly pid: number
  readonly host: string
}

const TOUCH_MS = 10_000
/** A lock that nobody has touched for so long belongs to a machine that is gone. */
const STALE_MS = 60_000

/**
 * Locks between instances that share a folder, by files. One of a process that has ended on this machine is free at once, one of another machine when nobody has
 * touched it for a minute.
 */
export class FolderLock {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = join(folder, "locks")
  }

  /** Takes it and gives how to let it go; null = another one has it. Throws when the folder cannot be written to. */
  take(name: string): (() => void) | null {
    const path = join(this.#folder, `${name.replace("*", "_").replaceAll(":", "-")}.lock`)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (!create(path) && !(isOver(path) && create(path))) return null
    const touch = setInterval(() => touchFile(path), TOUCH_MS)
    touch.unref()
    return () => {
      clearInterval(touch)
      rmSync(path, { force: true })
    }
  }
}

function create(path: string): boolean {
  try {
    const fd = openSync(path, "wx", 0o600)
    const holder: Holder = { pid: process.pid, host: hostname() }
    writeSync(fd, JSON.stringify(holder))
    closeSync(fd)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false
    throw error
  }
}

/** Removes a lock whose holder is gone. */
function isOver(path: string): boolean {
  const age = ageOf(path)
  const holder = readHolder(path)
  const gone = holder === null || holder.host !== hostname() ? age > STALE_MS : !isAlive(holder.pid)
  if (gone) rmSync(path, { force: true })
  return gone
}

/** null = it is gone, or so new that nothing is in it yet. */
function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder
  } catch {
    return null
  }
}

function ageOf(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function touchFile(path: string): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    // Somebody has taken it away; whoever holds it will see when it is done.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
