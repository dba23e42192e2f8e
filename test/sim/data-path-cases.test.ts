import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { answerLocally, beginWith, GET, OK, story, under } from "./story.ts"

// What a review of the data path has found, each as a story of its own.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const UPGRADE = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

describe("answers that nobody takes", () => {
  test("a client that sends requests and reads nothing is held back, and served when it reads", () => {
    story({}, world => {
      beginWith(world, answerLocally)
      const client = world.connect(10)
      let asked = 0
      while (client.listening && asked < 10_000) {
        client.deliver(GET.repeat(20))
        asked += 20
      }
      expect(asked).toBeLessThan(100)
      expect(world.logged.length).toBeLessThan(5)
      client.take(1e9)
      expect([world.logged.length, client.sent.split("HTTP/1.1 200").length - 1, client.listening]).toEqual([asked, asked, true])
    })
  })
  test("what it has sent before its FIN is answered all the same", () => {
    story({}, world => {
      beginWith(world, answerLocally)
      const client = world.connect(10)
      client.deliver(GET.repeat(5))
      client.resume()
      client.fin()
      client.take(1e9)
      expect([client.sent.split("HTTP/1.1 200").length - 1, client.closed, client.terminated]).toEqual([5, true, false])
    })
  })
  test("it is cut when it takes nothing for the write timeout", () => {
    story({}, world => {
      beginWith(world, answerLocally)
      const client = world.connect(10)
      client.deliver(GET.repeat(5))
      world.advance(61_000)
      expect(client.closed).toBe(true)
    })
  })
  test("a reload does not cut an answer that still waits in our queue", () => {
    story({}, world => {
      const client = world.connect(10)
      client.deliver(GET)
      world.dials[0]!.open().deliver(OK)
      world.closing = true
      for (const connection of [...world.connections]) connection.closeIdle()
      client.take(1000)
      expect([client.sent, client.finished]).toEqual([OK, true])
    })
  })
  test("a connection without an idle limit ends with its listener all the same", () => {
    story({}, world => {
      world.timeouts = { ...world.timeouts, idle: 0 }
      const { client, upstream } = under(world)
      upstream.deliver(OK)
      world.closing = true
      for (const connection of [...world.connections]) connection.closeIdle()
      world.advance(1200)
      expect([client.sent, client.closed]).toEqual([OK, true])
    })
  })
  test("one that stands after its listener began to close is not waited for longer than a moment", () => {
    story({}, world => {
      world.closing = true
      const late = world.connect()
      const asks = world.connect()
      asks.deliver(GET)
      world.advance(1200)
      expect([late.closed, asks.closed]).toEqual([true, false])
      world.dials[0]!.open().deliver(OK)
      expect(asks.sent).toContain("Connection: close")
    })
  })
})

describe("bodies that end badly or late", () => {
  test("a refused body is not answered into a reset, though the client wanted to close", () => {
    story({}, world => {
      const { client } = under(world, "POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
      client.deliver("zz\r\nmore that the kernel holds")
      expect([client.sent.includes("400 Bad Request"), client.finished, client.closed]).toEqual([true, true, false])
    })
  })
  test("an upload over a connection that was idle for long is not timed by that", () => {
    story({}, world => {
      const { client, upstream } = under(world)
      upstream.deliver(OK)
      world.advance(50_000)
      client.deliver("PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20\r\n\r\n")
      for (let i = 0; i < 10; i++) {
        client.deliver("ab")
        world.advance(1000)
      }
      upstream.deliver(OK)
      expect(client.sent).toBe(OK + OK)
    })
  })
  test("a small body that comes behind its head is kept for another attempt", () => {
    story({ peers: 2 }, world => {
      const { client, upstream } = under(world, "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\n")
      client.deliver("abc")
      client.deliver("def")
      upstream.reset()
      const second = world.dials[0]!.open()
      expect(second.sent).toEndWith("\r\n\r\nabcdef")
      second.deliver(OK)
      expect(client.sent).toBe(OK)
    })
  })
  test("one that is too large to keep is never sent in part again", () => {
    story({ peers: 2, rules: { keepBytesMax: 4 } }, world => {
      const { client, upstream } = under(world, "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\n")
      client.deliver("abc")
      client.deliver("def")
      upstream.reset()
      expect([world.dials.length, client.sent.includes("502 Bad Gateway")]).toEqual([0, true])
    })
  })
  test("a head that a filter has kept leaves when the filter lets it go, not with the next octet", () => {
    story({ responseFilter: true }, world => {
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
      world.filters[0]!.release()
      expect(client.sent).toEndWith("chunked\r\n\r\n")
    })
  })
})

describe("tunnels", () => {
  test("a client that closed its half before the tunnel stood has closed it for the peer as well", () => {
    story({}, world => {
      const { client, upstream } = under(world, `${UPGRADE}ahead`)
      client.resume()
      client.fin()
      upstream.deliver(SWITCHED)
      expect([upstream.sent.endsWith("ahead"), upstream.finished, upstream.closed]).toEqual([true, true, false])
      upstream.deliver("bye")
      upstream.fin()
      expect([client.sent.endsWith("bye"), client.closed, upstream.closed]).toEqual([true, true, true])
    })
  })
  test("a client that is found gone as the tunnel begins ends it", () => {
    story({}, world => {
      const { client, upstream } = under(world, UPGRADE)
      client.severed = true
      upstream.deliver(SWITCHED)
      client.tellSevered(true)
      world.advance(200)
      expect([client.closed, upstream.closed]).toEqual([true, true])
    })
  })
  test("an origin that is gone before its tunnel begins is told of, and the exchange ends", () => {
    for (const fin of [false, true]) {
      story({ forward: true, responseFilter: true }, world => {
        const client = world.connect()
        client.deliver("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\nhello")
        world.lookups[0]!.answer(1)
        const origin = world.dials[0]!.open()
        if (fin) {
          origin.resume()
          origin.fin()
        } else origin.reset()
        world.filters[0]!.release()
        expect([client.sent.startsWith("HTTP/1.1 200 "), client.closed || client.finished]).toEqual([true, true])
        expect([origin.sent, world.active]).toEqual(fin ? ["hello", 1] : ["", 0])
      })
    }
  })
  test("what a client sent into a tunnel that was refused is no request", () => {
    for (const early of [true, false]) {
      story({ forward: true }, world => {
        const client = world.connect()
        const octets = "GET http://inner.test/ HTTP/1.1\r\nHost: inner.test\r\n\r\n"
        client.deliver(`CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n${early ? octets : ""}`)
        if (!early) client.deliver(octets)
        world.lookups[0]!.answer(0)
        expect([client.sent.includes("502 Bad Gateway"), client.sent.includes("Connection: close"), client.finished]).toEqual([true, true, true])
        expect([world.lookups.length, world.logged.length]).toEqual([0, 1])
      })
    }
  })
  test("a client that waited may go on", () => {
    story({ forward: true }, world => {
      const client = world.connect()
      client.deliver("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n")
      world.lookups[0]!.answer(0)
      client.deliver("GET http://inner.test/ HTTP/1.1\r\nHost: inner.test\r\n\r\n")
      expect([client.sent.includes("Connection: close"), world.lookups.length]).toEqual([false, 1])
    })
  })
})
