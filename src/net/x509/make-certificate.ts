import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto"
import { bitString, element, explicit, integer, nothing, objectIdentifier, pem, sequence, setOf, time, utf8 } from "./der.ts"
import { elements } from "./der-reader.ts"
import { subjectAltName } from "./extensions.ts"

export type KeyKind = "p256" | "rsa2048"

/** A new private key. */
export function makeKey(kind: KeyKind): KeyObject {
  if (kind === "p256") return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
  return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
}

/** PEM of a private key (PKCS #8). */
export function keyPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string
}

export interface CertificateContent {
  /** Common name; "" = none. */
  readonly subject: string
  /** DER of the signer's name; null = signed by the subject itself. */
  readonly issuer: Uint8Array | null
  /** Either half of the subject's pair. */
  readonly key: KeyObject
  /** Milliseconds since 1970 UTC. */
  readonly validFrom: number
  readonly validTo: number
  readonly extensions: readonly Uint8Array[]
}

/** A certificate of version 3 (RFC 5280 section 4.1), signed by `signer`; PEM. */
export function makeCertificate(content: CertificateContent, signer: KeyObject): string {
  const subject = commonName(content.subject)
  const body = sequence(
    explicit(0, integer(2)),
    serialNumber(),
    algorithmOf(signer),
    content.issuer ?? subject,
    sequence(time(content.validFrom), time(content.validTo)),
    subject,
    publicKeyInfo(content.key),
    explicit(3, sequence(...content.extensions)),
  )
  return pem("CERTIFICATE", signed(body, signer))
}

/** A request for these names (RFC 2986), as DER. */
export function makeRequest(names: readonly string[], key: KeyObject): Buffer {
  const extensions = sequence(objectIdentifier("1.2.840.113549.1.9.14"), setOf(sequence(subjectAltName(names))))
  return signed(sequence(integer(0), commonName(""), publicKeyInfo(key), element(0xa0, extensions)), key)
}

function signed(body: Buffer, signer: KeyObject): Buffer {
  return sequence(body, algorithmOf(signer), bitString(sign("sha256", body, signer)))
}

/** 127 random bits, of which the first is set. */
function serialNumber(): Buffer {
  const octets = randomBytes(16)
  octets[0] = (octets[0]! & 0x7f) | 0x40
  return integer(octets)
}

function algorithmOf(signer: KeyObject): Buffer {
  if (signer.asymmetricKeyType === "ec") return sequence(objectIdentifier("1.2.840.10045.4.3.2"))
  return sequence(objectIdentifier("1.2.840.113549.1.1.11"), nothing())
}

/** A name of one part; "" is the empty name. */
export function commonName(text: string): Buffer {
  return text === "" ? sequence() : sequence(setOf(sequence(objectIdentifier("2.5.4.3"), utf8(text))))
}

function publicKeyInfo(key: KeyObject): Buffer {
  const half = key.type === "private" ? createPublicKey(key) : key
  return half.export({ type: "spki", format: "der" }) as Buffer
}

/** SHA-1 of the public key's bits (RFC 5280 section 4.2.1.2, first method). */
export function keyIdentifier(key: KeyObject): Buffer {
  const bits = elements(elements(publicKeyInfo(key))[0]!.content)[1]!
  return createHash("sha1").update(bits.content.subarray(1)).digest()
}
