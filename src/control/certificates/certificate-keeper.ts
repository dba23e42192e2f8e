import { isDeepStrictEqual } from "node:util"
import { type Log, logOf } from "../../base/index.ts"
import { type AcmeConfig, automaticNames, type Config, usesAutomatic } from "../../config/index.ts"
import { isCertificateName } from "../../net/index.ts"
import type { CertificateEntry } from "../admin/status.ts"
import { LOCAL } from "./issuers/local-issuer.ts"
import { Issuers } from "./issuers/make-issuers.ts"
import { type Demand, ManagedName } from "./managed-name.ts"
import { OnDemandGate } from "./on-demand-gate.ts"
import { CertificateFolder } from "./store/certificate-folder.ts"
import { FolderLock } from "./store/folder-lock.ts"

export interface KeeperParts {
  /** Has every worker look at the certificates' files now; settles when they have. */
  looked(): Promise<void>
  /** Tells workers that somebody's handshake need not wait for this name any more, whatever came of it. */
  answered(name: string): void
}

/** What one config says. */
interface Settings {
  readonly acme: AcmeConfig
  readonly names: readonly string[]
  readonly folder: CertificateFolder
  readonly lock: FolderLock
  readonly issuers: Issuers
  readonly gate: OnDemandGate | null
}

/** How a name was managed under the config before. */
interface Before {
  readonly former?: ManagedName | undefined
  readonly same?: boolean
}

export interface StagedCertificates {
  /** "" = workers may have the config. */
  readonly problem: string
  commit(): void
}

const LOOK_MS = 200
const TIDY_MS = 3_600_000
const UNUSED: StagedCertificates = { problem: "", commit() {} }

/**
 * Makes and renews certificates, in the control thread alone. Workers know of them by files only:
 *
 *     name ─ due? ─ lock ─ issuers, one behind the other ─→ NAME.pem ─→ workers look
 *       └── renewal window of the issuer, or a share of the life; failures wait twice as long each time
 */
export class CertificateKeeper {
  readonly #parts: KeeperParts
  readonly #log: Log = logOf("certificates")
  readonly #managed = new Map<string, ManagedName>()
  /** On demand, and not decided yet. */
  readonly #asking = new Set<string>()
  #live: Settings | null = null
  #timer: ReturnType<typeof setInterval> | null = null
  #tidyAt = 0

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** Gets ready what workers need with this config: the folder, the temporary certificate, and what the local authority can sign at once. */
  async stage(config: Config): Promise<StagedCertificates> {
    if (!usesAutomatic(config)) return { ...UNUSED, commit: () => this.#stopAll() }
    const settings = this.#settingsOf(config)
    try {
      settings.folder.prepare(settings.names)
      const local = settings.names.filter(name => settings.issuers.suiting(name)[0]?.id === LOCAL)
      for (const name of local) await this.#managedFor(name, settings).atOnce()
    } catch (error) {
      return { ...UNUSED, problem: `certificates cannot be kept in ${config.acme.directory}: ${(error as Error).message}` }
    }
    return { problem: "", commit: () => this.#commit(settings) }
  }

  /** Somebody's handshake asks for a name that there is no certificate for. */
  wanted(name: string): void {
    const live = this.#live
    const known = this.#managed.get(name)
    if (known?.busy) return
    if (live === null || live.gate === null || known !== undefined || !isCertificateName(name)) return this.#parts.answered(name)
    if (this.#asking.has(name)) return
    this.#asking.add(name)
    void this.#demand(name, live, live.gate).finally(() => this.#asking.delete(name))
  }

  /** How each name stands. */
  entries(): CertificateEntry[] {
    return [...this.#managed.values()].map(name => name.entry())
  }

  close(): void {
    this.#stopAll()
  }

  /** Who issues stays as long as nothing is said about it that is new: what is under way goes on. */
  #settingsOf(config: Config): Settings {
    const { acme } = config
    const names = [...new Set(Object.keys(config.listeners).flatMap(listener => automaticNames(config, listener)))]
    if (this.#live !== null && isDeepStrictEqual(this.#live.acme, acme)) return { ...this.#live, names }
    const gate = acme.onDemand === null ? null : new OnDemandGate(acme.onDemand, this.#log)
    const issuers = new Issuers(acme, this.#log, () => this.#parts.looked())
    return { acme, names, gate, issuers, folder: new CertificateFolder(acme.directory), lock: new FolderLock(acme.directory) }
  }

  #managedFor(name: string, settings: Settings, demand: Demand | null = null): ManagedName {
    return new ManagedName(name, { ...settings, log: this.#log, looked: () => this.#parts.looked(), demand })
  }

  #commit(settings: Settings): void {
    const former = new Map(this.#managed)
    const same = this.#live?.issuers === settings.issuers
    this.#live = settings
    this.#managed.clear()
    for (const name of settings.names) this.#manage(name, settings, null, { former: former.get(name), same })
    const { gate, folder } = settings
    const demanded = gate === null ? [] : [...former.keys(), ...folder.demanded()].filter(name => former.get(name)?.onDemand !== false)
    for (const name of demanded)
      if (!this.#managed.has(name)) this.#manage(name, settings, this.#demandOf(name, gate!), { former: former.get(name), same })
    const without = settings.names.filter(name => folder.read(name) === null)
    if (without.length > 0)
      this.#log.info("until their certificates are there, clients of these names see a temporary one that nobody trusts", { names: without })
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
    this.#look()
  }

  /** `same`: nothing has changed about who issues, so what is under way goes on; else what was learned is taken over. */
  #manage(name: string, settings: Settings, demand: Demand | null, before: Before = {}): ManagedName {
    const { former, same = false } = before
    const goesOn = former !== undefined && same && former.onDemand === (demand !== null)
    const managed = goesOn ? former : this.#managedFor(name, settings, demand)
    if (former !== undefined && !goesOn) managed.follow(former)
    this.#managed.set(name, managed)
    return managed
  }

  #demandOf(name: string, gate: OnDemandGate): Demand {
    return { judge: () => gate.judge(name), begin: () => gate.begin(), dropped: () => void this.#managed.delete(name) }
  }

  async #demand(name: string, live: Settings, gate: OnDemandGate): Promise<void> {
    const held = [...this.#managed.values()].filter(managed => managed.onDemand).length
    const room = held < live.acme.onDemand!.namesMax
    if (!room) this.#log.warn("no further certificate on demand: acme.onDemand.namesMax is reached", { name, namesMax: live.acme.onDemand!.namesMax })
    if (room && (await gate.judge(name)) === "yes" && this.#live === live) {
      if (!gate.begin()) this.#log.warn("too many certificates on demand at once: acme.onDemand.issuesMax is reached", { name })
      else await this.#manage(name, live, this.#demandOf(name, gate)).attend(true)
    }
    this.#parts.answered(name)
  }

  #look(): void {
    const live = this.#live
    if (live === null) return
    const now = Date.now()
    let running = [...this.#managed.values()].filter(managed => managed.busy).length
    for (const managed of this.#managed.values()) {
      if (running >= live.acme.ordersMax) break
      if (managed.busy || now < managed.nextAt) continue
      running++
      // A handshake may have begun to wait for it meanwhile.
      void managed.attend(false).then(() => live.gate !== null && this.#parts.answered(managed.name))
    }
    if (now > this.#tidyAt) this.#tidy(live, now)
  }

  #tidy(live: Settings, now: number): void {
    this.#tidyAt = now + TIDY_MS
    try {
      live.folder.clearChallenges()
      live.folder.refreshFallback(live.names)
    } catch (error) {
      this.#log.warn("the directory of certificates cannot be kept in order", { reason: (error as Error).message })
    }
  }

  #stopAll(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#live?.issuers.close()
    this.#live = null
    this.#managed.clear()
  }
}
