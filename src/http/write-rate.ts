// HOT

/** The first seconds of waiting say little about a rate. */
const RATE_GRACE_MS = 10_000

/**
 * How fast a client takes an answer: octets that the socket took since it first took no more, over the time that it was full. What the answer's source
 * takes to come does not count.
 */
export class WriteRate {
  private bytesBefore = -1
  private waitedMs = 0
  private waitingSince = -1

  /** Another answer begins. */
  reset(): void {
    this.bytesBefore = -1
    this.waitedMs = 0
    this.waitingSince = -1
  }

  /** The socket is full; `bytes` is all that it ever took. True = the client takes fewer than `rateMin` octets a second. */
  tooSlow(bytes: number, rateMin: number, now: number): boolean {
    if (this.bytesBefore < 0) this.bytesBefore = bytes
    if (this.waitingSince < 0) this.waitingSince = now
    const elapsed = this.waitedMs + now - this.waitingSince
    return elapsed > RATE_GRACE_MS && ((bytes - this.bytesBefore) * 1000) / elapsed < rateMin
  }

  /** There is room again. */
  rest(now: number): void {
    if (this.waitingSince >= 0) this.waitedMs += now - this.waitingSince
    this.waitingSince = -1
  }
}
