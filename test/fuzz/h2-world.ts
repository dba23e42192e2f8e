import { flag, type Frame, FrameReader, frame, frameType, preface, settingsFrame } from "../support/h2/frames.ts"
import { FrameIntake } from "../support/h2/frame-intake.ts"
import { readRequest } from "../support/strict-reader.ts"
import type { FakeWire } from "../sim/fake-wire.ts"
import { World } from "../sim/world.ts"

/** What a client is told, put together without a word from it. */
class Listener extends FrameIntake {
  constructor() {
    super({ ackSettings: false, ackPings: false, updateWindows: false })
  }

  override send(): void {}

  hear(text: string): void {
    this.push(Buffer.from(text, "latin1"))
  }
}

// The rest is about windows and settings, of which this listener sees one side only.
const BROKEN = /header block|after the end|upper case|line break|after a regular field|connection|transfer-encoding/

/** The data path with clients that begin with the preface of HTTP/2, in front of one upstream that answers everything. */
export class H2World {
  readonly world = new World({ peers: 1 })
  private readonly answered = new Map<number, number>()

  constructor() {
    const { world } = this
    Object.assign(world, {
      http2: true,
      replaced(former: never, next: never) {
        world.connections.delete(former)
        world.connections.add(next)
      },
    })
  }

  get upstream(): string[] {
    return this.world.upstreams.map(wire => wire.sent)
  }

  /** A client that has said preface and SETTINGS. */
  async connect(): Promise<FakeWire> {
    const client = this.world.connect()
    client.deliver(preface)
    client.deliver(settingsFrame().toString("latin1"))
    await this.turn()
    return client
  }

  /** What has collected leaves, and the upstream answers what it has whole. */
  async turn(): Promise<void> {
    for (let moved = true; moved; ) {
      await new Promise(resolve => setImmediate(resolve))
      moved = this.answer()
    }
  }

  private answer(): boolean {
    const { world } = this
    let moved = world.dials.length > 0 && world.dials[0]!.open() !== null
    world.upstreams.forEach((wire, index) => {
      const reading = readRequest(wire.sent, this.answered.get(index) ?? 0)
      if (reading.is !== "whole" || !wire.listening) return
      this.answered.set(index, reading.end)
      wire.deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      moved = true
    })
    return moved
  }

  /** An honest client of its own is served. */
  async isServing(block: Buffer): Promise<boolean> {
    const client = await this.connect()
    client.deliver(frame(frameType.headers, flag.endHeaders | flag.endStream, 1, block).toString("latin1"))
    await this.turn()
    const heard = hear(client)
    return heard.streams.get(1)?.status === 200 && heard.streams.get(1)!.ended
  }
}

/** What the client was told. */
export function hear(client: FakeWire): Listener {
  const listener = new Listener()
  listener.hear(client.sent)
  return listener
}

/** Why what the client was told is no HTTP/2; [] = it is. */
export function wrongs(client: FakeWire): string[] {
  const reader = new FrameReader()
  const frames: Frame[] = reader.push(Buffer.from(client.sent, "latin1"))
  const found = hear(client).violations.filter(each => BROKEN.test(each) && !each.startsWith("beyond"))
  if (reader.unread.length > 0) found.push(`half a frame behind ${frames.length}`)
  return found
}
