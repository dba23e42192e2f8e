// HOT

/** The first seconds of an upload say little about its rate. */
const RATE_GRACE_MS = 10_000

/** How fast a request body comes, on average and without the time that we held the client back. */
export class UploadRate {
  private readonly startedAt: number
  private bytes = 0
  private heldMs = 0
  private heldSince = 0

  constructor(now: number) {
    this.startedAt = now
  }

  pause(now: number): void {
    if (this.heldSince === 0) this.heldSince = now
  }

  resume(now: number): void {
    if (this.heldSince > 0) this.heldMs += now - this.heldSince
    this.heldSince = 0
  }

  /** Counts octets that came; true = with them it is still below `rateMin` octets a second. */
  tooSlow(bytes: number, rateMin: number, now: number): boolean {
    this.bytes += bytes
    const elapsed = now - this.startedAt - this.heldMs
    return elapsed > RATE_GRACE_MS && (this.bytes * 1000) / elapsed < rateMin
  }
}
