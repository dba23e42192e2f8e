import { networkInterfaces } from "node:os"
import { normaliseIp } from "../../base/index.ts"

const LOOK_MS = 1000

/** The addresses of this machine, which come and go: an unknown one is looked for again, once a second at the most. */
export class OwnAddresses {
  private known: ReadonlySet<string> = new Set()
  private lookedAt = -Infinity

  has(address: string): boolean {
    if (this.known.has(address)) return true
    const now = performance.now()
    if (now - this.lookedAt < LOOK_MS) return false
    this.lookedAt = now
    this.known = new Set(Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(entry => normaliseIp(entry.address) ?? entry.address)))
    return this.known.has(address)
  }
}
