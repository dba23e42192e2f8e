import { Random } from "../../src/base/index.ts"
import type { BreakerRules } from "../../src/upstream/index.ts"
import type { GuardStory } from "./sim-guard.ts"
import { chance, pick } from "./script.ts"
import { SimClient } from "./sim-client.ts"
import { type Seen, SimOrigin } from "./sim-origin.ts"
import { World, type WorldOptions } from "./world.ts"

const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])

/**
 * One run: a small world, random clients and origins, random order of everything that can happen; then quiet, then the end. Returns what is wrong.
 * `guarded`: the cluster has limits, a queue and second attempts.
 */
export function randomRun(seed: number, guarded = false): string[] {
  return new Run(seed, guarded).play()
}

function randomGuard(random: Random): GuardStory {
  const limits = (): BreakerRules => ({
    requestsMax: pick(random, [0, 1, 2, 3]),
    pendingMax: pick(random, [0, 0, 1]),
    retriesMax: pick(random, [0, 0, 1]),
    counts: "5xx",
    failures: null,
  })
  return {
    breaker: limits(),
    peer: chance(random, 0.5) ? limits() : null,
    queue: chance(random, 0.7) ? { lengthMax: pick(random, [1, 2, 100]), timeoutMs: 3000, lowShareMax: 0.5 } : null,
    adaptive: chance(random, 0.3) ? { start: 2, min: 1, max: 4, tolerance: 1.5, windowMs: 100, probeMs: 1000 } : null,
    hedge: chance(random, 0.7) ? { afterMs: 20, quantile: 0, afterMinMs: 1, shareMax: 1 } : null,
  }
}

/** Something moved. */
function done(_what: unknown): true {
  return true
}

class Run {
  private readonly random: Random
  private readonly world: World
  private readonly clients: SimClient[] = []
  private readonly origins: SimOrigin[] = []
  private readonly seen: Seen[] = []
  private readonly found: string[] = []
  private next = 0
  private queues = false
  private forward = false

  constructor(seed: number, guarded: boolean) {
    this.random = new Random(seed)
    const options = this.options(seed)
    this.world = new World(guarded ? { ...options, forward: (this.forward = false), guard: randomGuard(this.random) } : options)
    this.queues ||= guarded
  }

  private options(seed: number): WorldOptions {
    const { random } = this
    const connectionsMax = pick(random, [0, 0, 1, 2])
    this.queues = connectionsMax > 0
    this.forward = chance(random, 0.25)
    return {
      seed,
      forward: this.forward,
      peers: 1 + random.below(3),
      pool: {
        connectionsMax,
        idleMax: pick(random, [16, 16, 1, 0]),
        requestsMax: pick(random, [0, 0, 1, 3]),
        waitersMax: pick(random, [64, 1]),
        waitTimeoutMs: 5000,
      },
      rules: {
        attemptsMax: pick(random, [1, 2, 3]),
        retryStatus: chance(random, 0.3) ? new Set([503]) : null,
        keepBytesMax: pick(random, [65_536, 100, 0]),
      },
      limits: { requestsMax: pick(random, [0, 0, 2]) },
      bodyBytesMax: pick(random, [0, 0, 0, 150]),
      requestMs: pick(random, [0, 0, 30_000]),
      requestFilter: chance(random, 0.2),
      responseFilter: chance(random, 0.3),
    }
  }

  play(): string[] {
    const steps = 30 + this.random.below(400)
    for (let i = 0; i < steps; i++) this.step()
    this.settle()
    // What a write found out is dealt with at the timer's next turn.
    this.world.advance(200)
    this.settle()
    // A tunnel may hold the last connection that there may be: those in the queue are told so in time, one request of a client after the other.
    for (let i = 0; i < 40 && this.queues && this.clients.some(client => client.problems(true).length > 0); i++) {
      this.world.advance(5100)
      this.settle()
    }
    for (const client of this.clients) this.found.push(...client.problems(true))
    this.world.shutDown()
    for (const client of this.clients) this.found.push(...client.problems(false))
    this.found.push(...this.world.leaks())
    const internal = this.world.logged.filter(line => line.fault === "proxy.internal")
    for (const line of internal) this.found.push(`proxy.internal: ${JSON.stringify(line)}`)
    this.checkRepeats()
    return this.found
  }

  private step(): void {
    const { random, world } = this
    const kind = random.below(100)
    if (kind < 8 && this.clients.length < 6) this.connect()
    else if (kind < 45) this.clients[random.below(Math.max(1, this.clients.length))]?.feed()
    else if (kind < 72) this.adoptOrigins()[random.below(Math.max(1, this.origins.length))]?.step(false)
    else if (kind < 79 && world.lookups.length > 0) pick(random, world.lookups).answer(pick(random, [0, 1, 1, 2, 3]))
    else if (kind < 82) this.dial()
    else if (kind < 86) world.filters[random.below(Math.max(1, world.filters.length))]?.release()
    else if (kind < 93) this.room()
    else if (kind < 97) world.advance(pick(random, [1, 100, 1000, 1000, 6000]))
    else this.mishap()
  }

  private connect(): void {
    const wire = this.world.connect(chance(this.random, 0.3) ? this.random.below(2000) : Number.POSITIVE_INFINITY)
    this.clients.push(new SimClient(wire, this.random, `c${this.next++}`, this.forward))
  }

  private dial(): void {
    const dial = this.world.dials[0]
    if (dial === undefined) return
    if (chance(this.random, 0.15)) dial.fail(pick(this.random, ["refused", "timeout", "reset"]))
    else dial.open(chance(this.random, 0.3) ? this.random.below(2000) : Number.POSITIVE_INFINITY)
  }

  private room(): void {
    const wires = [...this.world.clients, ...this.world.upstreams].filter(wire => !wire.closed)
    if (wires.length > 0) pick(this.random, wires).take(1 + this.random.below(50_000))
  }

  private mishap(): void {
    const { random, world } = this
    const kind = random.below(10)
    const upstreams = world.upstreams.filter(wire => !wire.closed)
    const wires = [...world.clients, ...upstreams].filter(wire => !wire.closed)
    if (kind < 4) this.clients[random.below(Math.max(1, this.clients.length))]?.hangUp()
    else if (kind < 6) {
      if (upstreams.length > 0) pick(random, upstreams).reset()
    } else if (kind === 6 && wires.length > 0) {
      const wire = pick(random, wires)
      if (wire.severed) wire.tellSevered(chance(random, 0.5))
      else wire.severed = true
    } else if (kind === 7) world.setPeers(1 + random.below(3))
    else if (kind === 8) for (const connection of world.connections) connection.closeIdle()
    else if (world.connections.size > 0) pick(random, [...world.connections]).closeNow()
  }

  private adoptOrigins(): SimOrigin[] {
    const { upstreams } = this.world
    for (let i = this.origins.length; i < upstreams.length; i++) this.origins.push(new SimOrigin(upstreams[i]!, this.random, this.seen, this.found))
    return this.origins
  }

  /** Everybody does at once and well what is asked of them, until nothing moves; no time passes. */
  private settle(): void {
    const { world } = this
    for (let moved = true, rounds = 0; moved && rounds < 5000; rounds++) {
      moved = false
      for (const lookup of [...world.lookups]) moved = done(lookup.answer(1))
      for (const dial of [...world.dials]) if (!dial.over) moved = dial.open() !== null
      for (const filter of [...world.filters]) if (world.filters.includes(filter)) moved = done(filter.release())
      for (const wire of [...world.clients, ...world.upstreams])
        if (wire.room < 1e9 && !wire.closed && !wire.finished && !wire.severed) moved = done(wire.take(1e12))
      for (const client of this.clients) moved = client.feed() || moved
      for (const origin of this.adoptOrigins()) moved = origin.step(true) || moved
    }
  }

  /** What may not be repeated was sent once at most. */
  private checkRepeats(): void {
    const times = new Map<string, number>()
    for (const { id, method } of this.seen) if (!IDEMPOTENT.has(method)) times.set(id, (times.get(id) ?? 0) + 1)
    for (const [id, count] of times) if (count > 1) this.found.push(`${id}: not idempotent and sent ${count} times`)
  }
}
