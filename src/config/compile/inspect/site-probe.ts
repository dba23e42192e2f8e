import type { DialHandler, Wire } from "../../../net/index.ts"
import type { Origins } from "../../../upstream/index.ts"

/** What a site's certificate is like, as far as one can know. */
export type SiteCertificate = "trusted" | "untrusted" | "unknown"

/** So long an answer is believed, and a site that could not be asked is left alone. */
const KNOWN_MS = 600_000
const SITES_MAX = 10_000
const TIMEOUT_MS = 5000
const ADDRESSES_MAX = 3

interface Known {
  certificate: SiteCertificate
  until: number
  /** Who waits for the first answer; null = it is here. */
  waiting: ((certificate: SiteCertificate) => void)[] | null
}

/**
 * Looks at the certificates of sites for rules that are about them: a handshake as for a request, and no request. What came of it is kept for ten minutes.
 * The listener's rules on addresses hold.
 */
export class SiteProbe {
  private readonly parts: Origins["parts"]
  private readonly sites = new Map<string, Known>()

  constructor(parts: Origins["parts"]) {
    this.parts = parts
  }

  /** Calls back once, at once where the answer is known. */
  ask(host: string, port: number, done: (certificate: SiteCertificate) => void): void {
    const key = `${host}:${port}`
    const { clock } = this.parts.time
    const known = this.sites.get(key)
    if (known !== undefined && known.waiting !== null) return void known.waiting.push(done)
    if (known !== undefined && known.until > clock.now()) return done(known.certificate)
    if (this.sites.size >= SITES_MAX) this.forgetOne()
    const fresh: Known = { certificate: "unknown", until: 0, waiting: [done] }
    this.sites.set(key, fresh)
    this.parts.resolver.lookup(host, (error, addresses) => {
      if (error === null) new Attempt(this.parts, { port, tlsName: host }, addresses, certificate => this.answered(fresh, certificate)).next()
      else this.answered(fresh, "unknown")
    })
  }

  private answered(known: Known, certificate: SiteCertificate): void {
    const waiting = known.waiting ?? []
    known.certificate = certificate
    known.until = this.parts.time.clock.now() + KNOWN_MS
    known.waiting = null
    for (const done of waiting) done(certificate)
  }

  private forgetOne(): void {
    for (const [key, { waiting }] of this.sites) {
      if (waiting !== null) continue
      this.sites.delete(key)
      return
    }
  }
}

/** One handshake, at the first of the addresses that is open and answers. */
class Attempt implements DialHandler {
  private readonly parts: Origins["parts"]
  private readonly site: { readonly port: number; readonly tlsName: string }
  private readonly addresses: readonly { readonly address: string }[]
  private readonly done: (certificate: SiteCertificate) => void
  private at = 0

  constructor(
    parts: Origins["parts"],
    site: { port: number; tlsName: string },
    addresses: readonly { readonly address: string }[],
    done: (certificate: SiteCertificate) => void,
  ) {
    this.parts = parts
    this.site = site
    this.addresses = addresses
    this.done = done
  }

  next(): void {
    const { port, tlsName } = this.site
    while (this.at < Math.min(this.addresses.length, ADDRESSES_MAX)) {
      const { address } = this.addresses[this.at++]!
      if (this.parts.checks.address(address, port) !== null) continue
      this.parts.dialer({ address, port, tlsName, timeoutMs: TIMEOUT_MS, upgrade: null }, this)
      return
    }
    this.done("unknown")
  }

  onOpen(_wire: Wire): null {
    this.done("trusted")
    return null
  }

  onFailed(kind: string, detail: string): void {
    if (kind === "tls" && /certificate|CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/i.test(detail) && !/ALERT/.test(detail)) this.done("untrusted")
    else this.next()
  }
}
