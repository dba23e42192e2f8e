import { expect } from "bun:test"
import { field, readResponse, type StrictMessage } from "../support/strict-reader.ts"
import { CacheWorld, type CacheWorldOptions } from "./cache-world.ts"
import type { FakeWire } from "./fake-wire.ts"

/** A world whose end is checked for leaks. */
export function cacheStory(options: CacheWorldOptions, tell: (world: CacheWorld) => void): void {
  const world = new CacheWorld(options)
  tell(world)
  world.shutDown()
  expect(world.leaks()).toEqual([])
}

export interface Asking {
  readonly path?: string
  readonly method?: string
  /** Lines. */
  readonly fields?: readonly string[]
}

/** One user on a connection of his own, who asks one thing after the other. */
export class Asker {
  readonly wire: FakeWire
  private readonly methods: string[] = []

  constructor(world: CacheWorld, worker = 0, room?: number) {
    this.wire = world.connect(worker, room)
  }

  ask({ path = "/a", method = "GET", fields = [] }: Asking = {}): this {
    this.methods.push(method)
    this.wire.deliver([`${method} ${path} HTTP/1.1`, "Host: a.test", ...fields, "\r\n"].join("\r\n"))
    return this
  }

  /** Everything that came whole, in the order asked. */
  get answers(): StrictMessage[] {
    const found: StrictMessage[] = []
    const { sent, finished, terminated } = this.wire
    for (let at = 0; at < sent.length && found.length < this.methods.length; ) {
      const reading = readResponse(sent, at, this.methods[found.length]!, finished && !terminated)
      if (reading.is === "bad") throw new Error(reading.why)
      if (reading.is === "partial") break
      found.push(reading.message)
      at = reading.end
    }
    return found
  }

  /** Status and body of the last answer; "" = none has come whole. */
  get last(): string {
    const answer = this.answers.at(this.methods.length - 1)
    return answer === undefined ? "" : `${answer.status} ${answer.body}`.trim()
  }

  field(name: string): string {
    return field(this.answers.at(-1)!, name) ?? ""
  }
}

/** An answer with a length. `fields` are lines. */
export function reply(body: string, fields: readonly string[] = ["Cache-Control: max-age=60"], status = "200 OK"): string {
  return [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${body.length}`, "", body].join("\r\n")
}

/** The head of an answer in chunks, and one chunk. */
export const chunkedHead = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
export const lastChunk = "0\r\n\r\n"

export function chunk(body: string): string {
  return `${body.length.toString(16)}\r\n${body}\r\n`
}

/** How many requests have reached an upstream. */
export function countAsked(world: CacheWorld): number {
  return world.upstreams.reduce((sum, { sent }) => sum + sent.split("\r\n\r\n").length - 1, 0)
}

/** Opens the connection that is waited for. */
export function openUpstream(world: CacheWorld): FakeWire {
  return world.dials[0]!.open()
}
