import { type BigIntStats, type FSWatcher, readdirSync, realpathSync, statSync, watch } from "node:fs"
import { dirname, join } from "node:path"

export interface ConfigWatchOptions {
  /** Quiet time after the last event before the file is read, in milliseconds. */
  readonly debounceMs?: number
  /** Look at the file this often where events do not arrive (network file systems, some containers), in milliseconds. */
  readonly pollMs?: number
}

/**
 * Calls `changed` after the file's content may have changed: written in place, replaced by a rename, or reached through a symbolic link
 * that was switched (Kubernetes, certbot). For a directory of fragments: after one of them may have, or came or went. A file that is gone for a moment is waited for, because editors delete and write.
 * Returns the function that stops it.
 */
export function watchConfig(file: string, changed: () => void, options: ConfigWatchOptions = {}): () => void {
  const debounceMs = options.debounceMs ?? 200
  let seen = fingerprint(file)
  let pending: ReturnType<typeof setTimeout> | null = null
  let watchers: FSWatcher[] = []
  let watched = ""

  const settle = () => {
    pending = null
    follow()
    const now = fingerprint(file)
    if (now === seen || now === "") return
    seen = now
    changed()
  }
  const look = () => {
    if (pending !== null) clearTimeout(pending)
    pending = setTimeout(settle, debounceMs)
  }
  /** The directories on the way: the one that names the file, and the one that it really is in. */
  const follow = () => {
    const directories = directoriesOf(file)
    if (directories.join("\0") === watched) return
    for (const watcher of watchers) watcher.close()
    watched = directories.join("\0")
    watchers = directories.flatMap(directory => watchDirectory(directory, look))
  }
  const poll = setInterval(() => {
    if (pending === null && fingerprint(file) !== seen) look()
  }, options.pollMs ?? 2000)
  poll.unref()
  follow()
  return () => {
    clearInterval(poll)
    if (pending !== null) clearTimeout(pending)
    for (const watcher of watchers) watcher.close()
  }
}

/** Changes when the content may have: device, inode, size and times of what the name leads to. "" when there is nothing. */
function fingerprint(file: string): string {
  try {
    const stat = statSync(file, { bigint: true })
    if (!stat.isDirectory()) return print(stat)
    const names = readdirSync(file).filter(name => !name.startsWith("."))
    return names
      .sort()
      .map(name => `${name} ${printOf(join(file, name))}`)
      .join("\n")
  } catch {
    return ""
  }
}

function printOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? "" : print(stat)
}

function print(stat: BigIntStats): string {
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`
}

function directoriesOf(file: string): string[] {
  const directories = new Set([dirname(file)])
  try {
    const real = realpathSync(file)
    directories.add(realpathSync(dirname(file)))
    directories.add(statSync(real).isDirectory() ? real : dirname(real))
  } catch {
    // the file is gone for now; its directory says when it is back
  }
  return [...directories].sort()
}

function watchDirectory(directory: string, look: () => void): FSWatcher[] {
  try {
    const watcher = watch(directory, { persistent: false }, look)
    watcher.on("error", () => watcher.close()) // the poll goes on
    return [watcher]
  } catch {
    return []
  }
}
