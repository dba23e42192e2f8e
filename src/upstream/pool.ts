// HOT
import { assert } from "../base/index.ts"
import type { ClientConnection, ClientHooks, Time } from "../http/index.ts"

export interface PoolSettings {
  /** Idle connections kept; 0 = none. */
  readonly idleMax: number
  readonly idleTimeoutMs: number
  /** Open connections, in use and idle; 0 = no limit. */
  readonly connectionsMax: number
  /** Requests on one connection; 0 = no limit. */
  readonly requestsMax: number
  readonly waitTimeoutMs: number
  readonly waitersMax: number
  readonly headBytesMax: number
  readonly fieldsMax: number
}

/** Somebody who wants a connection of a full pool. */
export interface PoolWaiter {
  /** Only a new connection will do. Default: any. */
  readonly fresh?: boolean
  /** A kept-alive connection became free, or null: there is room to dial. Counts as taken. */
  onTurn(connection: ClientConnection | null): void
}

/** Whose connections these are, as far as the pool tells it something. */
export interface PoolOwner {
  /** All connections are taken and the queue is full: whoever comes now is sent away. */
  saturated: boolean
}

/** The peer keeps an idle connection for so long; we let go earlier, so that the two never race (RFC 9112 section 9.3.1). */
const EARLIER_MS = 1000

/**
 * Connections to one peer or origin, in one worker. Idle ones are reused last in, first out, so that the surplus ages and goes.
 * `taken` counts connections that dial or serve; idle ones are in `idleStack`.
 */
export class Pool implements ClientHooks {
  readonly time: Time
  readonly limits: { readonly headBytesMax: number; readonly fieldsMax: number }
  readonly settings: PoolSettings
  /** Changes when a reload hands the connections on. */
  owner: PoolOwner | null
  private readonly idleStack: ClientConnection[] = []
  private readonly waiters: PoolWaiter[] = []
  private taken = 0
  private closed = false

  constructor(settings: PoolSettings, time: Time, owner: PoolOwner | null) {
    this.settings = settings
    this.time = time
    this.owner = owner
    this.limits = settings
  }

  get idleCount(): number {
    return this.idleStack.length
  }

  get busyCount(): number {
    return this.taken
  }

  /** A connection that is ready, or null. Counts as taken. */
  reuse(): ClientConnection | null {
    for (;;) {
      const connection = this.idleStack.pop()
      if (connection === undefined) return null
      if (!connection.usable) continue
      this.taken++
      return connection
    }
  }

  /** True and counted as taken when another connection may be opened. */
  mayDial(): boolean {
    const max = this.settings.connectionsMax
    if (max > 0 && this.taken >= max) return false
    // An idle one gives its place up.
    if (max > 0 && this.taken + this.idleStack.length >= max) this.closeNewestIdle()
    this.taken++
    return true
  }

  private closeNewestIdle(): void {
    const connection = this.idleStack.pop()!
    // `gone` takes off what is neither idle nor known otherwise.
    this.taken++
    connection.close()
  }

  /** A dial that `mayDial` allowed has failed. */
  dialFailed(): void {
    this.release()
  }

  /** Joins the queue; false when it is full. */
  wait(waiter: PoolWaiter): boolean {
    if (this.waiters.length >= this.settings.waitersMax) return false
    this.waiters.push(waiter)
    this.tellOwner()
    return true
  }

  forget(waiter: PoolWaiter): void {
    const at = this.waiters.indexOf(waiter)
    if (at >= 0) this.waiters.splice(at, 1)
    this.tellOwner()
  }

  private tellOwner(): void {
    if (this.owner !== null) this.owner.saturated = this.waiters.length > 0 && this.waiters.length >= this.settings.waitersMax
  }

  private nextWaiter(): PoolWaiter {
    const waiter = this.waiters.shift()!
    this.tellOwner()
    return waiter
  }

  private release(): void {
    assert(this.taken > 0, "what is released was taken")
    this.taken--
    if (this.waiters.length > 0 && this.mayDial()) this.nextWaiter().onTurn(null)
  }

  idle(connection: ClientConnection, limitMs: number): void {
    const { idleMax, requestsMax, idleTimeoutMs } = this.settings
    if (this.waiters.length > 0 && (requestsMax === 0 || connection.served < requestsMax)) {
      this.passOn(connection)
      return
    }
    if (this.closed || this.idleStack.length >= idleMax || (requestsMax > 0 && connection.served >= requestsMax)) {
      connection.close()
      return
    }
    this.taken--
    this.idleStack.push(connection)
    connection.keepFor(limitMs === 0 ? idleTimeoutMs : Math.min(idleTimeoutMs, limitMs > EARLIER_MS * 2 ? limitMs - EARLIER_MS : limitMs / 2))
  }

  /** To the next in the queue: the connection, or its place when that one wants a new connection. */
  private passOn(connection: ClientConnection): void {
    const waiter = this.nextWaiter()
    if (waiter.fresh !== true) {
      waiter.onTurn(connection)
      return
    }
    // `gone` takes off one, which is not to be anybody else's.
    this.taken++
    connection.close()
    waiter.onTurn(null)
  }

  gone(connection: ClientConnection): void {
    const at = this.idleStack.lastIndexOf(connection)
    if (at >= 0) this.idleStack.splice(at, 1)
    else this.release()
  }

  /** Closes idle connections now and the others after their exchange. */
  close(): void {
    this.closed = true
    while (this.idleStack.length > 0) this.closeNewestIdle()
  }
}
