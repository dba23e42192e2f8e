import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import type { FakeWire } from "./fake-wire.ts"
import { World, type WorldOptions } from "./world.ts"

// What random runs and reviews have found, each as a story of its own.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const GET = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Id: g\r\n\r\n"
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** A world whose end is checked for leaks. */
function story(options: WorldOptions, tell: (world: World) => void): void {
  const world = new World({ peers: 1, ...options })
  tell(world)
  world.shutDown()
  expect(world.leaks()).toEqual([])
}

/** A client whose request has reached an upstream. */
function under(world: World, request = GET): { client: FakeWire; upstream: FakeWire } {
  const client = world.connect()
  client.deliver(request)
  return { client, upstream: world.dials[0]!.open() }
}

describe("requests behind requests", () => {
  test("a pipelined body that comes in pieces is read on", () => {
    story({}, world => {
      const { client, upstream } = under(world, `${GET}POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nabc`)
      upstream.deliver(OK)
      expect(client.paused).toBe(false)
      client.deliver("def")
      expect(upstream.sent).toEndWith("Content-Length: 6\r\n\r\nabcdef")
      upstream.deliver(OK)
      expect(client.sent).toBe(OK + OK)
    })
  })
  test("all that came before a FIN is answered, and a part of a request is nothing", () => {
    for (const rest of ["", "GET /half", "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nabc"]) {
      story({}, world => {
        const { client, upstream } = under(world, GET + GET + rest)
        // The kernel still reports the FIN of a client that is not read from when it is asked to read on.
        upstream.deliver(OK)
        if (client.listening) client.fin()
        upstream.deliver(OK)
        if (client.listening) client.fin()
        expect([client.sent.startsWith(OK + OK), client.terminated]).toEqual([true, rest.startsWith("POST")])
      })
    }
  })
  test("half an empty line in front of a request", () => {
    story({}, world => {
      const client = world.connect()
      for (const piece of ["\r", "\n", "\r", `\n${GET}`]) client.deliver(piece)
      expect([client.sent, world.dials.length]).toEqual(["", 1])
    })
  })
  test("a refused head shows nothing of the request before it, whoever sent that", () => {
    story({}, world => {
      const { client, upstream } = under(world, "HEAD /secret?q HTTP/1.1\r\nHost: private.test\r\n\r\n")
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
      client.reset()
      const other = world.connect()
      let facts: unknown
      world.refuse = (x, fault) => {
        facts = [x.method, x.path, x.query, x.host, x.authority, x.forwardForm]
        World.prototype.refuse.call(world, x, fault)
      }
      other.deliver("BAD\r\n\r\n")
      expect(facts).toEqual(["", "", "", "", "", false])
      expect(other.sent).toContain("fault: client.malformed")
    })
  })
})

describe("ends", () => {
  test("a FIN does not cut an answer that waits in a full socket", () => {
    for (const close of ["", "Connection: close\r\n"]) {
      story({}, world => {
        const client = world.connect(10)
        client.deliver(`GET / HTTP/1.1\r\nHost: a.test\r\n${close}\r\n`)
        world.dials[0]!.open().deliver(OK)
        client.fin()
        client.take(1000)
        expect(client.sent).toEndWith("\r\n\r\nok")
        expect(client.terminated).toBe(false)
      })
    }
  })
  test("a drain cuts a half-sent head, and one behind an answer that nobody takes", () => {
    story({}, world => {
      const client = world.connect()
      client.deliver("GET / HT")
      for (const connection of [...world.connections]) connection.closeNow()
      expect(client.terminated).toBe(true)
      const stuck = world.connect(10)
      stuck.deliver(GET)
      world.dials[0]!.open().deliver(OK)
      stuck.deliver("GET / HT")
      world.advance(61_000)
      expect(stuck.closed).toBe(true)
    })
  })
  test("with the listener closing, a connection ends after its answer", () => {
    story({}, world => {
      const { client, upstream } = under(world)
      world.closing = true
      upstream.deliver(OK)
      expect([client.sent.includes("Connection: close"), client.finished]).toEqual([true, true])
    })
  })
  test("lingering ends soon after the last octet has left", () => {
    story({}, world => {
      const client = world.connect(10)
      client.deliver("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\nmore")
      world.dials[0]!.open().deliver(OK)
      client.take(1000)
      expect([client.finished, client.closed]).toEqual([true, false])
      world.advance(2200)
      expect(client.closed).toBe(true)
    })
  })
  test("both ends of a tunnel end it once, whoever cuts", () => {
    for (const who of ["client", "upstream"] as const) {
      story({ requestMs: 5000 }, world => {
        const sides = under(world, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        sides.upstream.deliver("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        expect(sides.client.sent).toEndWith("\r\n\r\nhello")
        world.advance(60_000)
        sides.client.deliver("still here, whatever the limit of requests says")
        expect(sides.upstream.sent).toEndWith("says")
        sides[who].reset()
        expect([sides.client.closed, sides.upstream.closed, world.active]).toEqual([true, true, 0])
      })
    }
  })
})

describe("attempts", () => {
  test("a retry by status goes on at the other peer", () => {
    story({ peers: 2, rules: { retryStatus: new Set([503]) } }, world => {
      const first = under(world)
      const second = under(world)
      first.upstream.deliver(OK)
      second.upstream.deliver(OK)
      expect(world.cluster.counts()).toEqual({ busy: 0, idle: 2 })
      first.client.deliver(GET)
      const asked = first.upstream.sent.split("GET").length === 3 ? first.upstream : second.upstream
      asked.deliver("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
      const other = world.dials[0]!.open()
      expect([asked.closed, other.paused]).toEqual([true, false])
      other.deliver(OK)
      expect(first.client.sent).toBe(OK + OK)
    })
  })
  test("a head that a filter kept goes on, with no octet of the body yet", () => {
    story({ responseFilter: true }, world => {
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
      expect(upstream.paused).toBe(true)
      world.filters[0]!.release()
      expect(upstream.paused).toBe(false)
      upstream.deliver("ok")
      expect(client.sent).toBe(OK)
    })
  })
  test("an upstream that is lost while a filter keeps its head is a fault, and the filter is told", () => {
    story({ responseFilter: true }, world => {
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
      upstream.reset()
      expect([world.filters.length, client.closed, client.sent]).toEqual([0, true, ""])
    })
  })
  test("time that a filter takes is not the upstream's silence", () => {
    story({ responseFilter: true }, world => {
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
      expect(world.filters.length).toBe(1)
      world.advance(120_000)
      world.filters[0]!.release()
      upstream.deliver("k")
      expect(client.sent).toBe(OK)
    })
  })
  test("a tunnel that a filter keeps loses nothing", () => {
    story({ responseFilter: true }, world => {
      const { client, upstream } = under(world, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
      upstream.deliver("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nab")
      // Some sockets still deliver what was read before the pause.
      upstream.resume()
      upstream.deliver("cd")
      world.filters[0]!.release()
      expect(client.sent).toEndWith("\r\n\r\nabcd")
    })
  })
})

describe("answers that are more than was asked for", () => {
  test("a connection with octets behind its answer serves nobody else", () => {
    for (const answer of [
      OK,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\n",
      `${OK.slice(0, -2)}o`,
    ]) {
      story({}, world => {
        const { client, upstream } = under(world)
        const late = answer.endsWith("\r\n\r\no")
        upstream.deliver(late ? answer : `${answer}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`)
        if (late) upstream.deliver("kHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        expect([upstream.closed, client.sent.includes("poison")]).toEqual([true, false])
      })
    }
  })
  test("an idle connection that says something is closed", () => {
    story({}, world => {
      const { upstream } = under(world)
      upstream.deliver(OK)
      upstream.deliver(OK)
      expect([upstream.closed, world.cluster.counts().idle]).toEqual([true, 0])
    })
  })
})

describe("bodies", () => {
  const POST = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
  test("a long upload that never stops is nobody's silence", () => {
    story({ rules: { times: { head: 5000, idle: 5000 } } }, world => {
      const { client, upstream } = under(world, POST)
      for (let second = 0; second < 30; second++) {
        client.deliver("1\r\na\r\n")
        world.advance(1000)
      }
      client.deliver("0\r\n\r\n")
      world.advance(4000)
      upstream.deliver(OK)
      expect(client.sent).toBe(OK)
    })
  })
  test("an upstream that takes nothing of the body is given up", () => {
    story({ rules: { times: { head: 5000, idle: 5000 }, attemptsMax: 1 } }, world => {
      const client = world.connect()
      client.deliver(POST)
      world.dials[0]!.open(100)
      for (let i = 0; i < 5 && client.listening; i++) client.deliver(`40\r\n${"x".repeat(64)}\r\n`)
      world.advance(5200)
      expect(client.sent).toContain("504 Gateway Timeout")
    })
  })
  test("an answer is waited for as long as the head timeout says, also behind a 100", () => {
    for (const interim of ["", "HTTP/1.1 100 Continue\r\n\r\n"]) {
      story({ rules: { times: { head: 5000, idle: 60_000 }, attemptsMax: 1 } }, world => {
        const { client, upstream } = under(world, POST.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"))
        if (interim !== "") upstream.deliver(interim)
        client.deliver("0\r\n\r\n")
        world.advance(5200)
        expect(client.sent).toContain("504 Gateway Timeout")
      })
    }
  })
  test("a chunk that had to wait leaves though the client says no more", () => {
    story({}, world => {
      const client = world.connect()
      client.deliver(POST)
      const upstream = world.dials[0]!.open(POST.length)
      client.deliver("1\r\na\r\n1\r\nb\r\n")
      upstream.take(1000)
      expect(upstream.sent).toContain("1\r\na\r\n1\r\nb")
    })
  })
  test("the end of a chunked body leaves though the socket is full", () => {
    story({}, world => {
      const client = world.connect(20)
      client.deliver(GET)
      world.dials[0]!.open().deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nay\r\n0\r\n\r\n")
      client.take(1000)
      expect(client.sent).toEndWith("0\r\n\r\n")
    })
  })
  test("a body over its limit behind an early answer cuts that connection and nothing else", () => {
    story({ bodyBytesMax: 3 }, world => {
      const { client, upstream } = under(world, `${POST}1\r\na\r\n`)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\no")
      client.deliver("4\r\nabcd\r\n4\r\nefgh\r\n")
      expect([client.terminated, upstream.closed]).toEqual([true, true])
    })
  })
  test("an odd octet in a head is mended there, and the body behind it is left alone", () => {
    story({}, world => {
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nX-Odd: a\x01b\r\nContent-Length: 4\r\n\r\n\x01\x02\x7f\x00")
      expect(client.sent).toContain("X-Odd: a b\r\n")
      expect(client.sent).toEndWith("\r\n\r\n\x01\x02\x7f\x00")
    })
  })
  test("a 204 has no length", () => {
    story({}, world => {
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")
      expect(client.sent).toBe("HTTP/1.1 204 No Content\r\n\r\n")
    })
  })
})

describe("nothing grows with a body", () => {
  const chunk = "x".repeat(16_384)
  const LIMIT = 256 * 1024
  /** Delivers until the reader is paused; how much that was. */
  function fill(wire: FakeWire): number {
    let taken = 0
    while (wire.listening && taken < 100 * LIMIT) {
      wire.deliver(chunk)
      taken += chunk.length
    }
    return taken
  }
  test("an answer that the client does not take", () => {
    story({}, world => {
      const client = world.connect(1000)
      client.deliver(GET)
      const upstream = world.dials[0]!.open()
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
      expect(fill(upstream)).toBeLessThan(LIMIT)
      client.take(LIMIT)
      expect(upstream.paused).toBe(false)
    })
  })
  test("an upload that the upstream does not take, or that has no upstream yet", () => {
    for (const connected of [true, false]) {
      story({}, world => {
        const client = world.connect()
        client.deliver("PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n")
        const early = connected ? world.dials[0]!.open(1000) : null
        expect(fill(client)).toBeLessThan(LIMIT)
        const upstream = early ?? world.dials[0]!.open()
        upstream.take(LIMIT)
        expect(client.paused).toBe(false)
      })
    }
  })
  test("requests that wait behind an unanswered one", () => {
    story({}, world => {
      const client = world.connect()
      client.deliver(GET)
      expect(fill(client)).toBeLessThan(LIMIT)
    })
  })
  test("an answer whose head a filter keeps", () => {
    story({ responseFilter: true }, world => {
      const { upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
      expect(fill(upstream)).toBeLessThan(LIMIT)
    })
  })
  test("a tunnel whose other end takes nothing", () => {
    story({}, world => {
      const client = world.connect()
      client.deliver("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
      const upstream = world.dials[0]!.open(2000)
      upstream.deliver("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
      expect(fill(client)).toBeLessThan(LIMIT)
      upstream.take(LIMIT)
      expect(client.paused).toBe(false)
    })
  })
})
