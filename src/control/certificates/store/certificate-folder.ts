import { createPrivateKey, X509Certificate } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { bundlePath, fallbackPath, selfSigned } from "../../../net/index.ts"
import { writePrivate } from "./write-private.ts"

/** What is known of a certificate beside what it says itself. Times in milliseconds since 1970 UTC. */
export interface CertificateNote {
  readonly name: string
  /** Directory of the issuer, or `local`. */
  readonly issuer: string
  readonly onDemand: boolean
  /** When the issuer wants it renewed, a moment within its window; 0 = it has not said. */
  readonly renewAt: number
  /** When to ask the issuer again; 0 = never. */
  readonly askAt: number
}

export interface StoredCertificate {
  readonly note: CertificateNote
  /** PEM of the certificate and its chain. */
  readonly pem: string
  readonly validFrom: number
  readonly validTo: number
}

const FALLBACK_MS = 7 * 86_400_000
const FALLBACK_LEFT_MS = 2 * 86_400_000
const CHALLENGE_MS = 3_600_000

/**
 * Where everything is kept:
 *
 *     NAME.pem            key, certificate, chain; 0600        NAME.json   issuer, when to renew
 *     accounts/           keys of the accounts with issuers    authority/  the local authority
 *     challenges/         what is being proven                 locks/      who is issuing
 *     temporary/          the certificate until there is one
 */
export class CertificateFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** Makes what is missing. Throws when it cannot be written. */
  prepare(names: readonly string[]): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
    this.clearChallenges()
    this.refreshFallback(names)
  }

  /** The temporary certificate is made anew before it ends, and when it is for other names. */
  refreshFallback(names: readonly string[]): void {
    const path = fallbackPath(this.path)
    const wanted = names.filter(name => !name.includes(":"))
    if (isFreshFallback(path, wanted)) return
    const { cert, key } = selfSigned(wanted.length === 0 ? ["localhost"] : wanted, FALLBACK_MS)
    writePrivate(path, key + cert)
  }

  /** The certificate for a name; null = there is none that can be used. */
  read(name: string): StoredCertificate | null {
    try {
      const bundle = readFileSync(bundlePath(this.path, name), "utf8")
      const pem = bundle.slice(bundle.indexOf("-----BEGIN CERTIFICATE-----"))
      const certificate = new X509Certificate(pem)
      if (!covers(certificate, name) || !certificate.checkPrivateKey(createPrivateKey(bundle))) return null
      return { note: this.#note(name), pem, validFrom: Date.parse(certificate.validFrom), validTo: Date.parse(certificate.validTo) }
    } catch {
      return null
    }
  }

  /** `key` and `chain` in PEM. The note is written first: a certificate is never without. */
  write(note: CertificateNote, key: string, chain: string): void {
    this.writeNote(note)
    writePrivate(bundlePath(this.path, note.name), key + chain)
  }

  writeNote(note: CertificateNote): void {
    writePrivate(this.#notePath(note.name), JSON.stringify(note, null, 2))
  }

  remove(name: string): void {
    rmSync(bundlePath(this.path, name), { force: true })
    rmSync(this.#notePath(name), { force: true })
  }

  /** Names whose certificates were made because somebody asked for them. */
  demanded(): string[] {
    return readdirSync(this.path)
      .filter(file => file.endsWith(".json") && existsSync(join(this.path, file.replace(/json$/, "pem"))))
      .map(file => readNote(join(this.path, file)))
      .filter(note => note?.onDemand === true)
      .map(note => note!.name)
  }

  #note(name: string): CertificateNote {
    return readNote(this.#notePath(name)) ?? { name, issuer: "", onDemand: false, renewAt: 0, askAt: 0 }
  }

  #notePath(name: string): string {
    return bundlePath(this.path, name).replace(/pem$/, "json")
  }

  /** A process that was killed leaves what it was proving; others may be proving just now. */
  clearChallenges(): void {
    for (const kind of ["http-01", "tls-alpn-01"]) {
      const folder = join(this.path, "challenges", kind)
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      for (const file of readdirSync(folder)) {
        const path = join(folder, file)
        if (Date.now() - statSync(path).mtimeMs > CHALLENGE_MS) rmSync(path, { force: true })
      }
    }
  }
}

function readNote(path: string): CertificateNote | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as CertificateNote
  } catch {
    return null
  }
}

function isFreshFallback(path: string, names: readonly string[]): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(path, "utf8"))
    return Date.parse(certificate.validTo) - Date.now() > FALLBACK_LEFT_MS && names.slice(0, 100).every(name => covers(certificate, name))
  } catch {
    return false
  }
}

/** Whether the certificate bears the name, a wildcard as such. */
export function covers(certificate: X509Certificate, name: string): boolean {
  const names = (certificate.subjectAltName ?? "").split(", ")
  return names.includes(`DNS:${name}`) || certificate.checkIP(name) !== undefined
}
