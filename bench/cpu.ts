import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }))

/** A process and everything below it: a proxy's workers count as the proxy. */
function processTree(pid: number): number[] {
  const all = [pid]
  for (const parent of all) {
    for (const thread of list(`/proc/${parent}/task`)) {
      for (const child of read(`/proc/${parent}/task/${thread}/children`).split(" ")) if (child.trim() !== "") all.push(Number(child))
    }
  }
  return all
}

/** User and system time that the process tree has used so far, in microseconds. */
export function cpuMicros(pid: number): number {
  let ticks = 0
  for (const each of processTree(pid)) {
    // The name in parentheses may hold spaces; fields 14 and 15 of proc(5) are utime and stime.
    const fields = read(`/proc/${each}/stat`)
      .replace(/^.*\) /s, "")
      .split(" ")
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  }
  return (ticks * 1e6) / ticksPerSecond
}

/** Resident memory of the process tree in octets. */
export function residentBytes(pid: number): number {
  let kilobytes = 0
  for (const each of processTree(pid)) kilobytes += Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${each}/status`))?.[1] ?? 0)
  return kilobytes * 1024
}

// A process may end between the look at its parent and the look at itself.
function read(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
