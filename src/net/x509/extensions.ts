import { isIP } from "node:net"
import { writeIp } from "../../base/index.ts"
import { boolean, element, implicit, integer, objectIdentifier, octetString, sequence } from "./der.ts"

/** OIDs of RFC 5280 section 4.2, but the last, which is RFC 8737's. */
export const EXTENSION = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  acmeIdentifier: "1.3.6.1.5.5.7.1.31",
} as const

export function extension(oid: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), octetString(value))
}

/** The names of a certificate: addresses as addresses, everything else as DNS names. */
export function subjectAltName(names: readonly string[], critical = false): Buffer {
  return extension(EXTENSION.subjectAltName, critical, sequence(...names.map(generalName)))
}

function generalName(name: string): Buffer {
  const address = addressOctets(name)
  return address === null ? implicit(2, Buffer.from(name, "latin1")) : implicit(7, address)
}

function addressOctets(name: string): Buffer | null {
  if (isIP(name) === 0) return null
  const octets = Buffer.alloc(16)
  return octets.subarray(0, writeIp(name, octets, 0))
}

export function basicConstraints(authority: boolean): Buffer {
  // Signs leaves and nothing below.
  return extension(EXTENSION.basicConstraints, true, authority ? sequence(boolean(true), integer(0)) : sequence())
}

/** keyCertSign and cRLSign for an authority; digitalSignature, and keyEncipherment where the key can, for others. */
export function keyUsage(bits: "authority" | "ec" | "rsa"): Buffer {
  const [octet, unused] = bits === "authority" ? [0x06, 1] : bits === "ec" ? [0x80, 7] : [0xa0, 5]
  return extension(EXTENSION.keyUsage, true, element(0x03, Buffer.from([unused, octet])))
}

export function serverAuth(): Buffer {
  return extension(EXTENSION.extendedKeyUsage, false, sequence(objectIdentifier("1.3.6.1.5.5.7.3.1")))
}

export function subjectKeyIdentifier(id: Uint8Array): Buffer {
  return extension(EXTENSION.subjectKeyIdentifier, false, octetString(id))
}

export function authorityKeyIdentifier(id: Uint8Array): Buffer {
  return extension(EXTENSION.authorityKeyIdentifier, false, sequence(implicit(0, id)))
}

/** An authority that may sign only for these domains and what is below them, and for no address but loopback ones. */
export function nameConstraints(domains: readonly string[]): Buffer {
  const trees = [
    ...domains.map(domain => implicit(2, Buffer.from(domain, "latin1"))),
    implicit(7, Buffer.from([127, 0, 0, 0, 255, 0, 0, 0])),
    implicit(7, Buffer.concat([Buffer.alloc(15), Buffer.from([1]), Buffer.alloc(16, 0xff)])),
  ]
  return extension(EXTENSION.nameConstraints, true, sequence(element(0xa0, ...trees.map(tree => sequence(tree)))))
}

/** What a TLS-ALPN-01 certificate proves: SHA-256 of the key authorization (RFC 8737 section 3). */
export function acmeIdentifier(digest: Uint8Array): Buffer {
  return extension(EXTENSION.acmeIdentifier, true, octetString(digest))
}
