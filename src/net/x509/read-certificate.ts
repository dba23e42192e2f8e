import { type DerElement, DerError, elements } from "./der-reader.ts"
import { objectIdentifier } from "./der.ts"
import { EXTENSION } from "./extensions.ts"

/** What the runtime's X509Certificate does not tell. */
export interface CertificateParts {
  /** Content octets of the serial number. */
  readonly serial: Buffer
  /** DER of the whole subject. */
  readonly subject: Buffer
  /** Of the key that signed it; null where it does not say. */
  readonly authorityKeyId: Buffer | null
  readonly subjectKeyId: Buffer | null
}

/** Reads the parts of a certificate (RFC 5280 section 4.1) from its DER. Throws DerError. */
export function readCertificateParts(der: Uint8Array): CertificateParts {
  const body = elements(child(elements(der), 0).content)[0]
  if (body === undefined) throw new DerError("no certificate")
  const fields = elements(body.content)
  // The version may be missing.
  const skip = child(fields, 0).tag === 0xa0 ? 1 : 0
  const subject = child(fields, skip + 4)
  const extensions = fields.find(field => field.tag === 0xa3)
  const list = extensions === undefined ? [] : elements(child(elements(extensions.content), 0).content)
  const authority = valueOf(list, EXTENSION.authorityKeyIdentifier)
  const own = valueOf(list, EXTENSION.subjectKeyIdentifier)
  return {
    serial: child(fields, skip).content,
    subject: rebuilt(subject, body.content),
    authorityKeyId: authority === null ? null : (elements(child(elements(authority), 0).content).find(part => part.tag === 0x80)?.content ?? null),
    subjectKeyId: own === null ? null : child(elements(own), 0).content,
  }
}

function child(list: readonly DerElement[], index: number): DerElement {
  const found = list[index]
  if (found === undefined) throw new DerError("a certificate lacks a part")
  return found
}

/** The element with its head, which stands right before its content. */
function rebuilt({ content }: DerElement, around: Buffer): Buffer {
  const end = content.byteOffset - around.byteOffset + content.length
  const headLength = content.length < 0x80 ? 2 : content.length < 0x100 ? 3 : 4
  return around.subarray(end - content.length - headLength, end)
}

/** What is in the extension's octet string. */
function valueOf(list: readonly DerElement[], oid: string): Buffer | null {
  const wanted = objectIdentifier(oid).subarray(2)
  for (const extension of list) {
    const parts = elements(extension.content)
    if (parts[0]?.content.equals(wanted) === true) return parts.at(-1)!.content
  }
  return null
}
