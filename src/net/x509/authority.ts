import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import {
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  nameConstraints,
  serverAuth,
  subjectAltName,
  subjectKeyIdentifier,
} from "./extensions.ts"
import { keyIdentifier, keyPem, makeCertificate, makeKey } from "./make-certificate.ts"
import { type CertificateParts, readCertificateParts } from "./read-certificate.ts"

const DAY_MS = 86_400_000
/** Clocks differ: what begins now is not valid yet for some. */
const SKEW_MS = 3_600_000
/** Longest common name (RFC 5280, ub-common-name). */
const COMMON_NAME_MAX = 64

export interface AuthorityRequest {
  /** Its common name. */
  readonly name: string
  readonly days: number
  /** Domains that it may sign for, with all below them; absent = everything. */
  readonly domains?: readonly string[]
}

export interface LeafRequest {
  /** Host names, wildcards and addresses; at least one. */
  readonly names: readonly string[]
  /** The leaf's private key: one may serve many leaves. */
  readonly key: KeyObject
  /** Milliseconds; never beyond the authority's own end. */
  readonly lifeMs: number
}

/** Certificate and key in PEM. */
export interface PemPair {
  readonly cert: string
  readonly key: string
}

/** A new authority: EC P-256, signed by itself, for leaves only. */
export function createAuthority({ name, days, domains }: AuthorityRequest, nowMs: number = Date.now()): PemPair {
  const key = makeKey("p256")
  const extensions = [
    basicConstraints(true),
    keyUsage("authority"),
    subjectKeyIdentifier(keyIdentifier(key)),
    ...(domains === undefined ? [] : [nameConstraints(domains)]),
  ]
  const content = { subject: name, issuer: null, key, validFrom: nowMs - SKEW_MS, validTo: nowMs + days * DAY_MS, extensions }
  return { cert: makeCertificate(content, key), key: keyPem(key) }
}

/** Signs leaves. */
export class Authority {
  /** PEM. */
  readonly cert: string
  /** What leaves need behind them to be believed: the certificate, where it is not a root; else "". */
  readonly chain: string
  /** Milliseconds since 1970 UTC. */
  readonly validTo: number
  private readonly validFrom: number
  private readonly key: KeyObject
  private readonly parts: CertificateParts

  /** Throws when the two do not fit, or the certificate is not an authority's. */
  constructor(pair: PemPair) {
    const certificate = new X509Certificate(pair.cert)
    this.key = createPrivateKey(pair.key)
    if (!certificate.checkPrivateKey(this.key)) throw new Error("the key does not fit the certificate")
    if (!certificate.ca) throw new Error("it is not the certificate of an authority")
    this.cert = pair.cert
    this.chain = certificate.subject === certificate.issuer ? "" : pair.cert
    this.validTo = Date.parse(certificate.validTo)
    this.validFrom = Date.parse(certificate.validFrom)
    this.parts = readCertificateParts(certificate.raw)
  }

  /** A certificate for a server, PEM without the authority's own. */
  issueLeaf({ names, key, lifeMs }: LeafRequest, nowMs: number = Date.now()): string {
    const first = names[0]!
    // Verifiers take an address there for a host name, which an authority's constraints then forbid.
    const subject = first.length <= COMMON_NAME_MAX && isIP(first) === 0 ? first : ""
    const extensions = [
      basicConstraints(false),
      keyUsage(key.asymmetricKeyType === "rsa" ? "rsa" : "ec"),
      serverAuth(),
      // Without a subject the names are what it is about (RFC 5280 section 4.2.1.6).
      subjectAltName(names, subject === ""),
      subjectKeyIdentifier(keyIdentifier(key)),
      authorityKeyIdentifier(this.parts.subjectKeyId ?? keyIdentifier(this.key)),
    ]
    const validTo = Math.min(nowMs + lifeMs, this.validTo)
    const validFrom = Math.max(nowMs - SKEW_MS, this.validFrom)
    return makeCertificate({ subject, issuer: this.parts.subject, key, validFrom, validTo, extensions }, this.key)
  }
}

/** A certificate that nobody trusts, for the time until there is one. Names beyond the first hundred are left out. */
export function selfSigned(names: readonly string[], lifeMs: number, extra: readonly Uint8Array[] = [], nowMs: number = Date.now()): PemPair {
  const key = makeKey("p256")
  const extensions = [basicConstraints(false), keyUsage("ec"), serverAuth(), subjectAltName(names.slice(0, 100)), ...extra]
  const content = { subject: "Bothways temporary certificate", issuer: null, key, validFrom: nowMs - SKEW_MS, validTo: nowMs + lifeMs, extensions }
  return { cert: makeCertificate(content, key), key: keyPem(key) }
}
