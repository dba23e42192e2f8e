import { Random } from "../../src/base/index.ts"
import { errorCode } from "../support/h2/frames.ts"
import type { FakeWire } from "./fake-wire.ts"
import { chance, pick } from "./script.ts"
import { SimH2Peer } from "./sim-h2-peer.ts"
import { World } from "./world.ts"

/** What an HTTP/2 connection has collected leaves at the end of the turn. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/**
 * One run: clients with a request each, peers that speak HTTP/2 and do whatever they may, dials that succeed, fail and are given up, in a random order;
 * then everybody does what is asked of them, and no time passes: whoever was forgotten is found now. Returns what is wrong.
 */
export async function sharedRun(seed: number): Promise<string[]> {
  const run = new SharedRun(seed)
  try {
    return await run.play()
  } catch (error) {
    return [`threw: ${(error as Error).stack}`]
  }
}

class SharedRun {
  private readonly random: Random
  private readonly world: World
  private readonly peers: SimH2Peer[] = []
  private readonly clients: { wire: FakeWire; id: string }[] = []
  private readonly found: string[] = []
  private readonly mixed: boolean
  /** In the end nobody waits for the end of another one's answer. */
  private readonly endless: boolean

  constructor(seed: number) {
    const random = new Random(seed)
    this.random = random
    this.mixed = chance(random, 0.2)
    const connectionsMax = pick(random, [0, 0, 1, 2])
    this.endless = connectionsMax === 0 && chance(random, 0.5)
    this.world = new World({
      seed,
      peers: 1 + random.below(2),
      pool: {
        protocol: this.mixed ? "auto" : "http2",
        secure: this.mixed,
        connectionsMax,
        requestsMax: pick(random, [0, 0, 1, 3]),
        streamsMax: pick(random, [100, 3]),
        waitersMax: pick(random, [64, 64, 2]),
      },
      rules: { attemptsMax: pick(random, [1, 2, 3]) },
      requestFilter: chance(random, 0.2),
    })
  }

  async play(): Promise<string[]> {
    const steps = 20 + this.random.below(300)
    for (let i = 0; i < steps; i++) {
      this.step()
      if (chance(this.random, 0.5)) await this.look()
    }
    await this.settle()
    for (const { wire, id } of this.clients) if (!wire.closed && !answered(wire, this.endless)) this.found.push(`${id} was forgotten`)
    this.world.shutDown()
    this.found.push(...this.world.leaks(), ...this.peers.flatMap(peer => peer.problems))
    for (const { fault, id } of this.world.logged) if (fault === "proxy.internal") this.found.push(`${id}: ${fault}`)
    if (this.world.logged.length !== this.clients.length) this.found.push(`${this.world.logged.length} logged of ${this.clients.length}`)
    return this.found
  }

  private step(): void {
    const { random, world } = this
    const kind = random.below(100)
    const live = this.peers.filter(peer => !peer.wire.closed)
    if (kind < 35) this.ask()
    else if (kind < 50) this.dial()
    else if (kind < 55) world.filters[random.below(Math.max(1, world.filters.length))]?.release()
    else if (kind < 60) this.clients[random.below(Math.max(1, this.clients.length))]?.wire.reset()
    else if (kind < 64) world.advance(pick(random, [1, 100, 1000, 6000]))
    else if (kind < 66) world.setPeers(1 + random.below(2))
    else if (live.length > 0) this.act(pick(random, live))
  }

  private ask(): void {
    const wire = this.world.connect()
    const id = `r${this.clients.length}`
    this.clients.push({ wire, id })
    const post = chance(this.random, 0.3)
    wire.deliver(`${post ? "POST" : "GET"} / HTTP/1.1\r\nHost: a.test\r\nX-Id: ${id}\r\n${post ? "Content-Length: 2\r\n\r\nab" : "\r\n"}`)
  }

  private dial(): void {
    const dial = pick(this.random, this.world.dials)
    if (dial === undefined) return
    if (chance(this.random, 0.25)) dial.fail(pick(this.random, ["refused", "timeout", "reset"]))
    else dial.open(Number.POSITIVE_INFINITY, this.mixed ? pick(this.random, ["h2", "h2", "http/1.1"]) : "")
  }

  private act(peer: SimH2Peer): void {
    const { random } = this
    const id = pick(random, [...peer.open]) ?? 0
    const kind = random.below(20)
    if (!peer.settled && kind < 12) peer.settings(pick(random, [100, 1, 2, 5, 0]))
    else if (kind < 3) peer.settings(pick(random, [100, 1, 2, 5, 0]))
    else if (kind < 6) peer.head(id)
    else if (kind < 9) peer.data(id, chance(random, 0.5))
    else if (kind < 13) peer.finish(id)
    else if (kind < 16) peer.reset(id, pick(random, [errorCode.refusedStream, errorCode.internalError, errorCode.cancel]))
    else if (kind < 18) peer.goaway(pick(random, [0, id, peer.highest, 2 ** 31 - 1]))
    else if (kind === 18 && peer.wire.listening) peer.wire.fin()
    else peer.wire.reset()
  }

  /** Frames leave, and peers read them; counts stay what they can be. */
  private async look(): Promise<boolean> {
    await turn()
    const { upstreams } = this.world
    let moved = false
    for (const wire of upstreams) {
      if (this.peers.some(peer => peer.wire === wire)) continue
      // Those of HTTP/1.1 answer at once, whatever it is.
      if (wire.sent.startsWith("PRI ")) this.peers.push(new SimH2Peer(wire))
      else moved = this.answerPlainly(wire) || moved
    }
    for (const peer of this.peers) moved = peer.read() || moved
    const { busy, idle } = this.world.cluster.counts()
    if (busy < 0 || idle < 0) this.found.push(`busy ${busy}, idle ${idle}`)
    return moved
  }

  private readonly plain = new Map<FakeWire, number>()

  private answerPlainly(wire: FakeWire): boolean {
    const asked = wire.sent.split("HTTP/1.1\r\n").length - 1
    const answeredSoFar = this.plain.get(wire) ?? 0
    if (asked <= answeredSoFar || !wire.listening) return false
    this.plain.set(wire, answeredSoFar + 1)
    wire.deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return true
  }

  /** Everybody does what is asked of them, until nothing moves; no time passes. */
  private async settle(): Promise<void> {
    for (let moved = true, rounds = 0; moved && rounds < 2000; rounds++) {
      moved = false
      for (const dial of [...this.world.dials]) {
        if (dial.over) continue
        dial.open(Number.POSITIVE_INFINITY, this.mixed ? "h2" : "")
        moved = true
      }
      for (const filter of [...this.world.filters]) {
        if (!this.world.filters.includes(filter)) continue
        filter.release()
        moved = true
      }
      moved = (await this.look()) || moved
      for (const peer of this.peers) {
        if (peer.wire.closed) continue
        if (!peer.settled || rounds === 0) {
          peer.settings(100)
          moved = true
        }
        for (const id of [...peer.open]) {
          if (this.endless && peer.headed.has(id)) continue
          if (this.endless) peer.head(id)
          else peer.finish(id)
          moved = true
        }
      }
    }
  }
}

/** A whole answer has come, or the head of one that does not end. */
function answered(wire: FakeWire, endless: boolean): boolean {
  const head = wire.sent.indexOf("\r\n\r\n")
  if (head < 0) return false
  if (!endless && /transfer-encoding: chunked/i.test(wire.sent)) return wire.sent.endsWith("0\r\n\r\n")
  return true
}
