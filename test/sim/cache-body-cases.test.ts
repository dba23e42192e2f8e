import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { Asker, cacheStory, chunk, chunkedHead, countAsked, lastChunk, openUpstream, reply } from "./cache-story.ts"

// What random runs and reviews have found in how the cache's engine handles bodies and parts, each as a story of its own.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const URL = "http://a.test/a"
const TAGGED = ["Cache-Control: max-age=1", 'ETag: "e"']

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

test("an answer to POST that is stored is as old as it took to come (RFC 9111 section 4.2.3)", () => {
  cacheStory({}, world => {
    const user = new Asker(world).ask({ method: "POST", fields: ["Content-Length: 0"] })
    const upstream = openUpstream(world)
    world.advance(5000)
    upstream.deliver(reply("done", ["Cache-Control: max-age=60", `Content-Location: ${URL}`]))
    expect(user.last).toBe("200 done")
    expect([user.ask().last, user.field("age")]).toEqual(["200 done", "5"])
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
