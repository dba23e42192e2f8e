import { readdirSync, readFileSync } from "node:fs"

/** A process and everything below it, from /proc: a proxy's workers count as the proxy. */
export function processTree(pid: number): number[] {
  const all = [pid]
  for (const parent of all) {
    for (const thread of threadsOf(parent)) all.push(...childrenOf(parent, thread))
  }
  return all
}

/**
 * Ends all of it at once; nginx's workers, for one, outlive a master that is killed alone. Only when `parent` started it: the number of a process that
 * has ended may be another's by now.
 */
export function killTree(pid: number, parent: number): void {
  if (parentOf(pid) !== parent) return
  for (const each of processTree(pid)) {
    try {
      process.kill(each, "SIGKILL")
    } catch {
      // Gone already.
    }
  }
}

function parentOf(pid: number): number {
  try {
    // The name before it is in parentheses and may hold anything.
    return Number(/^.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1])
  } catch {
    return -1
  }
}

// A process may end between the look at its parent and the look at itself.
function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function childrenOf(pid: number, thread: string): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim()
    return text === "" ? [] : text.split(" ").map(Number)
  } catch {
    return []
  }
}
