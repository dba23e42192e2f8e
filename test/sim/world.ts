import { FakeClock, Random, setLogSink, TimerWheel } from "../../src/base/index.ts"
import {
  acquireExchange,
  armRequest,
  begin,
  deliver,
  DONE,
  type Exchange,
  FAULT_VERDICT,
  type ListenerInfo,
  NEXT,
  type Plan,
  resume,
  setFlowClock,
  type Step,
  WAIT,
  type Waiter,
} from "../../src/flow/index.ts"
import { type Downstream, type DownstreamConnection, type Message, ServerConnection, type ServerHooks, type Time } from "../../src/http/index.ts"
import { WireInfo, type DialFailure, type DialHandler } from "../../src/net/index.ts"
import balancer from "../../src/upstream/balance/round-robin/round-robin.ts"
import {
  type AttemptRules,
  Cluster,
  clusterSteps,
  FineWheel,
  Origins,
  originSteps,
  type OriginUpgrade,
  Peer,
  PeerStates,
  type PoolSettings,
  RetryBudget,
} from "../../src/upstream/index.ts"
import { PendingQuicDial } from "./fake-quic.ts"
import { FakeWire } from "./fake-wire.ts"
import { type GuardStory, heldPlaces, simGuard } from "./sim-guard.ts"

export interface WorldOptions {
  readonly peers?: number
  readonly pool?: Partial<PoolSettings>
  readonly rules?: Partial<AttemptRules>
  readonly limits?: Partial<ServerHooks["limits"]>
  readonly bodyBytesMax?: number
  readonly requestMs?: number
  /** A filter that waits in front of the attempt, one that waits behind the response head. */
  readonly requestFilter?: boolean
  readonly responseFilter?: boolean
  /** Requests go to the origin that they name, not to the cluster. */
  readonly forward?: boolean
  /** How they leave for their origins. */
  readonly upgrade?: OriginUpgrade
  readonly seed?: number
  /** What the cluster is guarded with. */
  readonly guard?: GuardStory
}

/** A dial that is neither open nor failed. */
export class PendingDial {
  /** null = an origin. */
  readonly peer: Peer | null
  private readonly handler: DialHandler
  private readonly world: World
  over = false

  constructor(world: World, peer: Peer | null, handler: DialHandler) {
    this.world = world
    this.peer = peer
    this.handler = handler
  }

  /** `alpn`: what TLS agreed on. */
  open(room = Number.POSITIVE_INFINITY, alpn = ""): FakeWire {
    this.finish()
    const wire = new FakeWire(room)
    this.world.upstreams.push(wire)
    const next = this.handler.onOpen(wire, alpn)
    if (next === null) wire.terminate()
    else {
      wire.data = next
      if (wire.closed) next.onClose(wire, null)
    }
    return wire
  }

  fail(kind: DialFailure = "refused"): void {
    this.finish()
    this.handler.onFailed(kind, "")
  }

  cancel(): void {
    if (!this.over) this.finish()
  }

  private finish(): void {
    if (this.over) throw new Error("a dial ends once")
    this.over = true
    this.world.dials.splice(this.world.dials.indexOf(this), 1)
  }
}

/** A filter that keeps an exchange until the test lets it go. */
export class PendingFilter implements Waiter {
  private readonly world: World
  readonly x: Exchange

  constructor(world: World, x: Exchange) {
    this.world = world
    this.x = x
    world.filters.push(this)
  }

  cancel(): void {
    this.world.filters.splice(this.world.filters.indexOf(this), 1)
  }

  release(): void {
    this.cancel()
    resume(this.x, NEXT)
  }
}

/** A name that is being looked up. Nobody can call that off. */
export class PendingLookup {
  private readonly world: World
  private readonly done: (error: Error | null, addresses: readonly { readonly address: string }[]) => void

  constructor(world: World, done: PendingLookup["done"]) {
    this.world = world
    this.done = done
    world.lookups.push(this)
  }

  /** Answers with this many addresses; 0 = there is no such name. */
  answer(count: number): void {
    this.world.lookups.splice(this.world.lookups.indexOf(this), 1)
    this.done(
      count === 0 ? new Error("no such name") : null,
      Array.from({ length: count }, (_, index) => ({ address: `198.51.100.${index + 1}` })),
    )
  }
}

/** What the log step saw of an exchange. */
export interface Logged {
  readonly id: string
  readonly status: number
  readonly fault: string
  readonly attempts: number
  readonly peer: string
}

const TIMEOUTS = { head: 15_000, idle: 75_000, body: 30_000, bodyRateMin: 0, write: 60_000, writeRateMin: 0 }
const POOL: PoolSettings = {
  idleMax: 16,
  idleTimeoutMs: 55_000,
  connectionsMax: 0,
  requestsMax: 0,
  waitTimeoutMs: 5000,
  waitersMax: 64,
  headBytesMax: 65_536,
  fieldsMax: 256,
  streamsMax: 100,
  protocol: "http1",
  secure: false,
}
const RULES: AttemptRules = {
  times: { head: 60_000, idle: 60_000 },
  connectMs: 5000,
  attemptsMax: 2,
  retryStatus: null,
  keepBytesMax: 65_536,
  absolute: false,
  upgrades: new Set(["websocket"]),
}

/** One worker's data path on fake connections and a clock that the test moves: codecs, engine, attempts, pools; no kernel, no config. */
export class World implements ServerHooks {
  readonly clock = new FakeClock()
  readonly time: Time = { clock: this.clock, wheel: new TimerWheel(this.clock.now()) }
  readonly random: Random
  readonly states: PeerStates
  readonly fine: FineWheel
  readonly cluster: Cluster
  readonly origins: Origins
  readonly plan: Plan
  readonly dials: PendingDial[] = []
  readonly quicDials: PendingQuicDial[] = []
  readonly lookups: PendingLookup[] = []
  readonly filters: PendingFilter[] = []
  readonly upstreams: FakeWire[] = []
  readonly clients: FakeWire[] = []
  readonly connections = new Set<DownstreamConnection>()
  readonly logged: Logged[] = []
  /** Exchanges that were started and not logged. */
  active = 0
  /** Messages that the codec holds for heads on their way. */
  acquired = 0
  readonly limits: ServerHooks["limits"]
  timeouts = TIMEOUTS
  readonly secure = false
  readonly forward = false
  readonly http2 = false
  readonly altSvc = ""
  closing = false
  readonly errors: string[] = []
  private readonly info: ListenerInfo = { name: "sim", index: 0, secure: false, forward: false }
  private readonly refusal: Plan

  constructor(options: WorldOptions = {}) {
    setFlowClock(this.clock)
    setLogSink(record => void this.errors.push(JSON.stringify(record)))
    this.random = new Random(options.seed ?? 1)
    this.limits = {
      headBytesMax: 65_536,
      fieldsMax: 256,
      targetBytesMax: 16_384,
      requestsMax: 0,
      streamsMax: 128,
      streamResetsMax: 200,
      controlFramesMax: 2000,
      ...options.limits,
    }
    this.states = PeerStates.create(64, 2, this.clock)
    this.fine = new FineWheel(this.clock)
    this.cluster = new Cluster({
      name: "c",
      makeBalancer: () => balancer.build({}, () => this.random.float()),
      key: null,
      allDown: "try",
      pool: { ...POOL, ...options.pool },
      time: this.time,
      dialer: (peer, _timeoutMs, handler) => this.newDial(peer, handler),
      budget: new RetryBudget(this.states, 0, 0.2),
      judge: () => {},
      guard: simGuard(options.guard, this.states, this.time, this.fine),
      refresh: null,
    })
    this.origins = new Origins({
      time: this.time,
      resolver: { lookup: (_name, done) => void new PendingLookup(this, done) },
      checks: { target: () => null, address: () => null },
      pool: { ...POOL, ...options.pool },
      dialer: (_dial, handler) => this.newDial(null, handler),
      quicDialer: (_dial, handler) => new PendingQuicDial(this.quicDials, handler),
    })
    this.setPeers(options.peers ?? 2)
    this.plan = this.planOf(options)
    const steps: Step[] = [() => FAULT_VERDICT, ...this.plan.steps.slice(this.plan.respondAt)]
    this.refusal = { ...this.plan, steps, respondAt: 1, logAt: 1 + this.plan.logAt - this.plan.respondAt, peerAt: -1, retry: null }
  }

  private newDial(peer: Peer | null, handler: DialHandler): PendingDial {
    const dial = new PendingDial(this, peer, handler)
    this.dials.push(dial)
    return dial
  }

  setPeers(count: number): void {
    const endpoint = (index: number) => ({ address: `10.0.0.${index + 1}`, port: 80, path: "", host: "", weight: 1, backup: false })
    this.cluster.setPeers(Array.from({ length: count }, (_, index) => new Peer(endpoint(index), index + 1, this.states)))
  }

  private planOf(options: WorldOptions): Plan {
    const rules = { ...RULES, ...options.rules }
    const upstream = options.forward ? originSteps(this.origins, rules, options.upgrade ?? null) : clusterSteps(this.cluster, rules)
    const wait: Step = x => {
      x.waiter = new PendingFilter(this, x)
      return WAIT
    }
    const timer: Step = x => {
      armRequest(x, this.time, options.requestMs ?? 0)
      return NEXT
    }
    const before: Step[] = [...(options.requestMs ? [timer] : []), ...(options.requestFilter ? [wait] : [])]
    const behind: Step[] = options.responseFilter ? [wait] : []
    const steps = [
      ...before,
      upstream.peer,
      upstream.forward,
      upstream.judge,
      ...behind,
      deliver,
      upstream.finish,
      (x: Exchange) => this.logStep(x),
      () => DONE,
    ]
    const respondAt = before.length + 3 + behind.length
    return {
      steps: steps as Step[],
      respondAt,
      peerAt: before.length,
      logAt: respondAt + 1,
      retry: upstream.retry,
      bodyBytesMax: options.bodyBytesMax ?? 0,
      requestMs: options.requestMs ?? 0,
      tunnelIdleMs: 3_600_000,
      route: { name: "sim", index: 0, cluster: "c", metrics: 0 },
    }
  }

  private logStep(x: Exchange): typeof NEXT {
    this.active--
    this.logged.push({ id: x.request.find("x-id") ?? "", status: x.status, fault: x.fault?.code ?? "", attempts: x.attempts, peer: x.peerName })
    return NEXT
  }

  // ---- the listener

  acquire(down: Downstream): Message {
    const x = acquireExchange()
    x.down = down
    x.listener = this.info
    this.acquired++
    return x
  }

  recycle(m: Message): void {
    this.acquired--
    ;(m as Exchange).release()
  }

  start(m: Message): void {
    this.run(m as Exchange, this.plan)
  }

  refuse(m: Message, fault: NonNullable<Exchange["fault"]>): void {
    ;(m as Exchange).fault = fault
    this.run(m as Exchange, this.refusal)
  }

  private run(x: Exchange, plan: Plan): void {
    this.acquired--
    this.active++
    x.plan = plan
    begin(x)
  }

  replaced(): void {}
  faulted(): void {}

  closed(connection: DownstreamConnection): void {
    if (!this.connections.delete(connection)) throw new Error("a connection closes once")
  }

  // ---- the test's hands

  connect(room = Number.POSITIVE_INFINITY): FakeWire {
    const wire = new FakeWire(room)
    const connection = new ServerConnection(wire, new WireInfo(wire as never, false, null, null), this)
    wire.data = connection
    this.connections.add(connection)
    this.clients.push(wire)
    return wire
  }

  /** Moves the clock in steps of a tick, as the thread's timer does. */
  advance(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(100, left))
      this.time.wheel.advance(this.clock.now())
      this.fine.advance()
    }
  }

  /** Everything that must be nought once every connection is gone. */
  leaks(): string[] {
    const found = [...this.errors]
    const note = (what: string, count: number): void => void (count !== 0 && found.push(`${what}: ${count}`))
    note("exchanges that never ended", this.active)
    note("messages that were neither started nor recycled", this.acquired)
    note("client connections", this.connections.size)
    note("dials", this.dials.length)
    note("dials over QUIC", this.quicDials.length)
    note("waiting filters", this.filters.length)
    for (const { busy, idle } of [this.cluster.counts(), this.origins.counts()]) {
      note("connections taken from pools", busy)
      note("idle connections", idle)
    }
    for (const peer of this.cluster.peers) note(`in flight at ${peer.name}`, peer.inFlight())
    for (const wire of [...this.clients, ...this.upstreams]) if (wire.closeCalls !== 1) found.push(`a connection closed ${wire.closeCalls} times`)
    note("timers", this.time.wheel.size + this.fine.size)
    found.push(...heldPlaces(this))
    return found
  }

  /** Ends every connection and lets all timers run out. */
  shutDown(): void {
    for (const wire of this.clients) if (!wire.closed) wire.reset()
    for (const wire of this.upstreams) if (!wire.closed) wire.reset()
    this.advance(200_000)
  }
}
