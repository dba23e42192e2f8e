import { type Address, formatAddress, parseAddress } from "../../base/index.ts"
import { closeDescriptor } from "../../net/index.ts"
import type { InheritedSockets } from "../protocol.ts"
import { Channel } from "./channel.ts"
import { CHANNEL_FD, type Handoff, HANDOFF_VARIABLE, readHandoff } from "./handoff.ts"

/** What the process that this one replaces has left it: its listening sockets, and a line to it until this one serves. */
export class Inheritance {
  /** Who hands over. */
  readonly pid: number
  readonly ports: ReadonlyMap<string, number>
  readonly #sockets: ReadonlyMap<string, readonly number[]>
  #admin: Handoff["admin"]
  readonly #channel: Channel
  #disks: ReadonlySet<string>
  readonly #hadDisks: boolean
  #settled = false
  #freed: () => void = () => {}

  /** null = this process takes nobody's place. What is told only to this process does not go on to others. */
  static take(env: Readonly<Record<string, string | undefined>> = process.env): Inheritance | null {
    const handoff = readHandoff(env[HANDOFF_VARIABLE], process.ppid)
    delete process.env[HANDOFF_VARIABLE]
    return handoff === null ? null : new Inheritance(handoff)
  }

  private constructor(handoff: Handoff) {
    this.pid = handoff.pid
    this.ports = new Map(handoff.ports)
    this.#sockets = new Map(handoff.sockets)
    this.#admin = handoff.admin
    this.#disks = new Set(handoff.disks)
    this.#hadDisks = handoff.disks.length > 0
    const ended = () => {
      if (this.#disks.size === 0) return
      this.#disks = new Set()
      this.#freed()
    }
    this.#channel = new Channel(CHANNEL_FD, () => {}, ended)
  }

  /** Addresses that are bound already, for us. */
  get addresses(): Address[] {
    const texts = [...this.#sockets.keys(), ...(this.#admin === null ? [] : [this.#admin[0]])]
    return texts.map(text => parseAddress(text, { use: "listen" }))
  }

  /** What worker `index` of `count` takes over: each socket goes to one of them. */
  forWorker(index: number, count: number): InheritedSockets[] {
    if (this.#settled) return []
    return [...this.#sockets].map(([bind, fds]) => ({
      bind,
      own: fds.filter((_, i) => i % count === index),
      spare: bind.startsWith("unix:") ? -1 : fds[index % fds.length]!,
    }))
  }

  /** The socket of the admin listener, for whoever asks first; -1 = there is none at this address. */
  takeAdmin(bind: Address): number {
    if (this.#admin === null || this.#admin[0] !== formatAddress(bind)) return -1
    const fd = this.#admin[1]
    this.#admin = null
    return fd
  }

  /** Folders of caches that the other process still has. */
  get heldDisks(): ReadonlySet<string> {
    return this.#disks
  }

  /** Calls `freed` when the other process has let go of its disks, unless it had none; at once when it has ended meanwhile. */
  onDisksFree(freed: () => void): void {
    this.#freed = freed
    if (this.#hadDisks && this.#disks.size === 0) freed()
  }

  /** Every worker serves these addresses: nothing more is taken over, and the other process may go. */
  settle(version: string, serves: readonly Address[]): void {
    const addresses = serves.map(formatAddress)
    const taken = [...this.#sockets.keys()].filter(bind => addresses.includes(bind))
    const admin = this.#admin === null
    this.#closeRest()
    this.#channel.send({ type: "ready", version, taken, admin })
    if (this.#disks.size === 0) this.#channel.close()
    else this.#channel.unref()
  }

  /** This process ends before it served. */
  fail(code: number, reason: string): void {
    if (this.#settled) return
    this.#closeRest()
    this.#channel.send({ type: "failed", code, reason })
    this.#channel.close()
  }

  /** Our own copies: who accepts has duplicates, and a socket that nobody accepts from must not live on with us. */
  #closeRest(): void {
    this.#settled = true
    for (const fds of this.#sockets.values()) for (const fd of fds) closeDescriptor(fd)
    if (this.#admin !== null) closeDescriptor(this.#admin[1])
    this.#admin = null
  }
}

/** What a worker is told before its first config, when there is something for it to take over. */
export function inheritedBy(worker: number, count: number, inheritance: Inheritance | null | undefined) {
  const sockets = inheritance?.forWorker(worker, count) ?? []
  return sockets.length === 0 ? [] : [{ message: { type: "inherit" as const, sockets }, transfer: [] }]
}
