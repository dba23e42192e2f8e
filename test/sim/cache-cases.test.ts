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
