import { type CertificateStore, ChallengeCertificates, type HelloGate, isCertificateName } from "../../net/index.ts"
import type { AcmeConfig } from "../../config/index.ts"

/** Looks at what clients of a listener with automatic certificates say first, as long as that is needed. */
export class CertificateGate implements HelloGate {
  readonly #store: CertificateStore
  readonly #challenges: ChallengeCertificates
  readonly #demand: AcmeConfig["onDemand"]
  readonly #wanted: (name: string) => void
  /** Handshakes that wait, by name. */
  readonly #held = new Map<string, Set<() => void>>()
  #waiting = 0

  /** `wanted`: asks the control thread for a certificate, once for each wait; `answered` follows. */
  constructor(store: CertificateStore, { directory, onDemand }: AcmeConfig, wanted: (name: string) => void) {
    this.#store = store
    this.#challenges = new ChallengeCertificates(directory)
    this.#demand = onDemand
    this.#wanted = wanted
  }

  /** Whether the listener must look, which costs every connection something. */
  needed(): boolean {
    return this.#demand !== null || this.#challenges.any()
  }

  challenge(serverName: string): ReturnType<HelloGate["challenge"]> {
    return this.#challenges.contextFor(serverName)
  }

  hold(serverName: string, release: () => void): boolean {
    const name = serverName.toLowerCase().replace(/\.$/, "")
    const demand = this.#demand
    if (demand === null || this.#waiting >= demand.waitsMax || !isCertificateName(name) || this.#store.contextFor(name) !== undefined) return false
    this.#waiting++
    let over = false
    const letGo = (): void => {
      if (over) return
      over = true
      clearTimeout(limit)
      this.#waiting--
      this.#held.get(name)?.delete(letGo)
      release()
    }
    const limit = setTimeout(letGo, demand.hold)
    this.#hold(name, letGo)
    return true
  }

  #hold(name: string, go: () => void): void {
    const waiting = this.#held.get(name)
    if (waiting !== undefined) {
      waiting.add(go)
      return
    }
    this.#held.set(name, new Set([go]))
    this.#wanted(name)
  }

  /** The name has its certificate, or gets none. */
  answered(name: string): void {
    const waiting = this.#held.get(name)
    this.#held.delete(name)
    for (const go of waiting ?? []) go()
  }
}
