// HOT
import { Timer, type TimerOwner } from "../base/index.ts"
import type { Time } from "../http/index.ts"
import type { DialFailure, DialHandle, DialHandler, Wire, WireHandler } from "../net/index.ts"

/** An address has so long before the next one is tried beside it (RFC 8305 section 5, "Connection Attempt Delay"). */
const NEXT_AFTER_MS = 250

/** Who has the addresses. */
export interface RaceSource {
  /** Dials the next address; null = there is none. */
  dialNext(handler: DialHandler): DialHandle | null
  /** What `dialNext` dialled last. */
  readonly dialled: string
  /** There may be another one. */
  readonly hasNext: boolean
  raceWon(dialled: string, wire: Wire, alpn: string): WireHandler | null
  /** One of them failed; others may stand yet. */
  laneFailed(dialled: string, kind: DialFailure, detail: string): void
  /** The last one failed, and no other is left. */
  raceLost(): void
}

/** One address on its way. */
class Lane implements DialHandler {
  private readonly race: DialRace
  dialled = ""
  handle: DialHandle | null = null

  constructor(race: DialRace) {
    this.race = race
  }

  onOpen(wire: Wire, alpn: string): WireHandler | null {
    this.handle = null
    return this.race.stands(this, wire, alpn)
  }

  onFailed(kind: DialFailure, detail: string): void {
    this.handle = null
    this.race.failed(this, kind, detail)
  }
}

/** Dials the addresses of one name in their order: the next when one fails, or has said nothing for a moment. The first that stands is taken. */
export class DialRace implements DialHandle, TimerOwner {
  private readonly source: RaceSource
  private readonly time: Time
  private readonly lanes: Lane[] = []
  private timer: Timer | null = null

  constructor(source: RaceSource, time: Time) {
    this.source = source
    this.time = time
  }

  /** False = there is nothing to dial. */
  begin(): boolean {
    return this.dialNext()
  }

  private dialNext(): boolean {
    const lane = new Lane(this)
    const handle = this.source.dialNext(lane)
    if (handle === null) return false
    lane.handle = handle
    lane.dialled = this.source.dialled
    this.lanes.push(lane)
    if (this.source.hasNext) {
      if (this.timer === null) this.timer = new Timer(this)
      this.time.wheel.schedule(this.timer, this.time.clock.now() + NEXT_AFTER_MS)
    }
    return true
  }

  onTimer(): void {
    this.dialNext()
  }

  stands(lane: Lane, wire: Wire, alpn: string): WireHandler | null {
    this.cancel()
    return this.source.raceWon(lane.dialled, wire, alpn)
  }

  failed(lane: Lane, kind: DialFailure, detail: string): void {
    this.lanes.splice(this.lanes.indexOf(lane), 1)
    this.source.laneFailed(lane.dialled, kind, detail)
    if (this.dialNext() || this.lanes.length > 0) return
    this.cancel()
    this.source.raceLost()
  }

  cancel(): void {
    if (this.timer !== null) this.time.wheel.cancel(this.timer)
    for (let i = 0; i < this.lanes.length; i++) this.lanes[i]!.handle?.cancel()
    this.lanes.length = 0
  }
}
