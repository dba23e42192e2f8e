import { readdirSync, readlinkSync } from "node:fs"

/** How many sockets a process holds, listeners included. */
export function openSockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter(fd => targetOf(`/proc/${pid}/fd/${fd}`).startsWith("socket:")).length
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return "" // closed meanwhile
  }
}

/** The files, by path, that a process holds. */
export function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map(fd => targetOf(`/proc/${pid}/fd/${fd}`))
    .filter(path => path.startsWith("/"))
}

/** How many ends of pipes a process holds. */
export function openPipes(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter(fd => targetOf(`/proc/${pid}/fd/${fd}`).startsWith("pipe:")).length
}
