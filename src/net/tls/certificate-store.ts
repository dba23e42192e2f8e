import { existsSync } from "node:fs"
import { type Clock, FileError, log, systemClock } from "../../base/index.ts"
import { plainServerName } from "../connection-info.ts"
import { type AutomaticCertificates, AwaitedBundles, bundleFiles, bundlePath, fallbackPath, isCertificateName } from "./automatic-files.ts"
import { CertificateIndex } from "./certificate-index.ts"
import { type CertificateFiles, type CertificatePair, readAuthorities, readPair } from "./certificate-pair.ts"
import { type ContextOptions, type NativeContext, nativeContext, type TlsVersion } from "./context.ts"
import type { ClientCertificateMode, ServerTls } from "./server-tls.ts"
import { validityProblem } from "./validity.ts"
import { WatchedFiles } from "./watched-files.ts"

export interface TlsListenOptions {
  /** At least one, or `automatic`; the first serves clients that name no host, or one that no certificate bears. */
  certificates: readonly CertificateFiles[]
  /** Certificates that are made while the listener serves, behind the others. Until there is one, the fallback in their folder serves. Default: none. */
  automatic?: AutomaticCertificates | null
  /** Default "1.2". */
  minVersion?: TlsVersion
  /** OpenSSL's notation, for TLS 1.2; default the runtime's list. */
  ciphers?: string
  /** Default ["http/1.1"]. */
  alpn?: readonly string[]
  /** `ca` is a PEM file. Default "off". */
  clientCertificates?: "off" | { mode: "optional" | "required"; ca: string }
}

/** The certificate in use. Times in milliseconds since 1970 UTC. */
export interface CertificateStanding {
  readonly file: string
  readonly writtenAt: number
  readonly validTo: number
  /** The files hold something else that cannot be used, or are gone. */
  readonly stale: boolean
}

interface Entry {
  readonly watched: WatchedFiles
  pair: CertificatePair
  context: NativeContext
  /** Somebody sees to its renewal. */
  readonly automatic: boolean
}

const POLL_MS = 1000
const SETTLE_MS = 200
/** What renews itself is late in the last tenth of its life. */
const AUTOMATIC_SOON = 10

/**
 * The certificates of one TLS listener. Looks at the files once a second and takes a new pair as soon as it is whole and fits; until then, and whenever it does
 * not, the old one serves. New connections get the new certificate, open ones keep theirs.
 */
export class CertificateStore implements ServerTls {
  readonly clientCertificates: ClientCertificateMode
  readonly alpn: readonly string[]
  private readonly options: TlsListenOptions
  private readonly clock: Clock
  private readonly entries: Entry[]
  /** Of names that the config does not tell; never the default. */
  private demanded: Entry[]
  private readonly fallback: Entry | null
  private readonly awaited: AwaitedBundles | null
  private readonly authorityFile: WatchedFiles | null
  private authorities: string | undefined
  private index: CertificateIndex
  private readonly listeners: Set<() => void>
  private timer: ReturnType<typeof setInterval> | null
  private validityToldDay: number
  private settleMs: number

  /** Reads everything. Throws FileError when a file cannot be used. */
  constructor(options: TlsListenOptions, clock: Clock = systemClock) {
    const { clientCertificates = "off", automatic = null } = options
    if (options.certificates.length === 0 && automatic === null) throw new FileError("tls.certificates", "at least one certificate is needed")
    this.clientCertificates = clientCertificates === "off" ? "off" : clientCertificates.mode
    this.alpn = options.alpn ?? ["http/1.1"]
    this.options = options
    this.clock = clock
    this.authorityFile = clientCertificates === "off" ? null : new WatchedFiles([clientCertificates.ca])
    this.authorities = clientCertificates === "off" ? undefined : usableAuthorities(clientCertificates.ca)
    this.entries = options.certificates.map(files => this.enter(files, false))
    this.demanded = []
    this.fallback = automatic === null ? null : this.enter(bundleFiles(fallbackPath(automatic.folder)), true)
    this.awaited = automatic === null ? null : new AwaitedBundles(automatic)
    this.takeAwaited()
    this.index = this.buildIndex()
    this.listeners = new Set()
    this.timer = null
    this.validityToldDay = -1
    this.settleMs = SETTLE_MS
    this.tellValidity()
  }

  get defaultContext(): NativeContext {
    return this.first.context
  }

  get defaultOptions(): ContextOptions {
    return this.contextOptions(this.first.pair)
  }

  private get first(): Entry {
    return this.entries[0] ?? this.fallback!
  }

  contextFor(serverName: string): NativeContext | undefined {
    const context = this.index.find(serverName)
    return context === undefined && this.options.automatic?.onDemand === true ? this.lookUp(this.options.automatic, serverName) : context
  }

  onDefaultChange(changed: () => void): () => void {
    this.listeners.add(changed)
    return () => this.listeners.delete(changed)
  }

  /** Begins to look at the files every `pollMs`, and lets those be that were written less than `settleMs` ago. Does not keep the process alive. */
  watch(pollMs = POLL_MS, settleMs = SETTLE_MS): void {
    if (this.timer !== null) return
    this.settleMs = settleMs
    this.timer = setInterval(() => this.poll(false), pollMs)
    this.timer.unref()
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  /** Looks at all files now, for the reload signal. Answers whether anything new was taken. */
  refresh(): boolean {
    return this.poll(true)
  }

  /** What serves, the default first. */
  get pairs(): CertificatePair[] {
    return (this.entries.length > 0 ? this.entries : [this.first]).map(({ pair }) => pair)
  }

  /** How each certificate stands, in the order of the config. */
  get standings(): CertificateStanding[] {
    return this.entries.map(({ pair, watched }) => ({
      file: pair.files.cert,
      writtenAt: watched.writtenAt,
      validTo: pair.validTo,
      stale: watched.stale,
    }))
  }

  private all(): Entry[] {
    return [...this.entries, ...this.demanded, ...(this.fallback === null ? [] : [this.fallback])]
  }

  private enter(files: CertificateFiles, automatic: boolean): Entry {
    const watched = new WatchedFiles(automatic ? [files.cert] : [files.cert, files.key])
    const pair = readPair(files)
    return { watched, pair, context: this.build(pair), automatic }
  }

  /** Bundles that have come. */
  private takeAwaited(): boolean {
    const before = this.entries.length
    this.awaited?.take(path => this.tryBundle(path, this.entries))
    return this.entries.length > before
  }

  /** A certificate on demand is taken away with its file. */
  private forgetGone(): boolean {
    const there = this.demanded.filter(({ pair }) => existsSync(pair.files.cert))
    const gone = there.length < this.demanded.length
    this.demanded = there
    return gone
  }

  /** One that cannot be used is written anew by whoever made it: nobody else can do anything about it. */
  private tryBundle(path: string, into: Entry[]): boolean {
    try {
      into.push(this.enter(bundleFiles(path), true))
      return true
    } catch (error) {
      log.debug("net", "an automatic certificate cannot be used yet", { reason: (error as Error).message })
      return false
    }
  }

  /** A certificate that was made for a name nobody had told of. */
  private lookUp({ folder }: AutomaticCertificates, serverName: string): NativeContext | undefined {
    const name = plainServerName(serverName)
    if (!isCertificateName(name)) return undefined
    const path = bundlePath(folder, name)
    if (!existsSync(path) || !this.tryBundle(path, this.demanded)) return undefined
    this.index = this.buildIndex()
    return this.index.find(name)
  }

  private contextOptions(pair: CertificatePair): ContextOptions {
    const { minVersion, ciphers } = this.options
    const { clientCertificates } = this
    const asking = { ca: this.authorities, requestCert: true, rejectUnauthorized: clientCertificates === "required" }
    return { cert: pair.cert, key: pair.key, minVersion, ciphers, ...(clientCertificates === "off" ? {} : asking) }
  }

  private build(pair: CertificatePair): NativeContext {
    try {
      return nativeContext(this.contextOptions(pair))
    } catch (error) {
      throw new FileError(pair.files.cert, (error as Error).message)
    }
  }

  private buildIndex(): CertificateIndex {
    const index = new CertificateIndex()
    for (const { pair, context } of [...this.entries, ...this.demanded]) for (const name of pair.names) index.add(name, context)
    return index
  }

  private poll(forced: boolean): boolean {
    const authoritiesChanged = this.pollAuthorities(forced)
    const before = this.defaultContext
    let changed = this.takeAwaited() || authoritiesChanged
    if (this.forgetGone()) changed = true
    for (const entry of this.all()) if (this.pollEntry(entry, forced, authoritiesChanged)) changed = true
    if (changed) this.index = this.buildIndex()
    if (this.defaultContext !== before) for (const listener of this.listeners) listener()
    this.tellValidity()
    return changed
  }

  private pollAuthorities(forced: boolean): boolean {
    const { authorityFile } = this
    if (authorityFile === null) return false
    const text = this.take(authorityFile, forced, () => usableAuthorities(authorityFile.paths[0]!))
    if (text === undefined || text === this.authorities) return false
    this.authorities = text
    log.info("net", "client certificate authorities replaced", { file: authorityFile.paths[0] })
    return true
  }

  private pollEntry(entry: Entry, forced: boolean, rebuild: boolean): boolean {
    const { files } = entry.pair
    const taken = this.take(entry.watched, forced, () => {
      const pair = readPair(files)
      return { pair, context: this.build(pair) }
    })
    if (taken === undefined || isSame(taken.pair, entry.pair)) {
      if (rebuild) entry.context = this.build(entry.pair)
      return rebuild
    }
    log.info("net", "certificate replaced", {
      file: files.cert,
      names: taken.pair.names,
      serial: taken.pair.serialNumber,
      was: entry.pair.serialNumber,
    })
    Object.assign(entry, taken)
    this.validityToldDay = -1
    return true
  }

  /** What the files hold now, if that is news and fit to be used. */
  private take<T>(watched: WatchedFiles, forced: boolean, read: () => T): T | undefined {
    if (!watched.changed(this.clock.wall(), this.settleMs, forced)) {
      if (watched.justGone) log.warn("net", "certificate files are gone; what they held stays in use", { files: watched.paths })
      return undefined
    }
    try {
      return watched.read(read)
    } catch (error) {
      if (watched.rejected(forced))
        log.warn("net", "the new certificate files do not fit; the old ones stay in use", { reason: (error as Error).message })
      return undefined
    }
  }

  /** Once a day and after every change. */
  private tellValidity(): void {
    const now = this.clock.wall()
    const day = Math.floor(now / 86_400_000)
    if (day === this.validityToldDay) return
    this.validityToldDay = day
    for (const { pair, automatic } of this.entries) {
      const text = validityProblem(pair, now, automatic ? (pair.validTo - pair.validFrom) / AUTOMATIC_SOON : undefined)
      if (text !== null) log.warn("net", "a certificate is out of date or soon will be", { file: pair.files.cert, reason: text })
    }
  }
}

function usableAuthorities(file: string): string {
  const ca = readAuthorities(file)
  try {
    nativeContext({ ca })
  } catch (error) {
    throw new FileError(file, (error as Error).message)
  }
  return ca
}

function isSame(a: CertificatePair, b: CertificatePair): boolean {
  return a.cert === b.cert && a.key === b.key
}
