import { type Exchange, NEXT, type Verdict } from "../flow/index.ts"
import type { ClientCertificate, ConnectionInfo } from "../net/index.ts"

/** What is known of the client's connection; null where there is none, as in a test. */
export function connectionOf(x: Exchange): ConnectionInfo | null {
  return x.down?.info ?? null
}

/** The certificate that the client showed, when one of the listener's authorities vouches for it; null otherwise. */
export function verifiedCertificate(x: Exchange): ClientCertificate | null {
  const shown = connectionOf(x)?.clientCertificate ?? null
  return shown?.verified ? shown : null
}

/** Identify: whoever shows a certificate that verifies is its subject. */
export function identifyCertificate(x: Exchange): Verdict {
  const certificate = verifiedCertificate(x)
  if (certificate !== null) x.user = certificate.name
  return NEXT
}
