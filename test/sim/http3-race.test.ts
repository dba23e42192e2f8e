import { afterEach, describe, expect, test } from "bun:test"
import { Random, setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import type { OriginUpgrade } from "../../src/upstream/index.ts"
import type { FakeQuic } from "./fake-quic.ts"
import type { FakeWire } from "./fake-wire.ts"
import { World } from "./world.ts"

// HTTP/3 against TCP towards one origin: whoever is there first serves, and nothing is left over, whenever anybody gives up.
afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1"

class Race {
  readonly world: World
  readonly quics: FakeQuic[] = []

  constructor(http: OriginUpgrade["http"] = "auto", seed = 1) {
    this.world = new World({ forward: true, upgrade: { tls: false, http, ca: null }, seed })
    this.world.origins.memory.offered("a.test:443", 443)
  }

  ask(): FakeWire {
    const client = this.world.connect()
    client.deliver("GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
    return client
  }

  lookUp(): void {
    for (const lookup of [...this.world.lookups]) lookup.answer(1)
  }

  openQuic(streamsMax?: number): FakeQuic {
    const quic = this.world.quicDials[0]!.open(streamsMax)
    this.quics.push(quic)
    return quic
  }

  /** All that is under way at either side is answered. */
  async respond(): Promise<void> {
    await turn()
    for (const quic of this.quics) for (const stream of [...quic.streams]) if (!quic.aborted.includes(stream)) stream.respond()
    for (const wire of this.world.upstreams) if (!wire.closed && wire.sent.split("GET ").length - 1 > answered(wire)) wire.deliver(answer)
    await turn()
  }

  /** Everything ends; what must be nought then. */
  leaks(): string[] {
    const { world } = this
    for (const lookup of [...world.lookups]) lookup.answer(0)
    for (const wire of world.clients) if (!wire.closed) wire.reset()
    for (const dial of [...world.quicDials]) dial.fail()
    for (const quic of this.quics) quic.end("")
    world.advance(1000)
    for (const dial of [...world.quicDials]) dial.fail()
    world.shutDown()
    return world.leaks().filter(text => !/HTTP\/3 does not work|the TLS handshake with a peer failed/.test(text))
  }
}

const counts = new WeakMap<FakeWire, number>()
function answered(wire: FakeWire): number {
  const count = counts.get(wire) ?? 0
  counts.set(wire, count + 1)
  return count
}

describe("who is first", () => {
  test("HTTP/3: TCP is not tried", async () => {
    const race = new Race()
    const client = race.ask()
    race.lookUp()
    expect([race.world.quicDials.length, race.world.dials.length]).toEqual([1, 0])
    race.openQuic()
    await race.respond()
    expect(client.sent).toEndWith("h3")
    race.world.advance(1000)
    expect(race.world.dials.length).toBe(0)
    expect(race.leaks()).toEqual([])
  })
  test("TCP, a quarter of a second later: HTTP/3 serves the next one", async () => {
    const race = new Race()
    const client = race.ask()
    race.lookUp()
    race.world.advance(200)
    expect(race.world.dials.length).toBe(0)
    race.world.advance(100)
    expect(race.world.dials.length).toBe(1)
    race.world.dials[0]!.open()
    await race.respond()
    expect(client.sent).toEndWith("h1")
    race.openQuic()
    const second = race.ask()
    await race.respond()
    expect(second.sent).toEndWith("h3")
    expect(race.leaks()).toEqual([])
  })
  test("HTTP/3 fails: TCP at once, and it is left alone", async () => {
    const race = new Race()
    const client = race.ask()
    race.lookUp()
    race.world.quicDials[0]!.fail()
    expect(race.world.dials.length).toBe(1)
    race.world.dials[0]!.open()
    await race.respond()
    expect(client.sent).toEndWith("h1")
    const second = race.ask()
    await race.respond()
    expect([second.sent.endsWith("h1"), race.world.quicDials.length]).toEqual([true, 0])
    expect(race.leaks()).toEqual([])
  })
  test("both fail", () => {
    const race = new Race()
    const client = race.ask()
    race.lookUp()
    race.world.advance(300)
    race.world.dials[0]!.fail()
    // One retry: the addresses start again.
    race.lookUp()
    race.world.advance(300)
    for (const dial of [...race.world.dials]) dial.fail()
    race.world.quicDials[0]?.fail()
    expect(client.sent).toStartWith("HTTP/1.1 502")
    expect(race.leaks()).toEqual([])
  })
  test("a crowd: one dials beside for all, and when that is HTTP/1.1 each has its own", async () => {
    const race = new Race()
    const clients = Array.from({ length: 20 }, () => race.ask())
    race.lookUp()
    expect(race.world.quicDials.length).toBe(1)
    race.world.advance(300)
    expect(race.world.dials.length).toBe(1)
    race.world.dials[0]!.open()
    expect(race.world.dials.length).toBe(19)
    for (const dial of [...race.world.dials]) dial.open()
    await race.respond()
    expect(clients.filter(client => client.sent.endsWith("h1")).length).toBe(20)
    expect(race.leaks()).toEqual([])
  })
  test("a crowd, and the one that dials beside fails: another one does", async () => {
    const race = new Race()
    const clients = Array.from({ length: 3 }, () => race.ask())
    race.lookUp()
    race.world.advance(300)
    race.world.dials[0]!.fail("tls")
    race.world.advance(600)
    expect(race.world.dials.length).toBeGreaterThan(0)
    for (let round = 0; round < 6; round++) {
      race.lookUp()
      for (const dial of [...race.world.dials]) dial.open()
      race.world.advance(300)
    }
    await race.respond()
    expect(clients.filter(client => client.sent.endsWith("h1")).length).toBeGreaterThanOrEqual(2)
    expect(race.leaks()).toEqual([])
  })
  test("HTTP/3 alone: more than one connection takes, so another one is dialled", async () => {
    const race = new Race("http3")
    const clients = Array.from({ length: 5 }, () => race.ask())
    race.lookUp()
    race.openQuic(2)
    expect([race.world.quicDials.length, race.world.dials.length]).toEqual([1, 0])
    race.openQuic(2)
    await race.respond()
    race.openQuic(2)
    await race.respond()
    expect(clients.filter(client => client.sent.endsWith("h3")).length).toBe(5)
    expect(race.world.dials.length).toBe(0)
    expect(race.leaks()).toEqual([])
  })
})

describe("the client goes", () => {
  const moments: Record<string, (race: Race) => void> = {
    "while the name is looked up": () => {},
    "while HTTP/3 is tried": race => race.lookUp(),
    "while both are tried": race => {
      race.lookUp()
      race.world.advance(300)
    },
    "when TCP has failed": race => {
      race.lookUp()
      race.world.advance(300)
      race.world.dials[0]!.fail()
    },
    "when HTTP/3 has failed": race => {
      race.lookUp()
      race.world.quicDials[0]!.fail()
    },
    "on its way over HTTP/3": race => {
      race.lookUp()
      race.openQuic()
    },
    "on its way over TCP": race => {
      race.lookUp()
      race.world.advance(300)
      race.world.dials[0]!.open()
    },
  }
  for (const [name, play] of Object.entries(moments)) {
    test(name, async () => {
      const race = new Race()
      const client = race.ask()
      play(race)
      client.reset()
      expect(race.world.dials.length).toBe(0)
      // Somebody else comes, and is served.
      race.lookUp()
      const other = race.ask()
      race.lookUp()
      if (race.world.quicDials.length > 0) race.openQuic()
      if (race.world.dials.length > 0) race.world.dials[0]!.open()
      await race.respond()
      expect(other.sent).toStartWith("HTTP/1.1 200")
      for (const quic of race.quics) quic.settle()
      expect(race.leaks()).toEqual([])
    })
  }
})

test("any order of all of it", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const race = new Race(seed % 5 === 0 ? "http3" : "auto", seed)
    const random = new Random(seed)
    const { world } = race
    const one = <T>(list: readonly T[]): T | undefined => list[random.below(Math.max(1, list.length))]
    for (let step = 0; step < 60; step++) {
      const what = random.below(13)
      if (what < 2) race.ask()
      else if (what === 2) one(world.lookups)?.answer(random.below(4))
      else if (what === 3) world.advance(random.below(500))
      else if (what === 4) one(world.dials)?.open()
      else if (what === 5) one(world.dials)?.fail(random.below(2) === 0 ? "refused" : "tls")
      else if (what === 6 && world.quicDials.length > 0) race.openQuic(1 + random.below(3))
      else if (what === 7) one(world.quicDials)?.fail()
      else if (what === 8) {
        const client = one(world.clients)
        if (client !== undefined && !client.closed) client.reset()
      } else if (what === 9) await race.respond()
      else if (what === 10) one(race.quics)?.settle()
      else if (what === 11) one([...(one(race.quics)?.streams ?? [])])?.refuse()
      else {
        const quic = one(race.quics)
        if (random.below(2) === 0) quic?.end(random.below(2) === 0 ? "" : "lost")
        else if (quic?.isOpen) quic.goAway()
      }
    }
    expect([seed, race.leaks()]).toEqual([seed, []])
  }
}, 30_000)
