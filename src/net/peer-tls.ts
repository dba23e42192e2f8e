import type { NativeWire } from "./dispatch.ts"
import type { Wire } from "./wire.ts"

/** What a peer showed of itself in TLS. */
export interface PeerTls {
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly version: string
  /** Names and addresses that its certificate is for, as OpenSSL writes them; "" = not known any more. */
  readonly names: string
  /** SHA-256 of the certificate, hexadecimal with colons. */
  readonly fingerprint256: string
  /** The certificate's last moment, ISO 8601. */
  readonly validTo: string
}

/** Of a connection that we dialed; null = it is not TLS. */
export function peerTls(wire: Wire): PeerTls | null {
  const native = wire as NativeWire
  // Wires of tests, and those over QUIC, are no sockets.
  if (typeof native.getTLSVersion !== "function" || typeof native.getPeerX509Certificate !== "function") return null
  const version = native.getTLSVersion()
  if (typeof version !== "string" || !version.startsWith("TLS")) return null
  const certificate = native.getPeerX509Certificate()
  if (certificate === undefined) return { version, names: "", fingerprint256: "", validTo: "" }
  const { subjectAltName, fingerprint256, validTo } = certificate
  return { version, names: subjectAltName ?? "", fingerprint256, validTo: new Date(validTo).toISOString() }
}
