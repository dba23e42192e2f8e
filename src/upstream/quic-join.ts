import { H3ClientConnection } from "../http/index.ts"
import type { DialFailure, DialHandle, QuicConnection, QuicConnectionHandler, QuicDialHandler } from "../net/index.ts"
import { dialFault } from "./attempt-rules.ts"
import type { Pool } from "./pool.ts"

/** Opens a connection over QUIC. */
export type QuicDialer = (handler: QuicDialHandler) => DialHandle

/** Whoever wants to know how it went. */
export interface QuicJoinOwner {
  onHttp3(worked: boolean, detail: string): void
}

/**
 * Gets a pool a connection that speaks HTTP/3, for whoever waits there and whoever comes later. It belongs to nobody's attempt: one that has
 * found another way in the meantime does not stop it.
 */
export class QuicJoin implements QuicDialHandler {
  private readonly pool: Pool
  private readonly owner: QuicJoinOwner
  /** There is no other way: those who wait fail with it. */
  private readonly only: boolean

  private constructor(pool: Pool, owner: QuicJoinOwner, only: boolean) {
    this.pool = pool
    this.owner = owner
    this.only = only
  }

  /** False = the pool has no place for another connection, or somebody is at it. */
  static begin(pool: Pool, owner: QuicJoinOwner, only: boolean, dialer: QuicDialer): boolean {
    if (pool.trying || !pool.mayDialBeside()) return false
    pool.trying = true
    dialer(new QuicJoin(pool, owner, only))
    return true
  }

  onOpen(connection: QuicConnection): QuicConnectionHandler | null {
    this.pool.trying = false
    this.pool.time.clock.tick()
    const client = new H3ClientConnection(connection, this.pool)
    connection.handler = client
    this.owner.onHttp3(true, "")
    this.pool.joined(client)
    return client
  }

  onFailed(kind: DialFailure, detail: string): void {
    this.pool.trying = false
    const fault = dialFault(kind)
    this.owner.onHttp3(false, detail)
    this.pool.dialFailed(this.only ? fault : null)
  }
}
