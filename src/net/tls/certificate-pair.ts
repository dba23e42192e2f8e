import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { type BigIntStats, statSync } from "node:fs"
import { FileError, readDataFile } from "../../base/index.ts"
import { certificateNames } from "./certificate-names.ts"

export interface CertificateFiles {
  /** PEM: the certificate first, then its chain. */
  cert: string
  /** PEM, not encrypted. */
  key: string
}

/** A certificate and key that fit together. */
export interface CertificatePair {
  readonly files: CertificateFiles
  readonly cert: string
  readonly key: string
  readonly names: readonly string[]
  readonly serialNumber: string
  /** Milliseconds since 1970 UTC. */
  readonly validFrom: number
  readonly validTo: number
}

/** The text of a file, and what it holds. */
export interface PemFile<T> {
  readonly text: string
  readonly content: T
}

/** Reads a pair. Throws FileError. */
export function readPair(files: CertificateFiles): CertificatePair {
  return checkPair(files, readCertificates(files.cert), readKey(files.key))
}

/** Throws FileError when the key is another's. */
export function checkPair(files: CertificateFiles, cert: PemFile<X509Certificate[]>, key: PemFile<KeyObject>): CertificatePair {
  const first = cert.content[0]!
  if (!first.checkPrivateKey(key.content)) throw new FileError(files.key, `the key does not fit the certificate in ${files.cert}`)
  const { serialNumber, validFrom, validTo } = first
  const names = certificateNames(first)
  return { files, cert: cert.text, key: key.text, names, serialNumber, validFrom: Date.parse(validFrom), validTo: Date.parse(validTo) }
}

/** A certificate and the chain behind it. Throws FileError. */
export function readCertificates(file: string): PemFile<X509Certificate[]> {
  const text = readDataFile(file)
  return { text, content: readChain(file, text) }
}

/** A private key. Throws FileError. */
export function readKey(file: string): PemFile<KeyObject> {
  const text = readDataFile(file)
  return { text, content: parseKey(file, text) }
}

/** Reads the authorities that client certificates are checked against. Throws FileError. */
export function readAuthorities(file: string): string {
  return readCertificates(file).text
}

const BEGIN = "-----BEGIN CERTIFICATE-----"
const END = "-----END CERTIFICATE-----"

function readChain(file: string, text: string): X509Certificate[] {
  const pieces = text.split(BEGIN)
  if (pieces.length === 1) throw new FileError(file, "no certificate in PEM form is in it")
  return pieces.slice(1).map((piece, index) => {
    const end = piece.indexOf(END)
    if (end < 0) throw new FileError(file, `certificate ${index + 1} in it is cut off`)
    try {
      return new X509Certificate(BEGIN + piece.slice(0, end) + END)
    } catch {
      throw new FileError(file, `certificate ${index + 1} in it is damaged`)
    }
  })
}

function parseKey(file: string, text: string): KeyObject {
  if (text.includes("ENCRYPTED")) throw new FileError(file, "the key is encrypted; a server needs one without a passphrase")
  try {
    return createPrivateKey(text)
  } catch {
    throw new FileError(file, "no whole private key in PEM form is in it")
  }
}

/** Tells one state of files from another without reading them: through links, so that a switched folder shows. "" while one of them is missing. */
export function fileSignature(paths: readonly string[]): string {
  let signature = ""
  for (const path of paths) {
    const stat = statOf(path)
    if (stat === undefined) return ""
    signature += `${stat.dev}.${stat.ino}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs};`
  }
  return signature
}

/** When the files were written last, milliseconds since 1970 UTC. */
export function writtenAt(paths: readonly string[]): number {
  let latest = 0
  for (const path of paths) latest = Math.max(latest, Number((statOf(path)?.mtimeNs ?? 0n) / 1_000_000n))
  return latest
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
