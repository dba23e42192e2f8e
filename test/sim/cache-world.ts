import { drainMicrotasks } from "bun:jsc"
import { FakeClock, type Fault, setLogSink, TimerWheel } from "../../src/base/index.ts"
import { attachMemoryStore, CacheStore, createMemoryStore, MemoryStoreSupervisor, type SharedMemoryStore } from "../../src/cache/index.ts"
import { audit } from "../../src/cache/store/memory/audit.fixture.ts"
import type { ThreadMemoryStore } from "../../src/cache/store/memory/memory-store.ts"
import { type CompileDeps, compileSnapshot, type Snapshot } from "../../src/config/index.ts"
import { parseConfig } from "../../src/config/load.ts"
import { acquireExchange, begin, type Exchange, FAULT_VERDICT, type Plan, setFlowClock } from "../../src/flow/index.ts"
import { type Downstream, type DownstreamConnection, type Message, ServerConnection, type ServerHooks, type Time } from "../../src/http/index.ts"
import { type DialFailure, type DialHandler, WireInfo } from "../../src/net/index.ts"
import { PeerStates } from "../../src/upstream/index.ts"
import { FakeWire } from "./fake-wire.ts"

export interface CacheWorldOptions {
  /** Options of the route's cache filter besides its store. */
  readonly cache?: object
  /** Octets of the store, and of one entry. */
  readonly bytes?: number
  readonly entryBytesMax?: number
  readonly workers?: number
  readonly cluster?: object
}

/** What the log step saw of a client's exchange. */
export interface Seen {
  readonly id: string
  readonly status: number
  readonly fault: string
  readonly cache: string
  readonly reason: string
}

/** A connection to the upstream that is neither open nor failed. */
export class CacheDial {
  private readonly world: CacheWorld
  private readonly handler: DialHandler

  constructor(world: CacheWorld, handler: DialHandler) {
    this.world = world
    this.handler = handler
    world.dials.push(this)
  }

  open(): FakeWire {
    this.cancel()
    const wire = new FakeWire()
    this.world.upstreams.push(wire)
    const next = this.handler.onOpen(wire, "")
    if (next === null) wire.terminate()
    else wire.data = next
    return wire
  }

  fail(kind: DialFailure = "refused"): void {
    this.cancel()
    this.handler.onFailed(kind, "")
  }

  cancel(): void {
    const at = this.world.dials.indexOf(this)
    if (at >= 0) this.world.dials.splice(at, 1)
  }
}

/** One worker: the compiled config, and its view of the memory that all share. */
class SimWorker implements ServerHooks {
  readonly snapshot: Snapshot
  readonly store: CacheStore
  readonly memory: ThreadMemoryStore
  readonly connections = new Set<DownstreamConnection>()
  readonly info
  readonly time: Time
  readonly limits: ServerHooks["limits"]
  readonly timeouts: ServerHooks["timeouts"]
  readonly secure = false
  readonly forward = false
  readonly http2 = false
  readonly altSvc = ""
  readonly closing = false
  readonly lastRequests = true
  private readonly world: CacheWorld
  private readonly entry: Plan

  constructor(world: CacheWorld, index: number, shared: SharedMemoryStore) {
    this.world = world
    this.time = world.time
    this.memory = attachMemoryStore(shared, index + 1)
    this.store = new CacheStore("main", this.memory, null, world.time)
    this.snapshot = compileSnapshot(1, world.config, this.deps(), null)
    this.entry = this.snapshot.entries.get("web")!
    const { limits, timeouts } = world.config.listeners.web!
    this.limits = limits
    this.timeouts = timeouts
    this.info = { name: "web", index: 0, secure: false, forward: false }
  }

  private deps(): CompileDeps {
    const { world } = this
    return {
      time: world.time,
      states: world.states,
      peers: { a: [{ address: "10.0.0.1", port: 80, path: "", host: "", weight: 1, backup: false, slot: 1 }] },
      clusterSlots: { a: 0 },
      resolver: { lookup: () => {} },
      metrics: null,
      layout: null,
      accessLog: null,
      instanceId: "sim",
      baseDir: "/",
      refreshPeers() {},
      ended: x => world.ended(x),
      watchFile: () => "",
      ownAddresses: [],
      caches: new Map([["main", this.store]]),
      dial: (_target, _options, handler) => new CacheDial(world, handler),
    }
  }

  acquire(down: Downstream): Message {
    const x = acquireExchange()
    x.down = down
    x.listener = this.info
    x.peerAddress = "192.0.2.1"
    x.clientAddress = "192.0.2.1"
    return x
  }

  recycle(m: Message): void {
    ;(m as Exchange).release()
  }

  start(m: Message): void {
    const x = m as Exchange
    this.world.active++
    x.snapshot = this.snapshot
    x.plan = this.entry
    begin(x)
  }

  refuse(m: Message, fault: Fault): void {
    const x = m as Exchange
    this.world.active++
    const { entry } = this
    x.plan = { ...entry, steps: [() => FAULT_VERDICT, ...entry.steps.slice(entry.respondAt)], respondAt: 1, logAt: 1 + entry.logAt - entry.respondAt }
    x.fault = fault
    begin(x)
  }

  replaced(): void {}
  faulted(): void {}

  closed(connection: DownstreamConnection): void {
    if (!this.connections.delete(connection)) throw new Error("a connection closes once")
  }
}

/** Some workers with one cache, on fake connections and a clock that the test moves: all of the data path as a config compiles it, no kernel, no thread. */
export class CacheWorld {
  readonly clock = new FakeClock()
  readonly time: Time = { clock: this.clock, wheel: new TimerWheel(this.clock.now()) }
  readonly states: PeerStates
  readonly config
  readonly workers: SimWorker[]
  readonly control: MemoryStoreSupervisor
  readonly dials: CacheDial[] = []
  readonly upstreams: FakeWire[] = []
  readonly clients: FakeWire[] = []
  readonly seen: Seen[] = []
  readonly errors: string[] = []
  /** Clients' exchanges that have not ended. */
  active = 0
  private readonly controlStore: ThreadMemoryStore

  constructor(options: CacheWorldOptions = {}) {
    setFlowClock(this.clock)
    setLogSink(record => void this.errors.push(JSON.stringify(record)))
    const count = options.workers ?? 1
    this.config = configOf(options)
    this.states = PeerStates.create(8, 2, this.clock)
    const shared = createMemoryStore({
      bytes: options.bytes ?? 1024 * 1024,
      threadsMax: count + 1,
      ...(options.entryBytesMax && { entryBytesMax: options.entryBytesMax }),
    })
    this.controlStore = attachMemoryStore(shared, 0)
    this.control = new MemoryStoreSupervisor(this.controlStore)
    this.workers = Array.from({ length: count }, (_, index) => new SimWorker(this, index, shared))
  }

  ended(x: Exchange): void {
    this.active--
    this.seen.push({
      id: x.request.find("x-id") ?? "",
      status: x.status,
      fault: x.fault?.code ?? "",
      cache: x.cacheResult,
      reason: x.cacheReason,
    })
  }

  /** A client of this worker. `room`: octets that its socket takes before it has to be told of more. */
  connect(worker = 0, room = Number.POSITIVE_INFINITY): FakeWire {
    const hooks = this.workers[worker]!
    const wire = new FakeWire(room)
    const connection = new ServerConnection(wire, new WireInfo(wire as never, false, null, null), hooks)
    wire.data = connection
    hooks.connections.add(connection)
    this.clients.push(wire)
    return wire
  }

  /** What other threads' bells and the slow timer do: everybody looks at what they wait for. */
  ring(): void {
    for (const { memory } of this.workers) (memory.watches as unknown as { look(): void }).look()
    drainMicrotasks()
  }

  /** Moves the clock in steps of a tick, as the thread's timer does. */
  advance(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(100, left))
      this.time.wheel.advance(this.clock.now())
      drainMicrotasks()
    }
  }

  purge(url: string, soft = false): number {
    const count = this.control.purge({ by: "group", group: url }, soft)
    drainMicrotasks()
    return count
  }

  /** Ends every connection, lets all timers run out and empties the store. */
  shutDown(): void {
    for (const wire of this.clients) if (!wire.closed) wire.reset()
    this.ring()
    for (const wire of this.upstreams) if (!wire.closed) wire.reset()
    for (const dial of [...this.dials]) dial.fail()
    this.advance(200_000)
    this.control.purge({ by: "all" }, false)
    this.ring()
  }

  /** Everything that must be nought when all is over. */
  leaks(): string[] {
    const found = [...this.errors]
    const note = (what: string, count: number): void => void (count !== 0 && found.push(`${what}: ${count}`))
    note("exchanges that never ended", this.active)
    note("dials", this.dials.length)
    note("timers", this.time.wheel.size)
    const { entries, usedBytes } = this.control.stats()
    note("entries in the store", entries)
    note("octets in use", usedBytes)
    for (const { memory, store, connections, snapshot } of this.workers) {
      note("client connections", connections.size)
      note("slots that are watched", memory.watches.count)
      note("fetches", (store as unknown as { fetches: Map<number, unknown> }).fetches.size)
      note(
        "entries held",
        memory.parts.memory.pins.flatMap(row => [...row]).reduce((sum, pins) => sum + pins, 0),
      )
      const cluster = snapshot.clusters.get("a")!
      const { busy, idle } = cluster.counts()
      note("connections taken from pools", busy)
      note("idle connections", idle)
      for (const peer of cluster.peers) note("in flight at the peer", peer.inFlight())
    }
    for (const wire of [...this.clients, ...this.upstreams]) if (wire.closeCalls !== 1) found.push(`a connection closed ${wire.closeCalls} times`)
    return [...found, ...audit(this.controlStore.parts)]
  }
}

function configOf({ cache, cluster }: CacheWorldOptions): Snapshot["config"] {
  const loaded = parseConfig(
    JSON.stringify({
      listeners: { web: { bind: "127.0.0.1:8080" } },
      clusters: { a: { peers: ["10.0.0.1:80"], ...cluster } },
      caches: { main: {} },
      routes: [{ match: {}, filters: [{ cache: { store: "main", ...cache } }], to: { cluster: "a" } }],
    }),
  )
  if (!loaded.ok) throw new Error(loaded.problems.map(problem => problem.message).join("; "))
  return loaded.config
}
