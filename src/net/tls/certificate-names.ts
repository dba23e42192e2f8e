import type { X509Certificate } from "node:crypto"

/**
 * Host names that a certificate serves, in lower case: the DNS names of its subject alternative name; the common name only where it has no such extension at
 * all, for old private authorities. A wildcard is `*.` and a whole name behind it; other uses of the star are left out (RFC 9525 section 6.3).
 */
export function certificateNames(certificate: X509Certificate): string[] {
  const { subjectAltName, subject } = certificate
  const found = subjectAltName === undefined ? commonNames(subject) : alternativeNames(subjectAltName)
  const names = new Set<string>()
  for (const name of found) {
    const plain = name.toLowerCase()
    const labels = plain.startsWith("*.") ? plain.slice(2) : plain
    if (labels !== "" && !labels.includes("*")) names.add(plain)
  }
  return [...names]
}

/** `DNS:a.test, IP Address:192.0.2.1, …`; a value with a comma stands in quotation marks and is no host name anyway. */
function alternativeNames(text: string): string[] {
  return text
    .split(", ")
    .filter(entry => entry.startsWith("DNS:") && !entry.includes('"'))
    .map(entry => entry.slice(4))
}

function commonNames(subject: string): string[] {
  return subject
    .split("\n")
    .filter(line => line.startsWith("CN="))
    .map(line => line.slice(3))
}
