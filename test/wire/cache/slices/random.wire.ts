import { expect, test } from "bun:test"
import { get, type ServerResponse } from "node:http"
import { Random } from "../../../../src/base/index.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { until } from "../../../support/wait.ts"
import { KB, SlicedWorld } from "./sliced-world.ts"

// Files that change and are purged, an origin that breaks off, clients that ask for anything and leave at any time: what is whole is of one version, octet for octet.

const SLICE = 64 * KB
const TARGETS = ["/a", "/b", "/c"]

function isIdle(metrics: string): boolean {
  return /^bothways_connections_open\{[^}]*\} 0$/m.test(metrics) && /^bothways_peer_in_flight\{[^}]*\} 0$/m.test(metrics)
}

class Chaos {
  readonly world: SlicedWorld
  private readonly random: Random
  /** Bodies by ETag. */
  readonly versions = new Map<string, Buffer>()
  whole = 0
  cut = 0

  constructor(world: SlicedWorld, seed: number) {
    this.world = world
    this.random = new Random(seed)
    for (const target of TARGETS) this.change(target)
  }

  below(n: number): number {
    return this.random.uint32() % n
  }

  change(target: string): void {
    const file = this.world.origin.put(target, SLICE * (1 + this.below(9)) + this.below(SLICE), {
      fields: { "cache-control": ["max-age=600", "no-cache", "max-age=1, stale-while-revalidate=9"][this.below(3)]! },
    })
    this.versions.set(file.etag!, file.body)
    file.script = (_, response) => this.breakOff(response)
  }

  /** Now and then the origin fails, before or in the middle of a slice. */
  private breakOff(response: ServerResponse): boolean {
    const kind = this.below(40)
    if (kind > 1) return false
    if (kind === 0) response.destroy()
    else setTimeout(() => response.destroy(), 1)
    return kind === 0
  }

  private headers(length: number): Record<string, string> {
    const first = this.below(length)
    switch (this.below(6)) {
      case 0:
        return {}
      case 1:
        return { range: `bytes=-${1 + this.below(length)}` }
      case 2:
        return { range: `bytes=${first}-` }
      case 3:
        return { range: `bytes=${first}-${first + this.below(SLICE * 2)}`, "if-range": [...this.versions.keys()][this.below(this.versions.size)]! }
      default:
        return { range: `bytes=${first}-${first + this.below(SLICE * 3)}` }
    }
  }

  /** One request, which may leave in the middle. */
  ask(): Promise<void> {
    const target = TARGETS[this.below(TARGETS.length)]!
    const leaveAt = this.below(4) === 0 ? this.below(SLICE * 2) : Number.POSITIVE_INFINITY
    const headers = { host: "a.test", ...this.headers(this.world.origin.files[target]!.body.length) }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const request = get({ host: "127.0.0.1", port: this.world.port, path: target, headers, agent: false }, response => {
      const chunks: Buffer[] = []
      let octets = 0
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        octets += chunk.length
        if (octets >= leaveAt) request.destroy()
      })
      response.on("close", () => {
        if (!response.complete) this.cut++
        else {
          try {
            this.check(response.statusCode!, response.headers as Record<string, string>, Buffer.concat(chunks))
          } catch (error) {
            reject(error)
          }
        }
        resolve()
      })
    })
    request.on("error", () => resolve())
    return promise
  }

  private check(status: number, fields: Record<string, string>, body: Buffer): void {
    if (status >= 500) return
    if (status === 416) return
    const version = this.versions.get(fields.etag!)!
    expect(version).toBeDefined()
    this.whole++
    if (status === 200) {
      expect(body.equals(version)).toBe(true)
      return
    }
    const [first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(fields["content-range"]!)!.slice(1).map(Number) as [number, number, number]
    expect([status, length, body.equals(version.subarray(first, last + 1))]).toEqual([206, version.length, true])
  }
}

for (const seed of [1, 2]) {
  for (const isOnDisk of [false, true]) {
    test(`seed ${seed}${isOnDisk ? ", with a disk" : ""}`, async () => {
      const disk = isOnDisk ? { disk: { path: temporaryFolder("slices"), size: "64MB" } } : {}
      await using world = await SlicedWorld.start({ workers: 2, cache: { slice: "64KB" }, store: { memory: "4MB", ...disk } })
      const chaos = new Chaos(world, seed)
      const asking = async (): Promise<void> => {
        for (let i = 0; i < 40; i++) await chaos.ask()
      }
      const changing = async (): Promise<void> => {
        for (let i = 0; i < 12; i++) {
          await Bun.sleep(40)
          const target = TARGETS[chaos.below(TARGETS.length)]!
          if (chaos.below(2) === 0) chaos.change(target)
          else await world.purge(`url=http://a.test${target}`)
        }
      }
      await Promise.all([...Array.from({ length: 12 }, asking), changing()])
      expect(chaos.whole).toBeGreaterThan(150)
      // Nobody is left behind.
      // Nobody is left behind, and nothing is held.
      await until(async () => isIdle(await (await world.proxy.ask("/metrics")).text()))
      await world.purge("all=true")
      await until(async () => {
        const stats = (await (await world.proxy.ask("/cache/stats")).json()) as { caches: { main: { memory: { usedBytes: number } } } }
        return stats.caches.main.memory.usedBytes === 0
      })
    }, 30_000)
  }
}
