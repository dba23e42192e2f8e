import type { Log } from "../../base/index.ts"
import type { AcmeConfig } from "../../config/index.ts"
import type { CertificateEntry } from "../admin/status.ts"
import { type Blocked, issueCertificate } from "./issue-certificate.ts"
import type { Issuers } from "./issuers/make-issuers.ts"
import { momentWithin, renewalTime, retryPause } from "./renewal-time.ts"
import type { Verdict } from "./on-demand-gate.ts"
import type { CertificateFolder, StoredCertificate } from "./store/certificate-folder.ts"
import type { FolderLock } from "./store/folder-lock.ts"

/** For a name that the config does not tell: whoever decides is asked again before each certificate. */
export interface Demand {
  judge(): Promise<Verdict>
  /** Counts; false = too many at once. */
  begin(): boolean
  /** Nobody wants it any more. */
  dropped(): void
}

export interface ManagedParts {
  readonly acme: AcmeConfig
  readonly folder: CertificateFolder
  readonly lock: FolderLock
  readonly issuers: Issuers
  readonly log: Log
  /** Settles when workers have looked at the files. */
  looked(): Promise<void>
  /** null = the config tells the name. */
  readonly demand: Demand | null
}

/** Another instance is issuing: look again soon. */
const ELSEWHERE_MS = 2000
/** A name that somebody made up does not stay for ever. */
const DEMAND_FAILURES_MAX = 5
const ARI_RETRY_MS = 600_000
const ARI_FIRST_MS = 1000

/** One name and its certificate over time. */
export class ManagedName {
  readonly name: string
  /** When to look at it again, milliseconds since 1970 UTC. */
  nextAt = 0
  busy = false
  readonly #parts: ManagedParts
  #stored: StoredCertificate | null = null
  #failures = 0
  #lastError = ""
  #blocked: Blocked = new Map()
  #ariAt = 0

  constructor(name: string, parts: ManagedParts) {
    this.name = name
    this.#parts = parts
  }

  get onDemand(): boolean {
    return this.#parts.demand !== null
  }

  /** Takes over what was learned under another config; a failure is tried again at once, for the config may have been its cause. */
  follow(former: ManagedName): void {
    this.#blocked = former.#blocked
    this.#ariAt = former.#ariAt
  }

  /** Before workers have the config, where that takes no time. Rejects when it does not work. */
  async atOnce(): Promise<void> {
    this.#stored = this.#read()
    if (!this.#isDue()) return
    const release = this.#parts.lock.take(this.name)
    if (release === null) return
    try {
      await this.#issue()
    } finally {
      release()
    }
  }

  /** Does what is due. `admitted`: whoever decides has just said yes. Never rejects. */
  async attend(admitted: boolean): Promise<void> {
    this.busy = true
    try {
      this.#stored = this.#read()
      if (!this.#isDue()) await this.#askIssuer()
      if (this.#isDue()) await this.#renew(admitted)
      this.nextAt = Math.max(this.nextAt, this.#usualNext())
    } catch (error) {
      this.#failed(error as Error)
    } finally {
      this.busy = false
    }
  }

  entry(): CertificateEntry {
    const stored = this.#stored
    const iso = (ms: number): string => (ms === 0 ? "" : new Date(ms).toISOString())
    const issuer = stored === null ? undefined : this.#parts.issuers.find(stored.note.issuer)
    return {
      name: this.name,
      state: stored === null ? "temporary" : stored.validTo < Date.now() ? "expired" : "valid",
      issuing: this.busy,
      issuer: issuer?.name ?? stored?.note.issuer ?? "",
      validTo: iso(stored?.validTo ?? 0),
      renewAt: iso(stored === null ? 0 : renewalTime(stored, this.#parts.acme.renewal.at)),
      retryAt: this.#failures === 0 ? "" : iso(this.nextAt),
      lastError: this.#lastError,
      onDemand: this.onDemand,
    }
  }

  /** One by an issuer that the config does not have any more is none. */
  #read(): StoredCertificate | null {
    const { folder, issuers } = this.#parts
    const stored = folder.read(this.name)
    if (stored === null || stored.note.issuer === "") return stored
    return issuers.suiting(this.name).some(issuer => issuer.id === stored.note.issuer) ? stored : null
  }

  #isDue(): boolean {
    return this.#stored === null || Date.now() >= renewalTime(this.#stored, this.#parts.acme.renewal.at)
  }

  #usualNext(): number {
    if (this.#stored === null) return 0
    const renewAt = renewalTime(this.#stored, this.#parts.acme.renewal.at)
    const askAt = this.#ariAt > 0 ? this.#ariAt : this.#asksIssuer() ? Date.now() + ARI_FIRST_MS : renewAt
    return Math.min(renewAt, askAt)
  }

  #asksIssuer(): boolean {
    const { acme, issuers } = this.#parts
    return acme.renewal.ari && this.#stored !== null && issuers.find(this.#stored.note.issuer) !== undefined
  }

  /** When the issuer wants it renewed (RFC 9773), where it is time to ask. That it does not answer is no trouble. */
  async #askIssuer(): Promise<void> {
    const { issuers, folder, log } = this.#parts
    const stored = this.#stored!
    this.#ariAt = Math.max(this.#ariAt, stored.note.askAt)
    if (!this.#asksIssuer() || Date.now() < this.#ariAt) return
    const issuer = issuers.find(stored.note.issuer)!
    try {
      const window = await issuer.renewalWindow(stored.pem)
      this.#ariAt = window === null ? Number.MAX_SAFE_INTEGER : window.askAt
      if (window === null) return
      const renewAt = momentWithin(window, stored.note.renewAt)
      if (renewAt < Date.now() && window.explanation !== "")
        log.info("the issuer wants a certificate renewed", { name: this.name, why: window.explanation })
      const note = { ...stored.note, renewAt, askAt: window.askAt }
      this.#stored = { ...stored, note }
      folder.writeNote(note)
    } catch (error) {
      this.#ariAt = Date.now() + ARI_RETRY_MS
      log.debug("the issuer does not tell when to renew", { name: this.name, reason: (error as Error).message })
    }
  }

  async #renew(admitted: boolean): Promise<void> {
    const { demand, lock } = this.#parts
    if (demand !== null && !admitted && !(await this.#isStillWanted(demand))) return
    const release = lock.take(this.name)
    if (release === null) {
      this.nextAt = Date.now() + ELSEWHERE_MS
      return
    }
    try {
      // Another instance may have been faster.
      this.#stored = this.#read()
      if (this.#isDue()) await this.#issue()
    } finally {
      release()
    }
    await this.#parts.looked()
  }

  /** A no takes the certificate away, so that the next client asks anew. That nobody answers takes nothing. */
  async #isStillWanted(demand: Demand): Promise<boolean> {
    const verdict = await demand.judge()
    if (verdict === "yes" && demand.begin()) return true
    this.nextAt = Date.now() + (verdict === "yes" ? ELSEWHERE_MS : this.#parts.acme.renewal.retryMin)
    if (verdict !== "no") return false
    this.#parts.log.info("a certificate on demand is taken away: it is not allowed any more", { name: this.name })
    this.#parts.folder.remove(this.name)
    demand.dropped()
    await this.#parts.looked()
    return false
  }

  async #issue(): Promise<void> {
    const { acme, issuers, folder, log } = this.#parts
    const former = this.#stored
    const replaces = former === null ? null : { pem: former.pem, issuer: former.note.issuer }
    const made = await issueCertificate(this.name, issuers.suiting(this.name), { keyKind: acme.key, replaces, blocked: this.#blocked })
    folder.write({ name: this.name, issuer: made.issuer.id, onDemand: this.onDemand, renewAt: 0, askAt: 0 }, made.key, made.chain)
    this.#stored = folder.read(this.name)
    if (this.#stored === null) throw new Error(`what ${made.issuer.name} issued cannot be used`)
    this.#failures = 0
    this.#lastError = ""
    this.#ariAt = 0
    this.nextAt = 0
    log.info(former === null ? "certificate issued" : "certificate renewed", {
      name: this.name,
      issuer: made.issuer.name,
      until: new Date(this.#stored.validTo).toISOString(),
    })
  }

  #failed(error: Error): void {
    const { acme, log } = this.#parts
    this.#failures++
    this.#lastError = error.message
    const pause = retryPause(this.#failures, acme.renewal)
    this.nextAt = Date.now() + pause
    if (this.#stored === null && this.#failures >= DEMAND_FAILURES_MAX) this.#parts.demand?.dropped()
    log.warn("no certificate could be had; what there is stays in use", { name: this.name, reason: error.message, againInMs: pause })
  }
}
