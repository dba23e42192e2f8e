import { log } from "../../base/index.ts"
import type { ResolvedAddress } from "./address-order.ts"
import type { NameAnswer, NameLookup, NameLookupHandler } from "./name-lookup.ts"
import type { ResolveError } from "./resolve-error.ts"

/**
 * Called once. Without an error there is at least one address, in the order to dial. `expiresAt` is on the resolver's clock: when to ask again;
 * Infinity for an address literal, 0 with an error that is not remembered.
 */
export type ResolveCallback = (error: ResolveError | null, addresses: readonly ResolvedAddress[], expiresAt: number) => void

export interface FlightHandler {
  /** One family's addresses are there and the other is late. */
  onLandedPartly(flight: Flight, answer: NameAnswer): void
  onLanded(flight: Flight, answer: NameAnswer): void
}

/** A name that is being asked for, and who waits for it. */
export class Flight implements NameLookupHandler {
  readonly name: string
  lookup: NameLookup | null
  /** Runs while old addresses could be given. */
  patience: ReturnType<typeof setTimeout> | null
  private readonly handler: FlightHandler
  private waiters: ResolveCallback[]

  constructor(name: string, handler: FlightHandler) {
    this.name = name
    this.lookup = null
    this.patience = null
    this.handler = handler
    this.waiters = []
  }

  add(waiter: ResolveCallback): void {
    this.waiters.push(waiter)
  }

  onPartial(answer: NameAnswer): void {
    this.handler.onLandedPartly(this, answer)
  }

  onAnswer(answer: NameAnswer): void {
    this.stop()
    this.handler.onLanded(this, answer)
  }

  stop(): void {
    if (this.patience !== null) clearTimeout(this.patience)
    this.patience = null
    this.lookup?.cancel()
  }

  /** Answers all who wait; one that throws does not take the others' answer. */
  tell(error: ResolveError | null, addresses: readonly ResolvedAddress[], expiresAt: number): void {
    const { waiters } = this
    this.waiters = []
    for (const waiter of waiters) {
      try {
        waiter(error, addresses, expiresAt)
      } catch (thrown) {
        log.error("net", "who asked for a name threw", { name: this.name, error: thrown })
      }
    }
  }
}
