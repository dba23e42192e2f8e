import { afterEach, expect, test } from "bun:test"
import { FakeClock, systemClock } from "../base/index.ts"
import { acquireExchange, begin, deliver, DONE, type Exchange, NEXT, setFlowClock } from "../flow/index.ts"
import { BODY_CHUNKED, BODY_LENGTH, type Downstream } from "../http/index.ts"
import { type BodySource, EntryReader } from "./entry-reader.ts"

afterEach(() => setFlowClock(systemClock))

/** A body as another thread grows it: what a look finds may be there, or the end be reached, right behind it. */
class Source implements BodySource {
  text = ""
  bodyLength = -1
  ended = false
  failed = false
  readonly quiet = false
  released = 0
  behindLook: () => void = () => {}
  changed: (() => void) | null = null

  piece(at: number, max = Number.POSITIVE_INFINITY): Uint8Array {
    const found = Buffer.from(this.text.slice(at, at + max))
    if (found.length === 0) this.behindLook()
    return found
  }
  watch(changed: () => void): void {
    this.changed = changed
  }
  unwatch(): void {
    this.changed = null
  }
  release(): void {
    this.released++
  }
  tell(): void {
    const { changed } = this
    this.changed = null
    changed?.()
  }
}

class Client {
  sent = ""
  end = ""
  onEnd: () => void = () => {}
  sendHead(): void {}
  sendBody(chunk: Uint8Array): boolean {
    this.sent += Buffer.from(chunk).toString()
    return true
  }
  sendEnd(): void {
    this.onEnd()
    this.end = "whole"
  }
  abort(): void {
    this.end = "cut"
  }
  flush(): boolean {
    return true
  }
}

function read(source: Source, from: number, to: number): Client {
  setFlowClock(new FakeClock())
  const client = new Client()
  const x = acquireExchange()
  x.down = client as unknown as Downstream
  x.responseBody = to < 0 ? BODY_CHUNKED : BODY_LENGTH
  const log = (of: Exchange): typeof NEXT => {
    of.down = null
    return NEXT
  }
  const plan = { respondAt: 0, peerAt: -1, logAt: 1, retry: null, bodyBytesMax: 0, requestMs: 0, tunnelIdleMs: 0 }
  x.plan = { ...plan, steps: [deliver, log, () => DONE], route: { name: "r", index: 0, cluster: "", metrics: 0 } }
  x.up = new EntryReader(x, source, from, to)
  begin(x)
  return client
}

test("what another thread adds and ends behind a look that found nothing is not lost", () => {
  for (const to of [-1, 8]) {
    const source = new Source()
    source.text = "half"
    source.behindLook = () => {
      source.text = "halfhalf"
      source.ended = true
    }
    const client = read(source, 0, to)
    source.tell()
    expect([client.sent, client.end]).toEqual(["halfhalf", "whole"])
  }
})

test("a body that ends before its length is cut, so that the client notices", () => {
  const source = new Source()
  source.text = "half"
  source.ended = true
  expect(read(source, 0, 8).end).toBe("cut")
})

test("a source is given back once, and behind the last write that may hold a view into it", () => {
  const source = new Source()
  source.text = "whole"
  const client = read(source, 0, -1)
  let atEnd = -1
  client.onEnd = () => {
    atEnd = source.released
  }
  expect(source.released).toBe(0)
  source.ended = true
  source.tell()
  expect([client.end, atEnd, source.released]).toEqual(["whole", 0, 1])
})

test("a part ends where it is to end, whatever is behind it", () => {
  const source = new Source()
  source.text = "0123456789"
  const client = read(source, 3, 7)
  expect([client.sent, client.end, source.released]).toEqual(["3456", "whole", 1])
})
