import { X509Certificate } from "node:crypto"
import type { Exchange } from "../../../flow/index.ts"
import type { ClientCertificate } from "../../../net/index.ts"
import { connectionOf, verifiedCertificate } from "../../client-certificate.ts"
import { isIn, isName, NONE, type Outcome } from "../outcome.ts"
import type { CertificateOptions } from "./certificate-options.ts"
import { alternativeName, attributesOf, nameOf } from "./subject.ts"

/** Who shows a certificate that the listener's authorities vouch for needs no password. */
export class CertificateLogin {
  private readonly options: CertificateOptions
  /** By connection: a certificate does not change while it lasts. */
  private readonly known = new WeakMap<object, Outcome>()

  constructor(options: CertificateOptions) {
    this.options = options
  }

  get text(): string {
    return `certificate: user from ${this.options.user}`
  }

  check(x: Exchange): Outcome {
    const connection = connectionOf(x)
    if (connection === null) return NONE
    const before = this.known.get(connection)
    if (before !== undefined) return before
    const shown = verifiedCertificate(x)
    const outcome = shown === null ? NONE : this.outcomeOf(shown)
    this.known.set(connection, outcome)
    return outcome
  }

  private outcomeOf(shown: ClientCertificate): Outcome {
    const user = this.isBelieved(shown) ? this.userOf(shown) : ""
    if (!isName(user)) return NONE
    return isIn(user, this.groupsOf(shown), 0)
  }

  private isBelieved({ issuer }: ClientCertificate): boolean {
    const { issuers } = this.options
    if (issuers === undefined) return true
    const names = attributesOf(issuer).filter(({ name }) => name === "cn")
    return issuers.some(wanted => wanted === nameOf(issuer) || (names.length === 1 && names[0]!.value === wanted))
  }

  private userOf(shown: ClientCertificate): string {
    const { user } = this.options
    if (user === "subject") return shown.name
    if (user === "cn") {
      // Two of them are two names: nobody knows which one counts elsewhere.
      const names = attributesOf(shown.subject).filter(({ name }) => name === "cn")
      return names.length === 1 ? names[0]!.value : ""
    }
    return shown.der === undefined ? "" : alternativeName(new X509Certificate(shown.der).subjectAltName ?? "", user)
  }

  private groupsOf({ subject }: ClientCertificate): string[] {
    const { groups } = this.options
    if (groups === "none") return []
    const units = attributesOf(subject).flatMap(({ name, value }) => (name === "ou" ? [value] : []))
    return groups === "ou" ? units : units.flatMap(unit => (Object.hasOwn(groups, unit) ? groups[unit]! : []))
  }
}
