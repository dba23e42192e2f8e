import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { processTree } from "../test/support/process-tree.ts"

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }))

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
