import { describe, expect, test } from "bun:test"
import { Random } from "../../base/index.ts"
import type { Balancer, BalancerPeer, Tried } from "../../plugin/index.ts"
import { Tried as TriedSet } from "../tried.ts"

/** A peer that the test holds in its hand. */
export class FakePeer implements BalancerPeer {
  readonly name: string
  readonly weight: number
  available = true
  load = 0

  constructor(name: string, weight = 1) {
    this.name = name
    this.weight = weight
  }

  isAvailable(): boolean {
    return this.available
  }

  inFlight(): number {
    return this.load
  }
}

export const nothingTried: Tried = new TriedSet()

/** Random numbers that are the same in every run. */
export function seededRandom(seed: number): () => number {
  const random = new Random(seed)
  return () => random.float()
}

export function makePeers(weights: readonly number[]): FakePeer[] {
  return weights.map((weight, index) => new FakePeer(`10.0.${index >> 8}.${index & 255}:80`, weight))
}

/** How often each peer is chosen in `rounds` selections. */
export function tally(balancer: Balancer, peers: readonly FakePeer[], rounds: number, hash: () => number): number[] {
  const counts = peers.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    const index = balancer.select(hash(), nothingTried)
    if (index >= 0) counts[index]!++
  }
  return counts
}

export interface BalancerContract {
  readonly name: string
  build(random: () => number): Balancer
  /** Share by which a peer's part may differ from its weight's. */
  readonly tolerance: number
}

/** What every balancer must do, whatever its rule. Each one's test runs this. */
export function describeBalancer(contract: BalancerContract): void {
  describe(`${contract.name}: balancer contract`, () => {
    eligibility(contract)
    shares(contract)
    sizes(contract)
    heap(contract)
  })
}

function start(contract: BalancerContract, peers: readonly FakePeer[], seed = 1): Balancer {
  const balancer = contract.build(seededRandom(seed))
  balancer.peersChanged(peers)
  return balancer
}

function hashes(seed: number): () => number {
  const random = new Random(seed)
  return () => random.uint32()
}

function eligibility(contract: BalancerContract): void {
  test("picks nothing before it has peers, and when there are none", () => {
    const balancer = contract.build(seededRandom(1))
    expect(balancer.select(1, nothingTried)).toBe(-1)
    balancer.peersChanged([])
    expect(balancer.select(1, nothingTried)).toBe(-1)
  })

  test("never picks a peer that is tried, unavailable or of weight 0", () => {
    const peers = makePeers([1, 0, 2, 3, 1, 0, 4, 1])
    peers[3]!.available = false
    const balancer = start(contract, peers)
    const tried = new TriedSet()
    tried.add(0)
    tried.add(6)
    const hash = hashes(2)
    const seen = new Set<number>()
    for (let round = 0; round < 2_000; round++) seen.add(balancer.select(hash(), tried))
    expect([...seen].sort()).toEqual([2, 4, 7])
  })

  test("goes through all peers by retries, each once, then -1", () => {
    const peers = makePeers([1, 2, 3, 0, 5])
    const balancer = start(contract, peers)
    const hash = hashes(3)
    for (let round = 0; round < 50; round++) {
      const tried = new TriedSet()
      const key = hash()
      for (let attempt = 0; attempt < 4; attempt++) {
        const index = balancer.select(key, tried)
        expect(tried.has(index)).toBe(false)
        tried.add(index)
      }
      expect(tried.has(3)).toBe(false)
      expect(balancer.select(key, tried)).toBe(-1)
    }
  })

  test("says -1 while all are unavailable and recovers with the first that comes back", () => {
    const peers = makePeers([1, 2, 1])
    const balancer = start(contract, peers)
    const hash = hashes(4)
    for (const peer of peers) peer.available = false
    for (let round = 0; round < 20; round++) expect(balancer.select(hash(), nothingTried)).toBe(-1)
    peers[1]!.available = true
    for (let round = 0; round < 20; round++) expect(balancer.select(hash(), nothingTried)).toBe(1)
  })

  test("takes a new list, shorter or longer", () => {
    const balancer = start(contract, makePeers([1, 1, 1, 1]))
    const hash = hashes(5)
    tally(balancer, makePeers([1, 1, 1, 1]), 10, hash)
    for (const size of [1, 40, 2]) {
      const peers = makePeers(new Array<number>(size).fill(1))
      balancer.peersChanged(peers)
      const counts = tally(balancer, peers, 4_000, hash)
      expect(counts.every(count => count > 0)).toBe(true)
    }
  })
}

function shares(contract: BalancerContract): void {
  for (const weights of [
    [1, 1, 1],
    [5, 1, 1],
    [1, 2, 3, 4],
    [10, 0, 20],
  ]) {
    test(`shares by the weights ${weights.join(", ")}`, () => {
      const peers = makePeers(weights)
      expectShares(contract, tally(start(contract, peers), peers, 40_000, hashes(6)), weights)
    })
  }

  test("shares what a lost peer had by the weights of the others", () => {
    const peers = makePeers([1, 1, 2, 4])
    peers[1]!.available = false
    expectShares(contract, tally(start(contract, peers), peers, 40_000, hashes(7)), [1, 0, 2, 4])
  })

  test("is the same under the same random numbers", () => {
    const peers = makePeers([1, 2, 3, 4, 5])
    const once = start(contract, peers, 9)
    const again = start(contract, peers, 9)
    const hash = hashes(8)
    for (let round = 0; round < 1_000; round++) {
      const key = hash()
      expect(again.select(key, nothingTried)).toBe(once.select(key, nothingTried))
    }
  })
}

function expectShares(contract: BalancerContract, counts: readonly number[], weights: readonly number[]): void {
  const rounds = counts.reduce((sum, count) => sum + count, 0)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  for (let index = 0; index < counts.length; index++) {
    const wanted = (rounds * weights[index]!) / total
    expect(Math.abs(counts[index]! - wanted)).toBeLessThanOrEqual(wanted * contract.tolerance)
  }
}

function sizes(contract: BalancerContract): void {
  test("works with one peer", () => {
    const peers = makePeers([3])
    const balancer = start(contract, peers)
    expect(tally(balancer, peers, 100, hashes(9))).toEqual([100])
  })

  test("works with 1,000 peers and reaches every one", () => {
    const peers = makePeers(new Array<number>(1_000).fill(1))
    const balancer = start(contract, peers)
    const counts = tally(balancer, peers, 30_000, hashes(10))
    expect(counts.every(count => count > 0)).toBe(true)
  })

  test("finds the only available one of 1,000", () => {
    const peers = makePeers(new Array<number>(1_000).fill(1).map((_, index) => 1 + (index % 3)))
    for (const peer of peers) peer.available = false
    peers[777]!.available = true
    const balancer = start(contract, peers)
    const hash = hashes(11)
    for (let round = 0; round < 50; round++) expect(balancer.select(hash(), nothingTried)).toBe(777)
  })
}

function heap(contract: BalancerContract): void {
  test("does not allocate: a million selections do not wake the collector", async () => {
    const peers = makePeers([1, 2, 3, 0, 5, 1, 1, 1])
    peers[2]!.available = false
    const balancer = start(contract, peers)
    select(balancer, 100_000)
    // The collector may wake for reasons of its own, but not five times in turn.
    expect(await alwaysCollected(() => select(balancer, 1_000_000))).toBe(false)
    // The yardstick: small objects wake it every time; how many that takes grows with the heap of whatever else runs in this process.
    expect(await alwaysCollected(() => allocate(30_000_000))).toBe(true)
  })
}

function select(balancer: Balancer, rounds: number): void {
  for (let round = 0; round < rounds; round++) balancer.select(Math.imul(round, 0x9e3779b1) >>> 0, nothingTried)
}

const box: { last: { round: number } | null } = { last: null }

function allocate(rounds: number): void {
  for (let round = 0; round < rounds; round++) box.last = { round }
}

async function alwaysCollected(work: () => void): Promise<boolean> {
  for (let time = 0; time < 5; time++) if (!(await collected(work))) return false
  return true
}

/** Whether the collector ran during `work`: then it took an object that nobody holds. */
async function collected(work: () => void): Promise<boolean> {
  Bun.gc(true)
  const unheld = new WeakRef({ size: 1 })
  // Until the job that made it ends, a WeakRef keeps its target.
  await new Promise(resolve => setTimeout(resolve, 1))
  work()
  return unheld.deref() === undefined
}
