import { drainMicrotasks } from "bun:jsc"
import { Random } from "../../src/base/index.ts"
import { CacheJudge } from "./cache-judge.ts"
import { CacheOrigin, CacheOrigins, calmSite, partsSite, randomSite, type Site } from "./cache-origin.ts"
import { CacheUser, type Habits } from "./cache-user.ts"
import { CacheWorld, type CacheWorldOptions } from "./cache-world.ts"
import { chance, pick } from "./script.ts"

/** What a run is about. */
interface Theme {
  /** null = everything may be stored and nothing fails: then equal requests have to wait for one fetch. */
  readonly habits: Habits | null
  readonly site: (random: Random, largeMax: number) => Site
}

const THEMES: readonly Theme[] = [
  { habits: { wish: 0.25, range: 0.2, change: 0.15 }, site: randomSite },
  { habits: { wish: 0.25, range: 0.2, change: 0.15 }, site: randomSite },
  { habits: { wish: 0.7, range: 0, change: 0.05 }, site: randomSite },
  { habits: { wish: 0.1, range: 0.1, change: 0.4 }, site: randomSite },
  { habits: { wish: 0.1, range: 0.8, change: 0.05 }, site: partsSite },
  { habits: null, site: calmSite },
  { habits: null, site: calmSite },
]

/** One run: some workers with one cache, random users and origins, random order of everything that can happen; then quiet, then the end. Returns what is wrong. */
export function cacheRun(seed: number): string[] {
  return new Run(seed).play()
}

class Run {
  readonly random: Random
  readonly origins: CacheOrigins
  readonly judge: CacheJudge
  private readonly world: CacheWorld
  private readonly users: CacheUser[] = []
  private readonly servers: CacheOrigin[] = []
  private readonly found: string[] = []
  readonly habits: Habits | null
  private readonly calm: boolean
  private readonly workers: number
  private readonly paths: readonly string[]

  constructor(seed: number) {
    const random = new Random(seed)
    this.random = random
    const { habits, site } = pick(random, THEMES)
    this.habits = habits
    this.calm = habits === null
    this.paths = ["/p0", "/p1", "/p2"].slice(random.below(3))
    this.workers = pick(random, [1, 2, 2])
    const isSmall = chance(random, 0.5)
    const staleSeconds = { whileRevalidating: chance(random, 0.3) ? 20 : 0, ifError: chance(random, 0.3) ? 40 : 0 }
    const cache = {
      ...this.cacheOptions(),
      staleWhileRevalidate: `${staleSeconds.whileRevalidating}s`,
      staleIfError: `${staleSeconds.ifError}s`,
    }
    this.world = new CacheWorld({ ...this.sizes(isSmall), workers: this.workers, cache })
    const largeMax = this.calm || !isSmall ? 20_000 : 60_000
    this.origins = new CacheOrigins(this.world, random, Object.fromEntries(this.paths.map(path => [path, site(random, largeMax)])))
    this.judge = new CacheJudge(this.origins, { swrMs: staleSeconds.whileRevalidating * 1000, sieMs: staleSeconds.ifError * 1000 })
    this.origins.changed = path => this.judge.purged(path, false)
  }

  private cacheOptions() {
    const { random, calm } = this
    return {
      coalesce: calm ? { wait: "1h" } : pick(random, ["off", { wait: "5s" }, { wait: "5s" }, { wait: "1s" }]),
      passMemory: pick(random, ["0s", "1s", "60s"]),
      refreshAhead: chance(random, 0.2) && !calm ? "30%" : "off",
      minUses: chance(random, 0.1) && !calm ? 2 : 1,
    }
  }

  private sizes(isSmall: boolean): Pick<CacheWorldOptions, "bytes" | "entryBytesMax"> {
    return isSmall && !this.calm ? { bytes: 128 * 1024, entryBytesMax: 24 * 1024 } : { bytes: 1024 * 1024 }
  }

  play(): string[] {
    const steps = 100 + this.random.below(500)
    for (let i = 0; i < steps && this.found.length === 0; i++) this.step()
    this.settle()
    // What waits for a time, or was told of by nobody, is dealt with when that has passed.
    for (let i = 0; i < 3 && this.users.some(user => user.waits); i++) {
      this.world.advance(5200)
      this.settle()
    }
    for (const user of this.users) this.found.push(...user.look(true))
    this.world.shutDown()
    return [...this.found, ...this.origins.problems, ...this.world.leaks()]
  }

  private step(): void {
    const { random, world } = this
    const kind = random.below(100)
    if (kind < 10 && this.users.filter(user => !user.isGone).length < 8) this.join()
    else if (kind < 40) this.users[random.below(Math.max(1, this.users.length))]?.ask(this.paths)
    else if (kind < 70) this.adopt()[random.below(Math.max(1, this.servers.length))]?.step(false)
    else if (kind < 78) this.dial()
    else if (kind < 84) world.ring()
    else if (kind < 88) this.room()
    else if (kind < 94) this.wait()
    else if (kind < 97) this.purge()
    else if (!this.calm) this.mishap()
    drainMicrotasks()
    for (const user of this.users) this.found.push(...user.look())
    if (this.calm) this.countFetches()
  }

  private join(): void {
    const { random } = this
    const name = `${pick(random, ["alice", "bob", "carol"])}.${this.users.length}`
    const wire = this.world.connect(random.below(this.workers), chance(random, 0.3) ? random.below(3000) : Number.POSITIVE_INFINITY)
    this.users.push(new CacheUser(wire, name, this))
  }

  private dial(): void {
    const dial = this.world.dials[0]
    if (dial === undefined) return
    if (this.calm || !chance(this.random, 0.1)) dial.open()
    else {
      this.origins.trouble()
      dial.fail(pick(this.random, ["refused", "timeout", "reset"]))
    }
  }

  private room(): void {
    const wires = this.world.clients.filter(wire => !wire.closed && wire.room < 1e9)
    if (wires.length > 0) pick(this.random, wires).take(1 + this.random.below(30_000))
  }

  private wait(): void {
    // Nobody can wait for what is stale before it has come: that is no calm.
    if (this.calm) for (const server of this.adopt()) server.finish()
    this.world.advance(pick(this.random, [1, 100, 1000, 1000, 3000, 8000, 40_000]))
  }

  private purge(): void {
    const path = pick(this.random, this.paths)
    const soft = chance(this.random, 0.3)
    const kind = this.random.below(3)
    if (kind === 0) this.world.control.purge({ by: "prefix", prefix: `http://a.test${path}` }, soft)
    else if (kind === 1) this.world.purge(`http://a.test${path}`, soft)
    else this.world.control.purge({ by: "all" }, soft)
    for (const of of kind === 2 ? this.paths : [path]) this.judge.purged(of, soft)
  }

  private mishap(): void {
    const { random, world } = this
    const upstreams = world.upstreams.filter(wire => !wire.closed)
    if (chance(random, 0.6)) this.users[random.below(Math.max(1, this.users.length))]?.hangUp()
    else if (upstreams.length > 0) {
      this.origins.trouble()
      pick(random, upstreams).reset()
    }
  }

  private adopt(): CacheOrigin[] {
    const { upstreams } = this.world
    for (let i = this.servers.length; i < upstreams.length; i++)
      this.servers.push(new CacheOrigin(upstreams[i]!, this.origins, this.random, this.calm))
    return this.servers
  }

  /** At most one fetch of a URL at a time, but for those that a purge has doomed. */
  private countFetches(): void {
    for (const path of this.paths) {
      const since = this.judge.purges.findLast(purge => purge.path === path)?.seq ?? 0
      const asked = this.servers.filter(server => server.busyWith === path && server.isFor(since)).map(({ asker }) => asker)
      if (asked.length > 1) this.found.push(`${asked.length} fetches of ${path} at once: for ${asked.join(", ")}`)
    }
  }

  /** Everybody does at once and well what is asked of them, until nothing moves; no time passes. */
  private settle(): void {
    const { world } = this
    for (let moved = true, rounds = 0; moved && rounds < 2000; rounds++) {
      moved = false
      for (const dial of [...world.dials]) moved = dial.open() !== null
      for (const wire of world.clients) {
        if (wire.closed || wire.finished || wire.room > 1e9) continue
        wire.take(1e12)
        moved = true
      }
      for (const server of this.adopt()) moved = server.step(true) || moved
      world.ring()
      for (const user of this.users) this.found.push(...user.look())
    }
  }
}
