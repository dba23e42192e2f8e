import { networkInterfaces } from "node:os"
import { assert, FakeClock, type Fault, normaliseIp, readDataFile, TimerWheel } from "../../base/index.ts"
import { begin, Exchange, type ListenerInfo, notesOf } from "../../flow/index.ts"
import { type Downstream, type Message, ServerConnection, type ServerHooks, type Time } from "../../http/index.ts"
import { loopbackAddresses, specialName } from "../../net/index.ts"
import type { OriginResolver } from "../../upstream/index.ts"
import { compileSnapshot } from "../compile/compile.ts"
import type { CompileDeps } from "../compile/compile-deps.ts"
import type { Snapshot } from "../compile/snapshot.ts"
import type { Stage } from "../compile/step-list.ts"
import type { Config, ListenerConfig } from "../schema.ts"
import type { DryPeers } from "./dry-peers.ts"
import type { DryWire } from "./dry-wire.ts"
import { Journey } from "./journey.ts"

/** Where a request's way ended. */
export type End =
  /** The head was refused before there was an exchange with a plan. */
  | { readonly kind: "refused"; readonly fault: Fault }
  /** The client has its answer, a local reply or a fault. */
  | { readonly kind: "answered" }
  /** A connection would be opened now. */
  | { readonly kind: "dials" }
  /** A name would be looked up now. */
  | { readonly kind: "resolves" }
  /** Somebody waits for what does not come here. */
  | { readonly kind: "waits" }

/** Called while the exchange is as the end left it. */
export type AtEnd = (end: End, x: Exchange) => void

export interface DryRunParts {
  readonly config: Config
  readonly baseDir: string
  readonly listener: string
  readonly peers: DryPeers
  readonly time: Time
  /** Called with each step that is about to run, and once at the end. */
  readonly before: (stage: Stage, x: Exchange) => void
  readonly atEnd: AtEnd
  /** Somebody whose log-in at the listener counts as right; "" = nobody. */
  readonly user: string
  readonly groups: readonly string[]
  /** Longest wait for a step that waits, such as for a password's check. */
  readonly waitMs: number
}

/** Time that stands still, by default now: nothing runs out while one looks at it. */
export function stillTime(wallMs = Date.now()): Time {
  const clock = new FakeClock(1000, wallMs)
  return { clock, wheel: new TimerWheel(clock.now()) }
}

/** One request through the data path up to where it would touch the world. Compiles its snapshot at once; throws when that is not possible. */
export class DryRun implements ServerHooks {
  readonly snapshot: Snapshot
  readonly journey: Journey
  readonly limits: ListenerConfig["limits"]
  readonly timeouts: ListenerConfig["timeouts"]
  readonly secure: boolean
  readonly forward: boolean
  readonly http2 = false
  readonly altSvc = ""
  readonly closing = false
  readonly time: Time
  private readonly parts: DryRunParts
  private readonly info: ListenerInfo
  private x: Exchange | null = null
  private ended = false
  private told: () => void = () => {}

  constructor(parts: DryRunParts) {
    const { config, listener } = parts
    const settings = config.listeners[listener]
    assert(settings !== undefined, "the listener was chosen from the config")
    this.parts = parts
    this.time = parts.time
    this.limits = settings.limits
    this.timeouts = settings.timeouts
    this.secure = settings.tls !== null
    this.forward = settings.forward !== null
    this.info = { name: listener, index: Object.keys(config.listeners).indexOf(listener), secure: this.secure, forward: settings.forward !== null }
    this.journey = new Journey(parts.before, parts.user !== "")
    this.snapshot = compileSnapshot(1, config, this.deps(), null)
  }

  /** Sends a head and goes with it. Settles when the way has ended. */
  async send(head: string, wire: DryWire): Promise<void> {
    const end = new Promise<void>(resolve => (this.told = resolve))
    const timer = setTimeout(() => this.end({ kind: "waits" }), this.parts.waitMs)
    const connection = new ServerConnection(wire, wire.info(this.secure), this)
    connection.onData(wire, Buffer.from(head, "utf8"))
    await end
    clearTimeout(timer)
  }

  // ---- ServerHooks: what a listener is to its connections

  acquire(down: Downstream): Message {
    const x = new Exchange()
    x.down = down
    x.listener = this.info
    x.scheme = this.secure ? "https" : "http"
    x.peerAddress = down.info.remoteAddress === "" ? "unix" : down.info.remoteAddress
    x.clientAddress = x.peerAddress
    this.x = x
    return x
  }

  recycle(): void {}
  replaced(): void {}
  faulted(): void {}
  closed(): void {}

  start(m: Message): void {
    const x = m as Exchange
    x.snapshot = this.snapshot
    x.user = this.parts.user
    if (this.parts.groups.length > 0) notesOf(x).groups = this.parts.groups
    x.plan = this.snapshot.entries.get(this.info.name)!
    begin(x)
  }

  refuse(_m: Message, fault: Fault): void {
    this.end({ kind: "refused", fault })
  }

  // ---- CompileDeps: what a snapshot needs of the world

  private deps(): CompileDeps {
    const { parts } = this
    return {
      time: parts.time,
      states: parts.peers.states,
      peers: parts.peers.byCluster,
      clusterSlots: parts.peers.clusterSlots,
      resolver: this.resolver(),
      metrics: null,
      layout: null,
      accessLog: null,
      instanceId: "INSTANCE",
      baseDir: parts.baseDir,
      refreshPeers() {},
      ended: () => this.end({ kind: "answered" }),
      watchFile: readDataFile,
      ownAddresses: Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(entry => entry.address)),
      dial: () => this.dials(),
      dialUdp: () => this.dials(),
      watch: this.journey.watch,
    }
  }

  private dials(): { cancel(): void } {
    this.end({ kind: "dials" })
    return { cancel() {} }
  }

  /** What net's resolver knows without asking a server. */
  private resolver(): OriginResolver {
    return {
      lookup: (name, done) => {
        const literal = normaliseIp(name)
        const special = specialName(name)
        if (literal !== null) done(null, [{ address: literal }])
        else if (special === "loopback") done(null, loopbackAddresses)
        else if (special === "no-name") done(new Error(`${name} never exists`), [])
        else this.end({ kind: "resolves" })
      },
    }
  }

  private end(end: End): void {
    if (this.ended) return
    this.ended = true
    this.parts.atEnd(end, this.x!)
    this.told()
  }
}
