import type { LentSocket } from "../protocol.ts"

/** Where a program that is started to take over finds what it inherits. */
export const HANDOFF_VARIABLE = "BOTHWAYS_UPGRADE"
/** Descriptor of the channel to the process that hands over. */
export const CHANNEL_FD = 3
const FIRST_FD = 4

/** What a process gives to the one that takes its place, as text in its environment. Descriptors are those of the receiver. */
export interface Handoff {
  /** Who hands over: the receiver's parent, or the text is somebody else's. */
  readonly pid: number
  /** By address as the config has it: the descriptors. */
  readonly sockets: readonly (readonly [bind: string, fds: readonly number[]])[]
  readonly admin: readonly [bind: string, fd: number] | null
  /** What the system picked where the config says port 0. */
  readonly ports: readonly (readonly [place: string, port: number])[]
  /** Folders of caches, which the sender keeps until it says so. */
  readonly disks: readonly string[]
}

/** What there is to hand over, with descriptors of this process. */
export interface Estate {
  readonly sockets: readonly LentSocket[]
  readonly admin: LentSocket | null
  readonly ports: ReadonlyMap<string, number>
  readonly disks: readonly string[]
}

/** Lays descriptors of this process out as those of the next one. `fds[i]` becomes number `FIRST_FD + i` there. */
export function layOut({ sockets, admin, ports, disks }: Estate): { fds: number[]; text: string } {
  const fds = [...sockets, ...(admin === null ? [] : [admin])].map(({ fd }) => fd)
  const byBind = new Map<string, number[]>()
  for (const [i, { bind }] of sockets.entries()) byBind.set(bind, [...(byBind.get(bind) ?? []), FIRST_FD + i])
  const handoff: Handoff = {
    pid: process.pid,
    sockets: [...byBind],
    admin: admin === null ? null : [admin.bind, FIRST_FD + sockets.length],
    ports: [...ports],
    disks,
  }
  return { fds, text: JSON.stringify(handoff) }
}

/** null = this is no handoff of the process `from`. */
export function readHandoff(text: string | undefined, from: number): Handoff | null {
  if (text === undefined) return null
  try {
    const handoff = JSON.parse(text) as Handoff
    const whole = [handoff.sockets, handoff.ports, handoff.disks].every(Array.isArray)
    return whole && handoff.pid === from ? handoff : null
  } catch {
    return null
  }
}
