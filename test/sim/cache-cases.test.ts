import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { Asker, cacheStory, chunk, chunkedHead, countAsked, lastChunk, openUpstream, reply } from "./cache-story.ts"

// What random runs and reviews have found in the cache's engine, each as a story of its own.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const URL = "http://a.test/a"
const TAGGED = ["Cache-Control: max-age=1", 'ETag: "e"']

describe("a purge", () => {
  test("while the head is awaited: who asked is served, who asks later is not from that", () => {
    cacheStory({}, world => {
      const first = new Asker(world).ask()
      const waiting = new Asker(world).ask()
      const upstream = openUpstream(world)
      world.purge(URL)
      world.ring()
      upstream.deliver(reply("old"))
      expect(first.last).toBe("200 old")
      openUpstream(world).deliver(reply("new"))
      expect(waiting.last).toBe("200 new")
      expect(first.ask().last).toBe("200 new")
    })
  })

  test("while it is asked whether what is stored has changed: who asked is served", () => {
    for (const answer of ['HTTP/1.1 304 Not Modified\r\nETag: "e"\r\nCache-Control: max-age=9\r\n\r\n', reply("old", ["Cache-Control: max-age=9"])]) {
      cacheStory({}, world => {
        const user = new Asker(world).ask()
        const upstream = openUpstream(world)
        upstream.deliver(reply("old", TAGGED))
        world.advance(3000)
        user.ask()
        world.purge(URL)
        upstream.deliver(answer)
        expect(user.last).toBe("200 old")
        user.ask()
        upstream.deliver(reply("new"))
        expect(user.last).toBe("200 new")
      })
    }
  })

  test("reaches a fetch whose answer turns out to have variants", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask()
      const upstream = openUpstream(world)
      world.purge(URL)
      upstream.deliver(reply("old", ["Cache-Control: max-age=60", "Vary: x-a"]))
      expect(user.last).toBe("200 old")
      user.ask({ fields: ["X-A: other"] })
      upstream.deliver(reply("other", ["Cache-Control: max-age=60", "Vary: x-a"]))
      expect([user.last, user.ask({ fields: ["X-A: other"] }).last]).toEqual(["200 other", "200 other"])
      user.ask()
      upstream.deliver(reply("new", ["Cache-Control: max-age=60", "Vary: x-a"]))
      expect([user.last, countAsked(world)]).toEqual(["200 new", 3])
    })
  })

  test("reaches a fetch that nobody waits for", () => {
    for (const asking of ["Authorization: Basic eDp5", "Range: bytes=0-1"]) {
      cacheStory({}, world => {
        const user = new Asker(world).ask({ fields: [asking] })
        const upstream = openUpstream(world)
        world.purge(URL)
        upstream.deliver(reply("old", ["Cache-Control: public, max-age=60"]))
        expect(user.last).toBe("200 old")
        user.ask()
        expect(countAsked(world)).toBe(2)
      })
    }
  })

  test("by a POST names the URL as the policy sees it", () => {
    cacheStory({ cache: { key: { query: "ignore" } } }, world => {
      const user = new Asker(world).ask({ path: "/a?x=1" })
      const upstream = openUpstream(world)
      upstream.deliver(reply("old"))
      user.ask({ path: "/a?x=2", method: "POST", fields: ["Content-Length: 0"] })
      upstream.deliver(reply("done"))
      user.ask({ path: "/a?x=1" })
      upstream.deliver(reply("new"))
      expect(user.last).toBe("200 new")
    })
  })
})

describe("a rule that lets requests pass", () => {
  const PRIVATE = ["Cache-Control: private"]

  test("goes when the answer may be stored after all; what is stored does not go with it", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask()
      const upstream = openUpstream(world)
      upstream.deliver(reply("mine", PRIVATE))
      user.ask()
      upstream.deliver(reply("all"))
      user.ask()
      upstream.deliver(reply("all"))
      expect([user.ask().last, countAsked(world)]).toEqual(["200 all", 3])
    })
  })

  test("is that of the variant", () => {
    cacheStory({}, world => {
      const user = new Asker(world)
      const one = { fields: ["X-A: 1"] }
      const two = { fields: ["X-A: 2"] }
      user.ask(one)
      const upstream = openUpstream(world)
      const vary = ["Vary: X-A", "Cache-Control: max-age=60"]
      upstream.deliver(reply("one", vary))
      user.ask(two)
      upstream.deliver(reply("mine", PRIVATE))
      for (let i = 0; i < 2; i++) {
        user.ask(two)
        upstream.deliver(reply("two", vary))
      }
      expect([user.ask(two).last, user.ask(one).last, countAsked(world)]).toEqual(["200 two", "200 one", 4])
    })
  })

  test("does not let those pass who want a stored answer only", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask()
      openUpstream(world).deliver(reply("mine", PRIVATE))
      expect(user.ask({ fields: ["Cache-Control: only-if-cached"] }).last).toStartWith("504 ")
      expect(countAsked(world)).toBe(1)
    })
  })

  test("is not what a request had that went by itself for another reason", () => {
    cacheStory({ cache: { minUses: 2 } }, world => {
      const early = new Asker(world).ask()
      const slow = openUpstream(world)
      const second = new Asker(world).ask()
      openUpstream(world).deliver(reply("stored"))
      slow.deliver(reply("early"))
      expect([early.last, second.last, second.ask().last]).toEqual(["200 early", "200 stored", "200 stored"])
    })
  })
})

describe("those who wait", () => {
  test("for a revalidation that fails get the stale answer like the one who asked", () => {
    cacheStory({}, world => {
      const users = [new Asker(world), new Asker(world), new Asker(world)]
      users[0]!.ask()
      const upstream = openUpstream(world)
      upstream.deliver(reply("old", ["Cache-Control: max-age=1, stale-if-error=100", 'ETag: "e"']))
      world.advance(3000)
      for (const user of users) user.ask()
      upstream.deliver(reply("no", [], "500 Oh"))
      expect(users.map(user => user.last)).toEqual(["200 old", "200 old", "200 old"])
      expect(countAsked(world)).toBe(2)
    })
  })

  test("for a fetch that fails are told so at once", () => {
    cacheStory({}, world => {
      const users = [new Asker(world).ask(), new Asker(world).ask(), new Asker(world).ask()]
      world.dials[0]!.fail()
      expect(users.map(user => user.last.slice(0, 3))).toEqual(["502", "502", "502"])
    })
  })

  test("in another thread for a body of unknown length do not keep it from its work", () => {
    cacheStory({ workers: 2 }, world => {
      new Asker(world).ask()
      const waiting = new Asker(world, 1).ask()
      const upstream = openUpstream(world)
      let looks = 0
      const { watches } = world.workers[1]!.memory
      const look = watches.remove.bind(watches)
      watches.remove = (entry, changed) => {
        if (++looks > 1000) throw new Error("it goes on looking")
        look(entry, changed)
      }
      const add = watches.add.bind(watches)
      watches.add = (entry, changed) => {
        if (++looks > 1000) throw new Error("it goes on looking")
        add(entry, changed)
      }
      upstream.deliver(chunkedHead)
      for (const body of ["one", "two", "three"]) {
        upstream.deliver(chunk(body))
        world.ring()
      }
      expect(looks).toBeLessThan(20)
      upstream.deliver(lastChunk)
      world.ring()
      expect(waiting.last).toBe("200 onetwothree")
    })
  })

  test("are told apart from those who find it, also among variants", () => {
    cacheStory({ workers: 2 }, world => {
      const first = new Asker(world).ask({ fields: ["X-Id: first"] })
      const waiting = new Asker(world).ask({ fields: ["X-Id: waiting"] })
      openUpstream(world).deliver(reply("a", ["Cache-Control: max-age=60", "Vary: x-a"]))
      const later = new Asker(world, 1).ask({ fields: ["X-Id: later"] })
      expect([first.last, waiting.last, later.last]).toEqual(["200 a", "200 a", "200 a"])
      expect(Object.fromEntries(world.seen.map(({ id, cache }) => [id, cache]))).toEqual({ first: "miss", waiting: "coalesced", later: "hit" })
    })
  })
})

describe("a body that grows", () => {
  test("in another thread: who begins to read it while it is looked at for others reads on", () => {
    cacheStory({ workers: 2 }, world => {
      new Asker(world).ask()
      const upstream = openUpstream(world)
      new Asker(world).ask({ path: "/b" })
      const other = openUpstream(world)
      const turned = new Asker(world, 1).ask()
      const reading = new Asker(world, 1).ask({ path: "/b" })
      other.deliver("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 8\r\n\r\nha")
      upstream.deliver("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nab")
      world.ring()
      const { memory } = world.workers[1]!
      const answered = memory.watches.add.bind(memory.watches)
      let joined: Asker | null = null
      memory.watches.add = (entry, changed) => {
        answered(entry, changed)
        memory.watches.add = answered
        // As if its request had come from within the other one's turn.
        joined = new Asker(world, 1).ask({ path: "/b" })
      }
      upstream.deliver("c")
      other.deliver("l")
      world.ring()
      upstream.deliver("d")
      other.deliver("fhalf")
      world.ring()
      expect([turned.last, reading.last, joined!.last]).toEqual(["200 abcd", "200 halfhalf", "200 halfhalf"])
    })
  })

  test("whoever joins gets at once what is there", () => {
    cacheStory({}, world => {
      new Asker(world).ask()
      const upstream = openUpstream(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 8\r\n\r\nhalf")
      const joined = new Asker(world).ask()
      expect(joined.wire.sent).toEndWith("\r\n\r\nhalf")
      upstream.deliver("half")
      expect(joined.last).toBe("200 halfhalf")
    })
  })

  test("a slow client is given what has come as soon as it has room", () => {
    cacheStory({}, world => {
      const slow = new Asker(world, 0, 10).ask()
      const upstream = openUpstream(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 8\r\n\r\nha")
      upstream.deliver("lf")
      slow.wire.take(1000)
      expect(slow.wire.sent).toEndWith("\r\n\r\nhalf")
    })
  })
})

describe("a body that grows for longer than it is fresh", () => {
  const head = `HTTP/1.1 200 OK\r\n${TAGGED.join("\r\n")}\r\n`

  test("is asked for anew at once, not waited for", () => {
    cacheStory({}, world => {
      const slow = new Asker(world).ask()
      const upstream = openUpstream(world)
      upstream.deliver(`${head}Content-Length: 8\r\n\r\nhalf`)
      world.advance(2000)
      const later = new Asker(world).ask()
      expect(world.dials.length).toBe(1)
      const second = openUpstream(world)
      expect(second.sent).not.toContain("If-None-Match")
      second.deliver(reply("halfhalf", TAGGED))
      upstream.deliver("half")
      expect([slow.last, later.last]).toEqual(["200 halfhalf", "200 halfhalf"])
    })
  })

  test("and turns out too large: who asked meanwhile whether it has changed does not get the beginning for all of it", () => {
    cacheStory({ bytes: 128 * 1024, entryBytesMax: 16 * 1024 }, world => {
      const piece = "x".repeat(4096)
      const slow = new Asker(world).ask()
      const upstream = openUpstream(world)
      upstream.deliver(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk(piece)}`)
      world.advance(2000)
      const later = new Asker(world).ask()
      const second = openUpstream(world)
      for (let i = 0; i < 5; i++) upstream.deliver(chunk(piece))
      second.deliver('HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n')
      upstream.deliver(lastChunk)
      expect(slow.last).toBe(`200 ${piece.repeat(6)}`)
      // A 304 to a request without a condition is nothing that it could be served from.
      expect(later.last).toBe("304")
    })
  })
})

describe("a body that is too large for the store", () => {
  const small = { bytes: 128 * 1024, entryBytesMax: 16 * 1024 }
  const piece = "x".repeat(4096)

  test("goes on to those who read it, also when the slow one has not taken what is there", () => {
    cacheStory(small, world => {
      const slow = new Asker(world, 0, 5000).ask()
      const fast = new Asker(world).ask()
      const upstream = openUpstream(world)
      upstream.deliver(chunkedHead)
      for (let i = 0; i < 3; i++) upstream.deliver(chunk(piece))
      // All in one read: nobody can stop in the middle of it.
      upstream.deliver(chunk(piece) + chunk(piece) + chunk(piece))
      expect(upstream.paused).toBe(true)
      for (let i = 0; i < 10; i++) {
        slow.wire.take(5000)
        world.ring()
      }
      expect(upstream.paused).toBe(false)
      upstream.deliver(lastChunk)
      for (const { last } of [slow, fast]) expect(last).toBe(`200 ${piece.repeat(6)}`)
      expect(fast.ask().last).toBe("")
      expect(countAsked(world)).toBe(2)
    })
  })

  test("and that nobody reads any more is given up, and nothing of it stays", () => {
    for (const early of [true, false]) {
      cacheStory(small, world => {
        const user = new Asker(world).ask()
        const upstream = openUpstream(world)
        upstream.deliver(chunkedHead)
        if (early) user.wire.reset()
        for (let i = 0; i < 10 && upstream.listening; i++) {
          upstream.deliver(chunk(piece))
          if (!early && i === 6) user.wire.reset()
        }
        expect(upstream.closed).toBe(true)
      })
    }
  })
})

describe("a revalidation in the background", () => {
  test("with credentials takes nothing away that others have", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask()
      const upstream = openUpstream(world)
      upstream.deliver(reply("all", ["Cache-Control: public, max-age=1, stale-while-revalidate=100"]))
      world.advance(2000)
      user.ask({ fields: ["Authorization: Basic eDp5"] })
      upstream.deliver(reply("mine", ["Cache-Control: private, max-age=60"]))
      expect([user.last, user.ask().last]).toEqual(["200 all", "200 all"])
    })
  })

  test("that fails is tried again with the next request", () => {
    for (const more of ["", ", stale-if-error=100"]) {
      cacheStory({}, world => {
        const user = new Asker(world).ask()
        const upstream = openUpstream(world)
        upstream.deliver(reply("old", [`Cache-Control: max-age=1, stale-while-revalidate=100${more}`, 'ETag: "e"']))
        for (let i = 0; i < 3; i++) {
          world.advance(2000)
          expect(user.ask().last).toBe("200 old")
          const asked = i === 0 ? upstream : openUpstream(world)
          expect(asked.sent).toContain('If-None-Match: "e"')
          asked.deliver(reply("no", [], "500 Oh"))
        }
      })
    }
  })
})

describe("parts", () => {
  test("that have been marked as stale are asked for anew", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask({ fields: ["Range: bytes=0-3"] })
      const upstream = openUpstream(world)
      upstream.deliver(reply("0123", ["Cache-Control: max-age=60", "Content-Range: bytes 0-3/9"], "206 Partial Content"))
      expect(user.ask({ fields: ["Range: bytes=1-2"] }).last).toBe("206 12")
      world.purge(URL, true)
      user.ask({ fields: ["Range: bytes=1-2"] })
      expect(countAsked(world)).toBe(2)
    })
  })

  const whole = "0123456789abcdefghij"
  function part(first: number, last: number): string {
    return reply(whole.slice(first, last + 1), [...TAGGED, `Content-Range: bytes ${first}-${last}/20`], "206 Partial Content")
  }

  test("one that goes before another, and into it, is joined to it", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask({ fields: ["Range: bytes=10-15"] })
      const upstream = openUpstream(world)
      upstream.deliver(part(10, 15))
      user.ask({ fields: ["Range: bytes=5-12"] })
      upstream.deliver(part(5, 12))
      expect(user.last).toBe("206 56789abc")
      expect(user.ask({ fields: ["Range: bytes=6-15"] }).last).toBe("206 6789abcdef")
      expect(countAsked(world)).toBe(2)
    })
  })

  test("who asks for the whole gets the whole of it, and only the rest has to come", () => {
    cacheStory({}, world => {
      const user = new Asker(world).ask({ fields: ["Range: bytes=0-9"] })
      const upstream = openUpstream(world)
      upstream.deliver(part(0, 9))
      user.ask()
      expect(upstream.sent).toContain('Range: bytes=10-\r\nIf-Range: "e"\r\n')
      upstream.deliver(part(10, 19))
      expect(user.last).toBe(`200 ${whole}`)
      expect(user.ask().last).toBe(`200 ${whole}`)
      expect(countAsked(world)).toBe(2)
    })
  })
})
